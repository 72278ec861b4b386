//! A table of endpoint strings of every type, and what they come to (R113).

use ropewalk::endpoint::{
    ClientEndpoint, DatagramEndpoint, EndpointError, Route, ServerEndpoint, Source,
};

fn server(text: &str) -> Result<String, EndpointError> {
    let listening = text.listening()?;
    let Source::Bind(listen) = listening.source() else {
        return Ok("no address".to_owned());
    };
    let shared = if listen.reuse_port { ", shared" } else { "" };
    Ok(format!("{}, {}{shared}", listen.address, listen.backlog))
}

fn client(text: &str) -> Result<String, EndpointError> {
    let destination = text.destination()?;
    let timeout = destination.timeout;
    Ok(match &destination.route {
        Route::Host(host) => format!("{} {} {:?} {timeout:?}", host.name, host.port, host.bind),
        Route::Unix(address) => format!("{address} {timeout:?}"),
        _ => "no address".to_owned(),
    })
}

fn datagrams(text: &str) -> Result<String, EndpointError> {
    let bind = text.bind()?;
    Ok(format!("{}, {}", bind.address, bind.limit_bytes))
}

/// Errors in the table are the byte at fault and the beginning of what is said.
fn check(table: &[(&str, &str)], read: fn(&str) -> Result<String, EndpointError>) {
    ropewalk::register_endpoints();
    for (text, right) in table {
        let found = read(text).unwrap_or_else(|error| {
            let line = error.to_string();
            let start = format!("bad endpoint \"{text}\", byte ");
            line.strip_prefix(&start).unwrap_or(&line).to_owned()
        });
        match right.strip_suffix('…') {
            Some(beginning) => assert!(found.starts_with(beginning), "{text:?}: {found}"),
            None => assert_eq!(found, *right, "{text:?}"),
        }
    }
}

#[test]
fn r113_strings_of_servers() {
    check(
        &[
            ("tcp:80", "tcp:0.0.0.0:80, 1024"),
            ("tcp:port=80", "tcp:0.0.0.0:80, 1024"),
            ("tcp:80:interface=127.0.0.1", "tcp:127.0.0.1:80, 1024"),
            (r"tcp:80:interface=\:\:1", "tcp:[::1]:80, 1024"),
            ("tcp:[::]:80:backlog=50", "tcp:[::]:80, 50"),
            (
                "tcp:localhost:80:reuse_port=yes",
                "tcp:127.0.0.1:80, 1024, shared",
            ),
            ("unix:/run/x:backlog=3", "unix:/run/x, 3"),
            (
                r"unix:/run/a\:b=c",
                r#"5: path is missing, did you mean "unix:/run/a\:b\=c"? an = in it is quoted by a backslash"#,
            ),
            (r"unix:/run/a\:b\=c", r"unix:/run/a\:b\=c, 1024"),
            ("unix:path=/run/a=b", r"unix:/run/a\=b, 1024"),
            ("unix:@name", "unix:@name, 1024"),
            ("proxy:from=10.0.0.0/8:tcp:80", "tcp:0.0.0.0:80, 1024"),
            (
                "proxy:from=[fd00::]/8,unix:unix:/run/x",
                "unix:/run/x, 1024",
            ),
            (
                r"proxy:from=fd00\:\:/8:tcp:80:backlog=9",
                "tcp:0.0.0.0:80, 9",
            ),
            ("proxy:from=unix:proxy:from=unix:unix:@x", "unix:@x, 1024"),
            (
                "proxy:tcp:80",
                "12: from is missing, write proxy:from=PROXIES:ENDPOINT",
            ),
            (
                "proxy:from=unix",
                "15: endpoint is missing, write proxy:from=PROXIES:ENDPOINT",
            ),
            (
                "proxy:from=unix:host:a:80",
                "16: \"host\" is to connect to, not to listen at, known: …",
            ),
            (
                "proxy:from=10.0.0.1/8:tcp:80",
                "11: \"10.0.0.1/8\": from must be…",
            ),
            (
                "proxy:from=unix:8000",
                "16: unknown type \"8000\", did you mean \"proxy:from=unix:tcp:8000\"?…",
            ),
            (
                "haproxy:from=unix:tcp:80",
                "0: unknown type \"haproxy\", did you mean \"proxy:from=unix:tcp:80\"?…",
            ),
            (
                "tcp6:80",
                "0: unknown type \"tcp6\", did you mean \"tcp:80\"?…",
            ),
            (
                "udp:53",
                "0: \"udp\" is to exchange datagrams at, not to listen at, known: …",
            ),
            ("nonsense:x", "0: unknown type \"nonsense\", known: …"),
            ("", "0: an endpoint begins with its type…"),
        ],
        server,
    );
}

#[test]
fn r113_strings_of_clients() {
    check(
        &[
            ("tcp:example.org:80", "example.org 80 None 30s"),
            (
                "host:example.org:80:timeout=2.5",
                "example.org 80 None 2.5s",
            ),
            ("tcp:host=example.org:port=80", "example.org 80 None 30s"),
            ("tcp:[::1]:80:bind=[::1]", "::1 80 Some(::1) 30s"),
            (r"tcp:\:\:1:80", "::1 80 None 30s"),
            ("unix:/run/x:timeout=1", "/run/x 1s"),
            ("unix:@name", "@name 30s"),
            ("tcp:80", "6: port is missing, write tcp:HOST:PORT"),
            ("host:80", "7: port is missing, write host:NAME:PORT"),
            (
                "tcp:a:0",
                "6: \"0\": port must be a whole number from 1 to 65535",
            ),
            (
                "unix:/run/x:timeout=0",
                "20: \"0\": timeout must be more than 0 seconds",
            ),
            (
                "proxy:from=unix:tcp:80",
                "0: \"proxy\" is to listen at, not to connect to, known: …",
            ),
            (
                "tcp:a:80:timout=3",
                "9: unknown option \"timout\", did you mean \"timeout\"? known: timeout, bind",
            ),
            (
                "tcp:a:80:timeout=3:timeout=4",
                "19: timeout is given twice, leave one out",
            ),
        ],
        client,
    );
}

#[test]
fn r113_strings_of_datagram_ports() {
    check(
        &[
            ("udp:53", "udp:0.0.0.0:53, 8192"),
            ("udp:[::1]:53:limit=512", "udp:[::1]:53, 512"),
            ("unix-datagram:@log", "unix:@log, 8192"),
            (
                "tcp:53",
                "0: \"tcp\" is to listen at and to connect to, not to exchange datagrams at, known: …",
            ),
            (
                "upd:53",
                "0: unknown type \"upd\", did you mean \"udp:53\"?…",
            ),
        ],
        datagrams,
    );
}
