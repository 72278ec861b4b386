//! A bare server as the bench starts it, spoken to by this test and by the bench's own generator.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::process::{Child, Command, Stdio};

struct Server(Child, u16);

impl Server {
    fn start(peer: &str, mode: &str) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ropewalk-bench"));
        command.args(["serve", peer, mode]);
        Self::spawn(command)
    }

    fn spawn(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let port = line.strip_prefix("port ").unwrap().trim().parse().unwrap();
        Self(child, port)
    }

    fn generate(&self, arguments: &[&str]) -> std::process::Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ropewalk-bench"));
        command.arg("load").args(arguments);
        command.args([
            "--port",
            &self.1.to_string(),
            "--pid",
            &self.0.id().to_string(),
        ]);
        command.output().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

fn sends_back_every_byte(peer: &str) {
    let server = Server::start(peer, "echo");
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, server.1)).unwrap();
    let sent: Vec<u8> = (0..100_000u32).map(|number| (number % 251) as u8).collect();
    for chunk in sent.chunks(7_001) {
        stream.write_all(chunk).unwrap();
    }
    let mut received = vec![0; sent.len()];
    stream.read_exact(&mut received).unwrap();
    assert!(received == sent, "other bytes than sent");
}

#[test]
fn the_bare_server_sends_back_every_byte() {
    sends_back_every_byte("bare");
}

#[test]
fn the_tokio_server_sends_back_every_byte() {
    sends_back_every_byte("tokio");
}

#[test]
fn our_server_sends_back_every_byte() {
    sends_back_every_byte("ropewalk");
}

#[test]
fn a_short_echo_counts_messages_and_cpu() {
    let server = Server::start("bare", "echo");
    let arguments = [
        "echo",
        "--connections",
        "3",
        "--depth",
        "2",
        "--size",
        "100",
    ];
    let output = server.generate(&[&arguments[..], &["--once", "0.1"]].concat());
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    let ops = text
        .split_whitespace()
        .find_map(|word| word.strip_prefix("ops="));
    assert!(ops.unwrap().parse::<f64>().unwrap() >= 6.0, "{text}");
}

#[test]
fn a_generator_refuses_what_is_out_of_bounds() {
    let server = Server::start("bare", "echo");
    let output = server.generate(&["echo", "--connections", "1000000"]);
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("1000000 connections"));
}

/// The generator compares every byte, and fails if one is wrong; here a few hundred of them.
fn serves(peer: &str, mode: &str, load: &[&str]) {
    let server = Server::start(peer, mode);
    let output = server.generate(&[load, &["--once", "0.05"]].concat());
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{peer} {mode}: {errors}");
}

#[test]
fn all_serve_tls() {
    let echo = [
        "echo",
        "--connections",
        "3",
        "--size",
        "20000",
        "--over",
        "tls",
    ];
    for peer in ["bare", "tokio", "ropewalk"] {
        serves(peer, "tls-echo", &echo);
        serves(peer, "tls-handshake", &["connect", "--over", "tls"]);
    }
}

#[test]
fn all_serve_unix_sockets() {
    let echo = [
        "echo",
        "--connections",
        "3",
        "--depth",
        "4",
        "--over",
        "unix",
    ];
    for peer in ["bare", "tokio", "ropewalk"] {
        serves(peer, "unix", &echo);
    }
}

#[test]
fn all_forward() {
    let echo = Server::start("bare", "echo");
    let backend = echo.1.to_string();
    for peer in ["bare", "tokio", "ropewalk"] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ropewalk-bench"));
        command.args(["serve", peer, "forward", "--backend", &backend]);
        let server = Server::spawn(command);
        let load = [
            "echo",
            "--connections",
            "3",
            "--size",
            "300000",
            "--once",
            "0.05",
        ];
        let output = server.generate(&load);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{peer}: {errors}");
    }
}

#[test]
fn a_server_of_two_cores_tells_whose_connections_they_are() {
    let load = ["echo", "--connections", "20", "--told-core"];
    serves("ropewalk", "least-loaded-cores", &load);
}

#[test]
fn all_speak_http() {
    for peer in ["bare", "ropewalk"] {
        serves(
            peer,
            "http",
            &["http", "--connections", "3", "--depth", "4"],
        );
    }
    let load = ["http", "--browser", "--path", "/shelf/57/item"];
    serves("ropewalk", "http-routes", &load);
}

#[test]
fn websockets_are_compared_compressed_and_broadcast() {
    let cases: [(&str, &[&str]); 3] = [
        (
            "ws-deflate",
            &["ws", "--size", "1024", "--deflate", "alone"],
        ),
        (
            "ws-deflate-takeover",
            &["ws", "--size", "1024", "--deflate", "takeover"],
        ),
        ("ws-broadcast", &["ws-broadcast"]),
    ];
    for (mode, load) in cases {
        let server = Server::start("ropewalk", mode);
        let rest = ["--connections", "3", "--once", "0.05"];
        let output = server.generate(&[load, &rest].concat());
        assert!(output.status.success(), "{mode}: {output:?}");
        assert!(String::from_utf8_lossy(&output.stdout).contains("ops="));
    }
}

/// Two slices: the first warms up, and the second is told of.
#[test]
fn a_broadcast_allocates_for_no_receiver() {
    let counter = std::env::temp_dir().join(format!("ropewalk-smoke-{}", std::process::id()));
    std::fs::write(&counter, [0; 8]).unwrap();
    let counter_path = counter.to_str().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_ropewalk-bench"));
    command.args([
        "serve",
        "ropewalk",
        "ws-broadcast",
        "--counter",
        counter_path,
    ]);
    let server = Server::spawn(command);
    let mut generator = Command::new(env!("CARGO_BIN_EXE_ropewalk-bench"))
        .args([
            "load",
            "ws-broadcast",
            "--connections",
            "200",
            "--size",
            "100",
        ])
        .args(["--counter", counter_path, "--port", &server.1.to_string()])
        .args(["--pid", &server.0.id().to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    generator
        .stdin
        .take()
        .unwrap()
        .write_all(b"0.05\n0.05\n")
        .unwrap();
    let output = generator.wait_with_output().unwrap();
    std::fs::remove_file(&counter).unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    let number = |name: &str| -> f64 {
        let last = told.lines().nth(1).unwrap();
        let value = last.split(' ').find_map(|pair| pair.strip_prefix(name));
        value
            .unwrap_or_else(|| panic!("no {name} in {told}"))
            .parse()
            .unwrap()
    };
    let (allocations, deliveries) = (number("allocations="), number("ops="));
    assert!(allocations > 0.0, "nothing was counted: {told}");
    assert!(allocations < deliveries / 10.0, "{told}");
}
