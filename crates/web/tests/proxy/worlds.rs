//! Networks full of faults, by seed: an answer through the proxy is whole and to its request, or is seen to be cut.

use std::time::Duration;

use bytes::Bytes;
use futures_core::Stream;
use ropewalk_core::Failure;
use ropewalk_core::timer::sleep;
use ropewalk_sim::Faults;
use ropewalk_testing::{TestCase, World};
use ropewalk_web::{
    Agent, AgentLimits, Body, BodyError, Request, ReverseProxy, Router, Site, SiteLimits,
};

/// Pieces of a stream, each of which the path can be read off.
struct Pieces(String, usize);

impl Stream for Pieces {
    type Item = Result<Bytes, BodyError>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        let left = self.1.checked_sub(1);
        std::task::Poll::Ready(left.map(|left| {
            self.1 = left;
            Ok(self.0.clone().into())
        }))
    }
}

fn behind() -> Site {
    let echo = |request: Request| async move {
        let body = request.bytes().await?;
        sleep(
            request.reactor(),
            Duration::from_millis(body.len() as u64 % 90),
        )
        .await?;
        Ok::<_, Failure>([request.path().as_bytes(), b" ", &body].concat())
    };
    let stream = |request: &Request| {
        let pieces = request.param("pieces").unwrap_or(0);
        Ok::<_, Failure>(Body::stream(Pieces(request.path().to_owned(), pieces)))
    };
    let router = Router::new()
        .post("/echo/{name}", echo)
        .get("/stream/{name}/{pieces}", stream);
    patient(Site::new(router))
}

/// In world 1323 a body of 32 KB took more than a minute from our queue to the server, which counts as the server's time.
const PATIENCE: Duration = Duration::from_secs(600);

/// Lines of 64 bytes that stand still for seconds are slower than a site bears by default: in world 56 a body had 160 bytes a second.
fn patient(site: Site) -> Site {
    let mut limits = SiteLimits::default();
    limits.body_window = PATIENCE;
    site.with_limits(limits)
}

/// What came of each of many requests: whether the answer was right, or why there was none.
fn visit(seed: u64, faults: Faults) -> Vec<Result<bool, String>> {
    let mut world = World::new(seed);
    world.set_faults(faults);
    let server = world.reactor("server");
    server.listen("tcp:10.0.0.1:80", behind()).unwrap();
    let proxy = world.reactor("proxy");
    let passes = ReverseProxy::new(&proxy.handle(), "http://10.0.0.1").unwrap();
    let passes = passes.with_timeout(PATIENCE);
    proxy
        .listen("tcp:10.0.0.2:80", patient(Site::new(passes)))
        .unwrap();
    let handle = world.reactor("client").handle();
    let mut limits = AgentLimits::default();
    limits.first_byte = PATIENCE;
    let agent = Agent::new(&handle).with_limits(limits);
    let asked: Vec<_> = (0..20_usize)
        .map(|number| {
            let agent = agent.clone();
            handle.spawn(async move {
                let body = "x".repeat(number * number * 100);
                let path = match number % 2 {
                    0 => format!("/echo/n{number}"),
                    _ => format!("/stream/n{number}/{}", number * 100),
                };
                let url = format!("http://10.0.0.2{path}");
                let (sending, wanted) = match number % 2 {
                    0 => (agent.post(url).body(body.clone()), format!("{path} {body}")),
                    _ => (agent.get(url), path.repeat(number * 100)),
                };
                let response = sending.await?;
                let status = response.status();
                let text = response.text().await?;
                Ok::<_, Failure>(match status == 200 {
                    true => Ok(text == wanted),
                    false => Err(format!("{status}: {text}")),
                })
            })
        })
        .collect();
    let came = asked.into_iter().map(|answer| {
        let answer = world.wait_for(answer);
        answer.unwrap_or_else(|failure| Err(failure.to_string()))
    });
    came.collect()
}

#[test]
fn all_pass_whole_where_nothing_is_cut() {
    for seed in TestCase::new("gentle").seeds(5).seeds_to_run() {
        let came = visit(seed, Faults::gentle());
        assert!(
            came.iter().all(|right| *right == Ok(true)),
            "seed {seed}: {came:?}"
        );
    }
}

#[test]
fn what_is_cut_is_seen_to_be_cut() {
    let (mut whole, mut failed) = (0, 0);
    let seeds = TestCase::new("cuts").seeds(30).seeds_to_run();
    let are_many = seeds.clone().count() >= 30;
    for seed in seeds {
        let mut faults = Faults::gentle();
        (faults.reset, faults.vanish, faults.refuse) = (0.05, 0.02, 0.05);
        (faults.half_open, faults.unanswered) = (0.02, 0.02);
        for (number, right) in visit(seed, faults).into_iter().enumerate() {
            match right {
                Ok(right) => {
                    assert!(
                        right,
                        "seed {seed}, request {number}: another answer, or not all of it"
                    );
                    whole += 1;
                }
                Err(_) => failed += 1,
            }
        }
    }
    assert!(
        !are_many || whole > 100 && failed > 10,
        "{whole} whole, {failed} failed"
    );
}
