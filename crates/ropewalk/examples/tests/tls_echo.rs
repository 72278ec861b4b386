//! The echo in a simulated network, from the endpoint string to the last byte.

use std::cell::RefCell;
use std::rc::Rc;

use clap::Parser;
use ropewalk::Reactor;
use ropewalk::sim::SimDriver;

use super::*;

struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn certificate(name: &str) -> Folder {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let folder = std::env::temp_dir().join(format!("tls_echo-{}-{name}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("cert.pem"), made.cert.pem()).unwrap();
    std::fs::write(folder.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    Folder(folder)
}

fn options(folder: &Folder, key: &str, endpoint: &str) -> Options {
    let (cert, key) = (folder.0.join("cert.pem"), folder.0.join(key));
    let arguments = [
        "tls_echo",
        "--cert",
        cert.to_str().unwrap(),
        "--key",
        key.to_str().unwrap(),
        endpoint,
    ];
    Options::try_parse_from(arguments).unwrap()
}

/// Asks, and keeps the answer.
struct Ask(Rc<RefCell<Vec<u8>>>);

impl Protocol for Ask {
    fn connection_made(&mut self, transport: &Transport) {
        transport.write("hello, ");
        transport.write("echo");
    }
    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        self.0.borrow_mut().extend_from_slice(data);
        transport.lose_connection();
    }
    fn connection_lost(&mut self, transport: &Transport, reason: &Reason) {
        assert!(reason.is_clean(), "{reason}");
        transport.reactor().stop().unwrap();
    }
}

#[test]
fn it_echoes() {
    ropewalk::register_endpoints();
    let folder = certificate("echoes");
    let endpoints = options(&folder, "key.pem", "tls:10.0.0.1:1234")
        .endpoints()
        .unwrap();
    let mut reactor = Reactor::new(SimDriver::alone(1));
    let port = reactor.listen(endpoints[0].as_str(), || Echo).unwrap();
    assert_eq!(port.endpoint(), "tls:10.0.0.1:1234");
    let answer = Rc::default();
    let ours = Rc::clone(&answer);
    let roots = ropewalk::endpoint::quote(folder.0.join("cert.pem").to_str().unwrap());
    let server = format!("tls:10.0.0.1:1234:name=localhost:roots={roots}");
    reactor
        .connect(server.as_str(), move || Ask(Rc::clone(&ours)))
        .unwrap();
    reactor.run().unwrap();
    assert_eq!(*answer.borrow(), b"hello, echo");
}

#[test]
fn a_missing_key_fails_the_start_with_one_line_that_names_it() {
    ropewalk::register_endpoints();
    let folder = certificate("missing");
    let endpoints = options(&folder, "none.pem", "tls:10.0.0.1:1234")
        .endpoints()
        .unwrap();
    let mut reactor = Reactor::new(SimDriver::alone(1));
    let error = reactor
        .listen(endpoints[0].as_str(), || Echo)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("none.pem\": cannot be read") && !error.contains('\n'),
        "{error}"
    );
    let wrong = options(&folder, "key.pem", "tcp:10.0.0.1:1234").endpoints();
    assert!(wrong.unwrap_err().to_string().contains("known: tls"));
}
