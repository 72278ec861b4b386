//! Tables of endpoint strings, right and wrong, and the laws that hold for all of them.

use std::time::Duration;

use proptest::prelude::*;

use super::{Description, TcpClient, TcpServer, quote};

/// The description as a row of a table: type, arguments, options.
fn taken_apart(text: &str) -> String {
    let mut description = Description::parse(text).unwrap();
    let mut row = vec![description.kind().to_owned()];
    while description.positionals_left() > 0 {
        row.push(description.positional("argument").unwrap());
    }
    for name in ["key", "k=y", "path", ""] {
        let value: Option<String> = description.option(name).unwrap();
        row.extend(value.map(|value| format!("{name} -> {value}")));
    }
    description.finish().unwrap();
    row.join(" | ")
}

fn server(text: &str) -> String {
    match text.parse::<TcpServer>() {
        Ok(server) => server.to_string(),
        Err(error) => error.to_string(),
    }
}

fn client(text: &str) -> String {
    match text.parse::<TcpClient>() {
        Ok(client) => client.to_string(),
        Err(error) => error.to_string(),
    }
}

fn check(table: &[(&str, &str)], function: fn(&str) -> String) {
    for (text, right) in table {
        assert_eq!(function(text), *right, "for {text:?}");
    }
}

/// What is wrong, without the string that every such error begins with.
fn check_errors(table: &[(&str, &str)], function: fn(&str) -> String) {
    for (text, right) in table {
        let error = function(text);
        let start = format!("bad endpoint \"{text}\", ");
        assert_eq!(
            error.strip_prefix(&start),
            Some(*right),
            "for {text:?}: {error}"
        );
    }
}

#[test]
fn strings_are_taken_apart() {
    check(
        &[
            ("stdio", "stdio"),
            ("stdio:", "stdio | "),
            ("x:a:b", "x | a | b"),
            ("x:a::b", "x | a |  | b"),
            ("x:key=v:a", "x | a | key -> v"),
            (r"x:foo\:bar\=baz\:qux\\", r"x | foo:bar=baz:qux\"),
            ("x:path=/srv/a=b", "x | path -> /srv/a=b"),
            (r"x:path=/srv/a\=b", "x | path -> /srv/a=b"),
            (r"x:k\=y=v", "x | k=y -> v"),
            ("x:key=", "x | key -> "),
            ("x:=v", "x |  -> v"),
            ("x:[::1]:80", "x | [::1] | 80"),
            ("x:key=[::1]:80", "x | 80 | key -> [::1]"),
            ("x:[a=b:c]d", "x | [a=b:c]d"),
            ("x:a[b:c]", "x | a[b | c]"),
            (r"x:\[a:b\]", "x | [a | b]"),
            (r"x\:y:1", "x:y | 1"),
            ("ü:ß:key=日本", "ü | ß | key -> 日本"),
        ],
        taken_apart,
    );
}

#[test]
fn server_strings() {
    check(
        &[
            ("tcp:8000", "tcp:0.0.0.0:8000"),
            ("tcp:0", "tcp:0.0.0.0:0"),
            ("tcp:65535", "tcp:0.0.0.0:65535"),
            ("tcp:port=80", "tcp:0.0.0.0:80"),
            ("tcp:localhost:80", "tcp:127.0.0.1:80"),
            ("tcp:127.0.0.1:port=80", "tcp:127.0.0.1:80"),
            ("tcp:80:host=127.0.0.2", "tcp:127.0.0.2:80"),
            ("tcp:[::1]:80", "tcp:[::1]:80"),
            (r"tcp:\:\:1:80", "tcp:[::1]:80"),
            ("tcp:[fe80::1%3]:80", "tcp:[fe80::1%3]:80"),
            ("tcp:80:interface=127.0.0.1", "tcp:127.0.0.1:80"),
            ("tcp:interface=[::]:80", "tcp:[::]:80"),
            ("tcp:80:backlog=1024:reuse_port=no", "tcp:0.0.0.0:80"),
            (
                "tcp:80:backlog=0:reuse_port=1",
                "tcp:0.0.0.0:80:backlog=0:reuse_port=yes",
            ),
        ],
        server,
    );
}

#[test]
fn client_strings() {
    check(
        &[
            ("tcp:example.org:80", "tcp:example.org:80"),
            ("tcp:host=example.org:port=80", "tcp:example.org:80"),
            ("tcp:[::1]:80:timeout=30", "tcp:[::1]:80"),
            ("tcp:a:80:timeout=1.50", "tcp:a:80:timeout=1.5"),
            ("tcp:a:80:bind=127.0.0.2", "tcp:a:80:bind=127.0.0.2"),
            ("tcp:a:80:bind=[::1]", "tcp:a:80:bind=[::1]"),
            (r"tcp:a:80:bind=\:\:1", "tcp:a:80:bind=[::1]"),
        ],
        client,
    );
}

#[test]
fn wrong_syntax() {
    let begins = "an endpoint begins with its type, as in tcp:127.0.0.1:8000";
    let quotes = r"a backslash quotes only : = [ ] and \, write \\ for one";
    check_errors(
        &[
            ("", &format!("byte 0: {begins}")),
            (":80", &format!("byte 0: {begins}")),
            ("::1", &format!("byte 0: {begins}")),
            ("tcp=80", &format!("byte 0: {begins}")),
            (r"unix:C:\temp", &format!("byte 7: {quotes}")),
            (
                r"tcp:80\",
                r"byte 6: nothing follows the backslash, write \\ for one",
            ),
            (
                "tcp:[::1:80",
                r"byte 4: no ] closes this bracket, write \[ for a plain one",
            ),
            ("tcp:80:a=1:a=2", "byte 11: a is given twice, leave one out"),
        ],
        server,
    );
}

#[test]
fn what_looks_like_a_url_is_told_how_it_is_written_here() {
    check_errors(
        &[(
            "tcp://localhost:80",
            "byte 4: \"//localhost\": host must be a host name or an IP address such as 127.0.0.1 or [::1], \
             did you mean \"tcp:localhost:80\"?",
        )],
        server,
    );
}

#[test]
fn wrong_types() {
    check_errors(
        &[
            (
                "tpc:80",
                r#"byte 0: unknown type "tpc", did you mean "tcp:80"? known: tcp"#,
            ),
            (
                "TCP:80",
                r#"byte 0: unknown type "TCP", did you mean "tcp:80"? known: tcp"#,
            ),
            (
                "8000",
                r#"byte 0: unknown type "8000", did you mean "tcp:8000"? known: tcp"#,
            ),
            (
                "[::1]:80",
                r#"byte 0: unknown type "[::1]", did you mean "tcp:[::1]:80"? known: tcp"#,
            ),
            (
                "8000:backlog=5",
                r#"byte 0: unknown type "8000", did you mean "tcp:8000:backlog=5"? known: tcp"#,
            ),
            ("quic:80", r#"byte 0: unknown type "quic", known: tcp"#),
            ("quic:x", r#"byte 0: unknown type "quic", known: tcp"#),
        ],
        server,
    );
}

#[test]
fn wrong_servers() {
    let form = "write tcp:PORT or tcp:HOST:PORT";
    let options = "known: interface, backlog, reuse_port";
    let port = "port must be a whole number from 0 to 65535";
    let host = "must be a host name or an IP address such as 127.0.0.1 or [::1]";
    let local =
        "must be an IP address of this machine: 127.0.0.1, 0.0.0.0 for all of IPv4, [::] for IPv6";
    check_errors(
        &[
            ("tcp", &format!("byte 3: port is missing, {form}")),
            ("tcp:", &format!("byte 4: \"\": {port}")),
            ("tcp:65536", &format!("byte 4: \"65536\": {port}")),
            ("tcp:-1", &format!("byte 4: \"-1\": {port}")),
            ("tcp:http", &format!("byte 4: \"http\": {port}")),
            ("tcp:a:b:80", &format!("byte 6: \"b\": {port}")),
            (
                "tcp:[::]:80:b",
                &format!("byte 12: \"b\" is too much, {form}"),
            ),
            ("tcp:a:80", &format!("byte 4: \"a\": host {local}")),
            (
                "tcp:80:interface=a",
                &format!("byte 17: \"a\": interface {local}"),
            ),
            ("tcp::80", &format!("byte 4: \"\": host {host}")),
            ("tcp:a b:80", &format!("byte 4: \"a b\": host {host}")),
            (
                "tcp:[localhost]:80",
                &format!("byte 4: \"[localhost]\": host {host}"),
            ),
            (r"tcp:\:\:g:80", &format!(r#"byte 4: "\:\:g": host {host}"#)),
            (
                "tcp:a:80:interface=b",
                "byte 9: interface is given twice, leave one out",
            ),
            (
                "tcp:80:backlog=many",
                "byte 15: \"many\": backlog must be a whole number from 0 to 4294967295",
            ),
            (
                "tcp:80:backlog=2147483648",
                "byte 15: \"2147483648\": backlog must be a whole number from 0 to 2147483647",
            ),
            (
                "tcp:80:reuse_port=maybe",
                "byte 18: \"maybe\": reuse_port must be yes or no",
            ),
            (
                "tcp:80:reuseport=yes",
                &format!(
                    "byte 7: unknown option \"reuseport\", did you mean \"reuse_port\"? {options}"
                ),
            ),
            (
                "tcp:80:timeout=3",
                &format!("byte 7: unknown option \"timeout\", {options}"),
            ),
            (
                "tcp:80:=3",
                &format!("byte 7: unknown option \"\", {options}"),
            ),
        ],
        server,
    );
}

#[test]
fn wrong_clients() {
    let seconds = "timeout must be seconds such as 30 or 0.5, at most 1000000000";
    check_errors(
        &[
            ("tcp", "byte 3: host is missing, write tcp:HOST:PORT"),
            ("tcp:8000", "byte 8: port is missing, write tcp:HOST:PORT"),
            (
                "tcp:a:0",
                "byte 6: \"0\": port must be a whole number from 1 to 65535",
            ),
            (
                "tcp:a:80:timeout=0",
                "byte 17: \"0\": timeout must be more than 0 seconds",
            ),
            (
                "tcp:a:80:timeout=-1",
                &format!("byte 17: \"-1\": {seconds}"),
            ),
            (
                "tcp:a:80:bind=b",
                "byte 14: \"b\": bind must be an IP address such as 192.0.2.1 or [2001:db8::1]",
            ),
            (
                "tcp:a:80:bindAddress=b",
                "byte 9: unknown option \"bindAddress\", did you mean \"bind\"? known: timeout, bind",
            ),
            ("udp:a:80", "byte 0: unknown type \"udp\", known: tcp"),
        ],
        client,
    );
}

#[test]
fn without_a_form_the_names_asked_for_are_shown() {
    let mut description = Description::parse("serial:tty").unwrap();
    let _: String = description.positional("device").unwrap();
    let error = description.positional::<u32>("rate").unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("rate is missing, write serial:DEVICE:RATE")
    );
}

#[test]
#[should_panic(expected = "mode is there already")]
fn an_option_cannot_be_built_twice() {
    let _ = Description::new("unix")
        .with_option("mode", "1")
        .with_option("mode", "2");
}

/// Texts in which the characters that matter are frequent.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![r"[]\[:=\\a-c ]{0,8}", ".{0,8}"]
}

proptest! {
    #[test]
    fn what_was_built_is_read_back(
        kind in text().prop_filter("a type is not empty", |kind| !kind.is_empty()),
        arguments in prop::collection::vec(text(), 0..4),
        option in prop::option::of((text(), text())),
    ) {
        let mut built = Description::new(&kind);
        for argument in &arguments {
            built = built.with_argument(argument);
        }
        if let Some((name, value)) = &option {
            built = built.with_option(name, value);
        }
        let mut read = Description::parse(&built.to_string()).unwrap();
        prop_assert_eq!(read.to_string(), built.to_string());
        prop_assert_eq!(read.kind(), kind);
        for argument in &arguments {
            let value: String = read.positional("argument").unwrap();
            prop_assert_eq!(&value, argument);
        }
        if let Some((name, value)) = &option {
            let found: Option<String> = read.option(name).unwrap();
            prop_assert_eq!(found.as_ref(), Some(value));
        }
        prop_assert!(read.finish().is_ok());
    }

    #[test]
    fn a_string_is_shown_as_it_came(text in text()) {
        match Description::parse(&text) {
            Ok(description) => prop_assert_eq!(description.to_string(), text),
            Err(error) => prop_assert_eq!(error.text(), text),
        }
    }

    #[test]
    fn servers_and_clients_read_themselves_back(
        host in "[a-z]{1,5}|::[0-9a-f]{0,4}|10\\.0\\.0\\.[0-9]",
        ip: std::net::IpAddr,
        port in 1u16..,
        backlog in 0u32..=i32::MAX as u32,
        reuse_port: bool,
        nanoseconds in 1u64..100_000_000_000,
        bind in prop::option::of(any::<std::net::IpAddr>()),
    ) {
        let mut server = TcpServer::new((ip, port));
        (server.backlog, server.reuse_port) = (backlog, reuse_port);
        prop_assert_eq!(server.to_string().parse::<TcpServer>().unwrap(), server);
        let mut client = TcpClient::new(&host, port);
        (client.timeout, client.bind) = (Duration::from_nanos(nanoseconds), bind);
        prop_assert_eq!(client.to_string().parse::<TcpClient>().unwrap(), client);
    }

    #[test]
    fn an_error_is_one_line_and_points_inside(text in "(tcp|udp)?[]\\[:=\\\\a-c0-9\n\u{1b}é]{0,12}") {
        for error in [text.parse::<TcpServer>().err(), text.parse::<TcpClient>().err()] {
            let Some(error) = error else { continue };
            prop_assert!(text.get(error.place()).is_some());
            prop_assert!(!error.to_string().contains(char::is_control));
        }
    }

    #[test]
    fn quoted_text_is_one_field(text in text()) {
        let mut description = Description::parse(&format!("x:{}:y", quote(&text))).unwrap();
        prop_assert_eq!(description.positional::<String>("").unwrap(), text);
        prop_assert_eq!(description.positional::<String>("").unwrap(), "y");
    }
}
