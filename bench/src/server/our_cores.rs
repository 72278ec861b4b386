//! Ropewalk on several cores. Each message costs the server as much work as an ordinary request does, so that it is the server
//! that is measured and not the generator, which shares the cores with it.

use std::hint::black_box;
use std::sync::atomic::{AtomicU16, Ordering};

use ropewalk::cores::{Core, Cores, Sharing};
use ropewalk::{Protocol, Transport};

use super::{Mode, announce};
use crate::Outcome;

/// Rounds of arithmetic for each message: some 50 µs.
const ROUNDS: u64 = 50_000;

/// Serves until killed.
pub(crate) fn serve(mode: Mode) -> Outcome<()> {
    let (count, sharing) = match mode {
        Mode::OneCore => (1, Sharing::Kernel),
        Mode::LeastLoadedCores => (2, Sharing::LeastLoaded),
        Mode::HybridCores => (2, Sharing::Hybrid),
        _ => (2, Sharing::Kernel),
    };
    ropewalk::register_endpoints();
    // Nobody may connect before all cores listen; and only one may know where.
    let shared = AtomicU16::new(0);
    let served = Cores::new(count).run(move |reactor, core: &Core<()>| {
        let index = core.index();
        let endpoint = "tcp:127.0.0.1:0:backlog=4096";
        let port = core.listen(reactor, endpoint, sharing, move || Worker(index as u8))?;
        if let Some(port) = port {
            shared.store(port.host().port().unwrap_or_default(), Ordering::Relaxed);
        }
        if index + 1 == core.count() {
            announce(shared.load(Ordering::Relaxed))?;
        }
        Ok(())
    });
    served.map_err(|failure| failure.to_string().into())
}

/// Tells its core, then works on each message and sends it back.
struct Worker(u8);

impl Protocol for Worker {
    fn connection_made(&mut self, transport: &Transport) {
        transport.write([self.0]);
    }

    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        work(data);
        transport.write(data);
    }
}

fn work(data: &[u8]) {
    let mut sum = u64::from(data.first().copied().unwrap_or(1)) | 1;
    for round in 0..ROUNDS {
        sum = (sum.rotate_left(5) ^ round).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }
    black_box(sum);
}
