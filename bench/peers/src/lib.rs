//! What all of these servers answer.

use std::net::TcpListener;

/// At `/`.
pub const HELLO: &str = "Hello, World!";

/// At `/shelf/0/item` to `/shelf/99/item`: 1 KiB of JSON.
#[derive(serde::Serialize)]
pub struct Item {
    id: u32,
    name: &'static str,
    text: &'static str,
}

impl Item {
    /// The one of this number.
    pub fn of(id: u32) -> Self {
        let text = include_str!("../../src/server/item.txt");
        Self { id, name: "item", text }
    }
}

/// How many there are.
pub const ITEMS: u32 = 100;

/// A port with the backlog that all get, told to the bench.
pub fn listen() -> TcpListener {
    use socket2::{Domain, Socket, Type};
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("there are sockets");
    let address: std::net::SocketAddr = "127.0.0.1:0".parse().expect("an address");
    socket.bind(&address.into()).expect("a port is free");
    socket.listen(4096).expect("it is bound");
    socket.set_nonblocking(true).expect("a socket may be non-blocking");
    let listener = TcpListener::from(socket);
    println!("port {}", listener.local_addr().expect("it is bound").port());
    listener
}
