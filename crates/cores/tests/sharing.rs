//! Connections of one address, shared out among cores on threads of their own.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Mutex;
use std::sync::mpsc::channel;
use std::thread;

use ropewalk_core::{Factory, Protocol, Reactor, Remote, Transport};
use ropewalk_cores::{Core, Cores, Hub, Sharing};
use ropewalk_mio::MioDriver;

const CORES: usize = 4;
const CLIENTS: usize = 200;

/// Says which core it is on, then echoes.
struct Who(u8);

impl Protocol for Who {
    fn connection_made(&mut self, transport: &Transport) {
        transport.write([self.0]);
    }
    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        transport.write(data);
    }
}

fn who(core: &Core<()>) -> impl Factory {
    let index = u8::try_from(core.index()).unwrap();
    move || Who(index)
}

/// Connects one after another and keeps all; gives how many each core serves, as it says and as the cores count.
fn shared_out(sharing: Sharing) -> [usize; CORES] {
    let (tell, told) = channel::<(SocketAddr, Remote)>();
    let tell = Mutex::new(Some(tell));
    let server = thread::spawn(move || {
        Cores::new(CORES).run(move |reactor, core: &Core<()>| {
            let port = core.listen(reactor, "tcp:127.0.0.1:0", sharing, who(core))?;
            let accepts = core.index() == 0 || sharing != Sharing::LeastLoaded;
            assert_eq!(port.is_some(), accepts);
            if let (0, Some(port)) = (core.index(), port) {
                let (address, remote) = (port.host().socket().unwrap(), reactor.remote());
                let tell = tell.lock().unwrap().take().unwrap();
                reactor.call_when_running(move |_| tell.send((address, remote)).unwrap());
            }
            Ok(())
        })
    });
    let (address, remote) = told.recv().unwrap();
    let mut counts = [0; CORES];
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        let mut client = TcpStream::connect(address).unwrap();
        let mut core = [0];
        client.read_exact(&mut core).unwrap();
        counts[usize::from(core[0])] += 1;
        client.write_all(b"hello").unwrap();
        let mut echoed = [0; 5];
        client.read_exact(&mut echoed).unwrap();
        assert_eq!(&echoed, b"hello");
        clients.push(client);
    }
    remote.call(|reactor| reactor.stop().unwrap()).unwrap();
    server.join().unwrap().unwrap();
    for mut client in clients {
        assert_eq!(client.read(&mut [0]).unwrap(), 0, "all are drained");
    }
    counts
}

#[test]
fn the_least_loaded_core_serves_the_next_connection() {
    assert_eq!(shared_out(Sharing::LeastLoaded), [CLIENTS / CORES; CORES]);
}

#[test]
fn hybrid_sharing_is_even_too() {
    let counts = shared_out(Sharing::Hybrid);
    let (least, most) = (counts.iter().min(), counts.iter().max());
    assert!(most.unwrap() * 4 <= least.unwrap() * 5, "{counts:?}");
}

#[test]
fn the_kernel_shares_out_to_every_core() {
    let counts = shared_out(Sharing::Kernel);
    assert_eq!(counts.iter().sum::<usize>(), CLIENTS);
    assert!(counts.iter().all(|&count| count > 0), "{counts:?}");
}

#[test]
fn what_is_no_address_cannot_be_shared() {
    let mut reactor = Reactor::new(MioDriver::new().unwrap());
    let core = Hub::<()>::new(2).join(0, &reactor);
    let mut refused = |endpoint: &str, sharing| {
        let listened = core.listen(&mut reactor, endpoint, sharing, who(&core));
        listened.unwrap_err().to_string()
    };
    let error = refused("stdio:", Sharing::LeastLoaded);
    assert!(
        error.contains("stdio:") && error.contains("address"),
        "{error}"
    );
    let error = refused("unix:/nowhere/socket", Sharing::Hybrid);
    assert!(error.contains("LeastLoaded"), "{error}");
}
