//! What the protocols of NATS and Redis say, and what they may not.

use ropewalk_grammar::Framing;
use ropewalk_grammar::nats::{Delivery, NatsError, NatsGrammar, Operation, is_subject};
use ropewalk_grammar::resp::{RespError, RespGrammar, Value};

fn heard(data: &[u8]) -> Result<String, NatsError> {
    let mut grammar = NatsGrammar::new();
    let mut input = grammar.receive(data);
    let event = input.next_event().expect("it is whole");
    event.map(|operation| format!("{operation:?}"))
}

#[test]
fn operations_of_nats_are_understood() {
    for (data, said) in [
        ("INFO {\"a\":1}\r\n", "Info(\"{\\\"a\\\":1}\")"),
        ("INFO  {} \r\n", "Info(\"{}\")"),
        ("ping\r\n", "Ping"),
        ("PONG\r\n", "Pong"),
        ("+OK\r\n", "Ok"),
        ("-ERR 'Unknown Protocol'\r\n", "Err(\"Unknown Protocol\")"),
        (
            "SUB a.*.> q\t9\r\n",
            "Sub { subject: \"a.*.>\", queue: Some(\"q\"), id: \"9\" }",
        ),
        ("UNSUB 9 3\r\n", "Unsub { id: \"9\", after: Some(3) }"),
        (
            "PUB a r 2\r\nhi\r\n",
            "Pub { subject: \"a\", reply: Some(\"r\"), payload: [104, 105] }",
        ),
        (
            "MSG a 1 0\r\n\r\n",
            "Msg(Delivery { subject: \"a\", id: \"1\", reply: None, payload: [] })",
        ),
    ] {
        assert_eq!(heard(data.as_bytes()).as_deref(), Ok(said));
    }
}

#[test]
fn what_is_no_nats_is_refused_where_it_is() {
    let malformed = |data: &str| matches!(heard(data.as_bytes()), Err(NatsError::Malformed { .. }));
    for data in [
        "MSG a 1 -1\r\n",
        "MSG a 1 01\r\n",
        "MSG a 1 99999999999999999999\r\n",
        "MSG a. 1 1\r\n",
        "MSG a 1 2 3 4\r\n",
        "MSG a 1\r\n",
        "PUB a.* 1\r\n",
        "SUB >.a 1\r\n",
        "SUB a\r\n",
        "-ERR why\r\n",
        "-ERR '\r\n",
        "INFO 1\r\n",
        "INFO {\0}\r\n",
        "-ERR 'a\rb'\r\n",
        "PING PONG\r\n",
    ] {
        assert!(malformed(data), "{data:?}");
    }
    assert_eq!(heard(b"PING\n"), Err(NatsError::MissingEnd { offset: 4 }));
    assert_eq!(
        heard(b"MSG a 1 1\r\nxy\r\n"),
        Err(NatsError::MissingEnd { offset: 12 })
    );
    assert_eq!(
        heard(b"HTTP/1.1 200\r\n"),
        Err(NatsError::UnknownOperation { offset: 0 })
    );
    let long = [b"INFO ", &[b'x'; 70_000][..]].concat();
    assert_eq!(heard(&long), Err(NatsError::LineTooLong { offset: 0 }));
    let declared = 1024 * 1024 + 1;
    let text = format!("MSG a 1 {declared}\r\n");
    let limit = 1024 * 1024;
    let too_long = NatsError::PayloadTooLong {
        offset: 0,
        declared,
        limit,
    };
    assert_eq!(heard(text.as_bytes()), Err(too_long));
}

#[test]
fn nobodys_words_become_another_operation() {
    let (grammar, mut out) = (NatsGrammar::new(), Vec::new());
    for subject in [
        "a\r\nPUB b 0\r\n",
        "a b",
        "",
        "a..b",
        ".",
        "*",
        "a.>",
        "a\tb",
        "\u{7f}",
    ] {
        assert!(!is_subject(subject, false), "{subject:?}");
        let delivery = Delivery {
            subject,
            id: "1",
            reply: None,
            payload: b"",
        };
        for operation in [
            Operation::Pub {
                subject,
                reply: None,
                payload: b"",
            },
            Operation::Pub {
                subject: "a",
                reply: Some(subject),
                payload: b"",
            },
            Operation::Msg(delivery),
        ] {
            assert_eq!(grammar.send(operation, &mut out), Err(NatsError::Unsayable));
        }
    }
    let injected = Operation::Connect("{}\r\nPUB a 0\r\n\r\n{}");
    assert_eq!(grammar.send(injected, &mut out), Err(NatsError::Unsayable));
    assert!(out.is_empty());
}

fn valued(data: &[u8]) -> Result<String, RespError> {
    let mut grammar = RespGrammar::new();
    let mut input = grammar.receive(data);
    let event = input.next_event().expect("it is whole, or wrong");
    event.map(|value| format!("{value:?}"))
}

#[test]
fn values_of_redis_are_understood() {
    for (data, said) in [
        ("+OK\r\n", "Simple([79, 75])"),
        (":-12\r\n", "Integer(-12)"),
        ("$0\r\n\r\n", "Bytes([])"),
        ("$-1\r\n", "Null"),
        ("*-1\r\n", "Null"),
        ("_\r\n", "Null"),
        ("#f\r\n", "Boolean(false)"),
        (",inf\r\n", "Double(inf)"),
        ("*0\r\n", "Array([])"),
        (
            "%1\r\n:1\r\n*1\r\n:2\r\n",
            "Map([(Integer(1), Array([Integer(2)]))])",
        ),
        (
            ">2\r\n+a\r\n~1\r\n:1\r\n",
            "Push([Simple([97]), Set([Integer(1)])])",
        ),
    ] {
        assert_eq!(valued(data.as_bytes()).as_deref(), Ok(said));
    }
}

#[test]
fn what_is_no_resp_is_refused_where_it_is() {
    let expected = "a number and CR LF";
    for data in [
        "$\r\n", "$01\r\n", "$+1\r\n", "*1x\r\n", ":1\n", ":--1\r\n", "#y\r\n", "_x\r\n",
    ] {
        let wrong = Err(RespError::Malformed {
            offset: 0,
            expected,
        });
        assert_eq!(valued(data.as_bytes()), wrong, "{data:?}");
    }
    let found = b'P';
    assert_eq!(
        valued(b"PING"),
        Err(RespError::UnknownType { offset: 0, found })
    );
    let wrong = valued(b"*2\r\n:1\r\n$1\r\nab\r\n");
    assert_eq!(
        wrong,
        Err(RespError::Malformed {
            offset: 13,
            expected: "CR LF"
        })
    );
    assert_eq!(valued(b"*4097\r\n"), Err(RespError::TooMany { offset: 0 }));
    let nested = b"*1\r\n".repeat(9);
    assert_eq!(valued(&nested), Err(RespError::TooDeep { offset: 32 }));
    let limit = RespGrammar::DEFAULT_LIMIT_BYTES;
    let long = format!("${limit}\r\n");
    assert_eq!(
        valued(long.as_bytes()),
        Err(RespError::TooLong { offset: 0, limit })
    );
}

#[test]
fn a_value_is_not_sent_that_would_be_read_as_another() {
    let (grammar, mut out) = (RespGrammar::new(), Vec::new());
    let deep = (0..9).fold(Value::Null, |inner, _| Value::Array(vec![inner]));
    let many = Value::Array(vec![Value::Null; 5000]);
    for value in [Value::Simple(b"a\r\n+b"), Value::Error(b"\n"), deep, many] {
        assert_eq!(grammar.send(value, &mut out), Err(RespError::Unsayable));
    }
    assert!(out.is_empty());
}
