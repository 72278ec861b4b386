//! A server that a test plays, and an agent beside it.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use ropewalk_core::{Handle, Protocol, Reactor, Reason, Transport};
use ropewalk_sim::SimDriver;
use ropewalk_web::{Agent, AgentError, AgentProblem};

/// What a server does when a request has come whole: the number of the connection, of the request on it, and its text.
pub(crate) type Answer = dyn Fn(&Transport, usize, usize, &str);

/// What happened at the server, in order.
#[derive(Clone, Default)]
pub(crate) struct Diary(Rc<RefCell<Vec<String>>>);

impl Diary {
    pub(crate) fn note(&self, what: impl Into<String>) {
        self.0.borrow_mut().push(what.into());
    }

    pub(crate) fn take(&self) -> Vec<String> {
        self.0.take()
    }
}

struct Server {
    diary: Diary,
    connection: usize,
    requests: usize,
    heard: Vec<u8>,
    answer: Rc<Answer>,
}

impl Protocol for Server {
    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        self.heard.extend_from_slice(data);
        while let Some(length) = whole_request(&self.heard) {
            let request: Vec<u8> = self.heard.drain(..length).collect();
            let request = String::from_utf8(request).unwrap();
            self.diary
                .note(format!("{}: {}", self.connection, line_of(&request)));
            (self.answer)(transport, self.connection, self.requests, &request);
            self.requests += 1;
        }
    }

    fn connection_lost(&mut self, _: &Transport, _: &Reason) {
        self.diary.note(format!("{}: lost", self.connection));
    }
}

pub(crate) fn line_of(request: &str) -> &str {
    request.split("\r\n").next().unwrap()
}

/// The value of a field of a request.
pub(crate) fn field<'a>(request: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = request.split("\r\n").skip(1);
    lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

/// How long the first request is, if it is whole.
fn whole_request(heard: &[u8]) -> Option<usize> {
    let text = String::from_utf8_lossy(heard);
    let head = text.find("\r\n\r\n")? + 4;
    if let Some(length) = field(&text, "Content-Length") {
        let length = head + length.parse::<usize>().unwrap();
        return (heard.len() >= length).then_some(length);
    }
    if field(&text, "Transfer-Encoding").is_some() {
        return Some(text.find("\r\n0\r\n\r\n")? + 7);
    }
    Some(head)
}

pub(crate) const HOST: &str = "http://10.0.0.1";

/// A reactor with a server at 10.0.0.1:80.
pub(crate) fn stage(answer: impl Fn(&Transport, usize, usize, &str) + 'static) -> (Reactor, Diary) {
    let driver = SimDriver::alone(1);
    let known = ["10.0.0.1".parse().unwrap()];
    driver.world().name("b.example", known);
    let (mut reactor, diary) = (Reactor::new(driver), Diary::default());
    play(&mut reactor, "tcp:10.0.0.1:80", &diary, answer);
    (reactor, diary)
}

/// One more server.
pub(crate) fn play(
    reactor: &mut Reactor,
    endpoint: &str,
    diary: &Diary,
    answer: impl Fn(&Transport, usize, usize, &str) + 'static,
) {
    reactor.listen(endpoint, server(diary, answer)).unwrap();
}

pub(crate) fn server<A: Fn(&Transport, usize, usize, &str) + 'static>(
    diary: &Diary,
    answer: A,
) -> impl FnMut() -> Box<dyn Protocol> + use<A> {
    let (diary, count, answer) = (diary.clone(), Cell::new(0), Rc::new(answer));
    move || {
        let connection = count.replace(count.get() + 1);
        Box::new(Server {
            diary: diary.clone(),
            connection,
            requests: 0,
            heard: Vec::new(),
            answer: Rc::clone(&answer) as Rc<Answer>,
        })
    }
}

/// A server that answers every request with these bytes.
pub(crate) fn always(bytes: &'static str) -> (Reactor, Diary) {
    stage(move |transport, _, _, _| transport.write(bytes))
}

/// A whole response with this text.
pub(crate) fn page(text: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{text}",
        text.len()
    )
}

/// Runs `visit` to its end.
pub(crate) fn run<T: 'static, F: Future<Output = T> + 'static>(
    reactor: &mut Reactor,
    visit: impl FnOnce(Handle) -> F + 'static,
) -> T {
    let visit = |handle: Handle| {
        let visit = visit(handle);
        async { Ok::<_, ropewalk_core::Failure>(visit.await) }
    };
    reactor.run_main(visit).unwrap().unwrap()
}

/// Asks a server that always answers so; gives the body as text.
pub(crate) fn ask(bytes: &'static str) -> Result<String, AgentError> {
    let (mut reactor, _) = always(bytes);
    run(&mut reactor, async |handle| {
        Agent::new(&handle).get(HOST).await?.text().await
    })
}

pub(crate) async fn pause(handle: &Handle, seconds: u64) {
    let time = Duration::from_secs(seconds);
    ropewalk_core::timer::sleep(handle, time).await.unwrap();
}

pub(crate) fn is_lost(error: &AgentError) -> bool {
    matches!(error.problem(), AgentProblem::Lost { .. })
}
