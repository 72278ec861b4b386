//! The rules of streams over TLS: with a layer between, nothing may change. All of them are here; those of ports, names and
//! attempts are about the sockets below, which no layer sees.

use std::time::Duration;

use ropewalk_core::Factory;
use ropewalk_mio::MioDriver;
use ropewalk_sim::{Faults, Mood, SimDriver};
use ropewalk_testing::conformance::Harness;
use ropewalk_testing::conformance_streams;
use ropewalk_tls::{
    Certificates, ClientOptions, Roots, ServerOptions, TlsClient, TlsFactory, TlsServer,
};

/// Both ends over TLS.
fn over_tls(harness: Harness) -> Harness {
    const NAME: &str = "a.example";
    let made = rcgen::generate_simple_self_signed([NAME.to_owned()]).unwrap();
    let (cert, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    let certificates = Certificates::from_pem(&cert, &key).unwrap();
    // Rules that pause one end before the first byte count what waits at the other: tickets would be among it.
    let options = ServerOptions::new(certificates).without_resumption();
    let server = TlsServer::new(options).unwrap();
    let client = TlsClient::new(ClientOptions::new(Roots::from_pem(&cert).unwrap())).unwrap();
    let serve =
        move |factory| -> Box<dyn Factory> { Box::new(TlsFactory::server(&server, factory)) };
    let visit = move |factory| -> Box<dyn Factory> {
        Box::new(TlsFactory::client(&client, NAME, factory).unwrap())
    };
    harness.over(serve, visit)
}

fn kind(mood: Mood) -> Harness {
    let harness = Harness::new(move |seed| SimDriver::alone(seed).with_mood(mood));
    over_tls(harness.bulk_bytes(1_000_000))
}

fn gentle() -> Harness {
    let make = |seed| {
        let driver = SimDriver::alone(seed);
        driver.world().set_faults(Faults::gentle());
        driver
    };
    let harness = Harness::new(make).rounds(5).bulk_bytes(220_000);
    over_tls(harness.patience(Duration::from_secs(24 * 3600)))
}

fn real() -> Harness {
    let harness = Harness::new(|_| MioDriver::new().expect("the kernel gives a poll"));
    over_tls(harness.bulk_bytes(16_000_000))
}

conformance_streams!(readiness, kind(Mood::Readiness));
conformance_streams!(completion, kind(Mood::Completion));
conformance_streams!(under_faults, gentle());
conformance_streams!(mio, real());
