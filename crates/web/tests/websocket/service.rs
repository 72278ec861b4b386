//! The service that keeps a WebSocket, on simulated time.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use ropewalk_core::timer::sleep;
use ropewalk_core::{BackOff, Failure, Handle, Reactor};
use ropewalk_sim::SimDriver;
use ropewalk_web::websocket::{
    CloseCode, WebSocket, WebSocketClient, WebSocketProtocol, WebSocketServer, WebSocketService,
};
use ropewalk_web::{Agent, Request, Resource, Response, Router, Site};

use super::journal::{Echo, Journal};

/// What a server does: refuses so often, with this status and patience, then opens.
#[derive(Clone)]
struct Mood {
    refusals: Rc<Cell<u32>>,
    status: u16,
    retry_after: Option<String>,
    /// When it was asked.
    asked: Rc<RefCell<Vec<Duration>>>,
    said: Journal,
}

impl Mood {
    fn new(refusals: u32, status: u16, retry_after: Option<&str>) -> Self {
        Self {
            refusals: Rc::new(Cell::new(refusals)),
            status,
            retry_after: retry_after.map(str::to_owned),
            asked: Rc::default(),
            said: Journal::default(),
        }
    }

    /// The pauses between attempts, in seconds.
    fn pauses(&self) -> Vec<f64> {
        let asked = self.asked.borrow();
        let pauses = asked.windows(2).map(|two| two[1] - two[0]);
        pauses.map(|pause| pause.as_secs_f64()).collect()
    }

    fn site(&self, reactor: &Reactor) -> Site {
        let (mood, handle) = (self.clone(), reactor.handle());
        let journal = self.said.clone();
        let echo = Rc::new(WebSocketServer::new(move |_| Echo(journal.clone())));
        Site::new(Router::new().get("/", move |request: &Request| {
            mood.asked.borrow_mut().push(handle.now());
            if mood.refusals.get() == 0 {
                return echo.render_get(request);
            }
            mood.refusals.set(mood.refusals.get() - 1);
            let status = mood.status.try_into().unwrap();
            let response = Response::text("not now").with_status(status);
            match &mood.retry_after {
                Some(when) => response.with_header("Retry-After", when.as_str()).unwrap(),
                None => response,
            }
            .into()
        }))
    }
}

/// No chance in the delays: 1, 1.5, 2.25 … seconds.
fn steady() -> BackOff {
    BackOff {
        spread: Duration::ZERO,
        ..BackOff::of_client_service()
    }
}

fn visit<F: Future<Output = ()> + 'static>(
    mood: &Mood,
    visit: impl FnOnce(Handle, WebSocketService, Journal) -> F + 'static,
) {
    let mut reactor = Reactor::new(SimDriver::alone(1));
    let site = mood.site(&reactor);
    reactor.listen("tcp:10.0.0.1:80", site).unwrap();
    let visit = move |handle: Handle| {
        let journal = Journal::default();
        let kept = journal.clone();
        let client = WebSocketClient::new("ws://10.0.0.1/").unwrap();
        let service = client.service(&Agent::new(&handle), move || Echo(kept.clone()));
        let visit = visit(handle, service.with_back_off(steady()), journal);
        async {
            visit.await;
            Ok::<_, Failure>(())
        }
    };
    reactor.run_main(visit).unwrap();
}

fn about(pauses: &[f64], expected: &[f64]) {
    let fits = |(pause, expected): (&f64, &f64)| (pause - expected).abs() < 0.1;
    assert!(
        pauses.len() == expected.len() && pauses.iter().zip(expected).all(fits),
        "{pauses:?} is not {expected:?}"
    );
}

#[test]
fn a_refused_handshake_is_a_failure_and_only_an_open_one_starts_anew() {
    let mood = Mood::new(3, 500, None);
    visit(&mood, async |handle, service, journal| {
        service.start_service();
        let socket = service.when_connected(None).await.unwrap();
        assert_eq!(journal.take(), ["opened"]);
        socket.close(CloseCode::NORMAL, "");
        sleep(&handle, Duration::from_secs(5)).await.unwrap();
        service.stop_service().await.unwrap();
    });
    about(&mood.pauses(), &[1.0, 1.5, 2.25, 1.0]);
}

#[test]
fn a_server_that_says_when_is_not_asked_before() {
    for (status, retry_after, pause) in [
        (503, "30", 30.0),
        (429, "7", 7.0),
        (503, "0", 1.0),
        (503, "soon", 1.0),
        (503, "Thu, 01 Jan 1970 00:00:00 GMT", 1.0),
        (404, "30", 1.0),
        (503, "99999999999999", 3600.0),
    ] {
        let mood = Mood::new(1, status, Some(retry_after));
        visit(&mood, async |_, service, _| {
            service.start_service();
            service.when_connected(None).await.unwrap();
            service.stop_service().await.unwrap();
        });
        about(&mood.pauses(), &[pause]);
    }
}

#[test]
fn who_waits_hears_of_the_last_of_so_many_failures() {
    let mood = Mood::new(9, 403, None);
    visit(&mood, async |_, service, _| {
        service.start_service();
        let failure = service.when_connected(Some(2)).await.unwrap_err();
        let said = "the server refused with 403: not now";
        assert_eq!(failure.to_string(), said);
        let waiting = service.when_connected(None);
        service.stop_service().await.unwrap();
        assert!(waiting.await.is_err());
        assert!(!service.is_started());
    });
    assert_eq!(mood.asked.borrow().len(), 2);
}

#[test]
fn stopping_says_goodbye_with_1001_and_waits_for_the_end() {
    let mood = Mood::new(0, 500, None);
    visit(&mood, async |handle, service, journal| {
        service.start_service();
        service.when_connected(None).await.unwrap();
        service.stop_service().await.unwrap();
        assert_eq!(
            journal.take(),
            ["opened", "close Some(1001)", "lost 1001 true"]
        );
        sleep(&handle, Duration::from_secs(100)).await.unwrap();
        service.start_service();
        service.when_connected(None).await.unwrap();
        service.stop_service().await.unwrap();
    });
    assert_eq!(
        mood.said.lines()[..3],
        ["opened", "close Some(1001)", "lost 1001 true"]
    );
    assert_eq!(mood.asked.borrow().len(), 2);
}

#[test]
fn a_service_that_is_dropped_asks_no_more() {
    let mood = Mood::new(9, 500, None);
    visit(&mood, async |handle, service, _| {
        service.start_service();
        sleep(&handle, Duration::from_millis(500)).await.unwrap();
        drop(service);
        sleep(&handle, Duration::from_secs(100)).await.unwrap();
    });
    assert_eq!(mood.asked.borrow().len(), 1);
}

/// Refusals of any status are asked again, less and less often, and never given up.
#[test]
fn who_is_refused_for_good_asks_once_a_minute() {
    for status in [400, 401, 403, 404, 426] {
        let mood = Mood::new(15, status, None);
        visit(&mood, async |_, service, _| {
            service.start_service();
            service.when_connected(None).await.unwrap();
            service.stop_service().await.unwrap();
        });
        let pauses = mood.pauses();
        assert_eq!(pauses.len(), 15);
        assert!(pauses.is_sorted(), "{status}: {pauses:?}");
        about(&pauses[11..], &[60.0; 4]);
    }
}

/// Lets everybody in, and closes after a while.
struct Doorman {
    code: u16,
    patience: Duration,
}

impl WebSocketProtocol for Doorman {
    fn opened(&mut self, socket: &WebSocket) {
        let code = CloseCode::of(self.code).unwrap();
        socket.call_later(self.patience, move |_: &mut Self, socket| {
            socket.close(code, "");
        });
    }
}

/// The pauses between the connections that a service makes to a server that closes so each time.
fn dismissals(code: u16, patience: Duration, for_seconds: u64) -> Vec<f64> {
    let mut reactor = Reactor::new(SimDriver::alone(1));
    let asked = Rc::new(RefCell::new(Vec::new()));
    let (notes, handle) = (Rc::clone(&asked), reactor.handle());
    let server = WebSocketServer::new(move |_| {
        notes.borrow_mut().push(handle.now());
        Doorman { code, patience }
    });
    reactor.listen("tcp:10.0.0.1:80", server).unwrap();
    let visit = async move |handle: Handle| {
        let client = WebSocketClient::new("ws://10.0.0.1/").unwrap();
        let service = client.service(&Agent::new(&handle), || Echo(Journal::default()));
        let service = service.with_back_off(steady());
        service.start_service();
        sleep(&handle, Duration::from_secs(for_seconds)).await?;
        service.stop_service().await
    };
    reactor.run_main(visit).unwrap();
    let asked = asked.borrow();
    let pauses = asked.windows(2).map(|two| two[1] - two[0] - patience);
    pauses.map(|pause| pause.as_secs_f64()).collect()
}

#[test]
fn who_is_let_in_and_sent_away_comes_back_less_and_less_often() {
    let soon = Duration::from_secs(1);
    for code in [1008, 1011, 1003, 3000, 4001] {
        let pauses = dismissals(code, soon, 600);
        about(&pauses[..4], &[1.0, 1.5, 2.25, 3.375]);
        assert!(pauses.len() < 20, "{code}: {pauses:?}");
    }
    for code in [1000, 1001] {
        about(&dismissals(code, soon, 9)[..3], &[1.0; 3]);
    }
    let late = Duration::from_secs(61);
    about(&dismissals(1008, late, 250)[..3], &[1.0; 3]);
}

/// 1012 and 1013 ask for patience, which is spread, so that not all come back at once.
#[test]
fn a_server_that_has_too_much_to_do_is_left_alone() {
    for code in [1012, 1013] {
        for patience in [1, 61] {
            let pauses = dismissals(code, Duration::from_secs(patience), 600);
            let first = &pauses[..pauses.len().min(5)];
            assert!(first.len() >= 5, "{code}: {pauses:?}");
            assert!(
                first.iter().all(|pause| (4.9..30.1).contains(pause)),
                "{code}: {pauses:?}"
            );
            assert!((first[0] - first[1]).abs() > 0.01, "{code}: {pauses:?}");
        }
    }
}
