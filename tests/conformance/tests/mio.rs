//! The suite on the readiness driver: real sockets, the loopback of either family.

use std::net::Ipv6Addr;

use ropewalk_mio::MioDriver;
use ropewalk_testing::conformance::Harness;
use ropewalk_testing::{conformance, conformance_processes, conformance_unix};

/// More than the kernel's buffers of a loopback connection grow to.
const BULK_BYTES: usize = 16_000_000;

fn real() -> Harness {
    Harness::new(|_| MioDriver::new().expect("the kernel gives a poll")).bulk_bytes(BULK_BYTES)
}

conformance!(ipv4, real());
conformance!(ipv6, real().loopback(Ipv6Addr::LOCALHOST));
conformance_unix!(unix, real());
conformance_processes!(processes, real().bulk_bytes(1_000_000));
