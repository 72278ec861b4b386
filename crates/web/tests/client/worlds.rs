//! Agents and sites in networks full of faults, by seed.

use std::time::Duration;

use ropewalk_core::Failure;
use ropewalk_core::timer::sleep;
use ropewalk_sim::Faults;
use ropewalk_testing::{TestCase, World};
use ropewalk_web::{Agent, AgentLimits, Body, Request, Router, Site};

/// A site that says back what it is told, after a while.
fn site() -> Site {
    let echo = |request: Request| async move {
        let body = request.bytes().await?;
        let wait: u64 = request.param("wait")?;
        sleep(request.reactor(), Duration::from_millis(wait)).await?;
        let path = format!("{} ", request.path());
        Ok::<_, Failure>([path.into_bytes(), body.to_vec()].concat())
    };
    let large = |request: Request| async move {
        let length: usize = request.param("length")?;
        Ok::<_, Failure>(Body::from(vec![b'x'; length]))
    };
    Site::new(
        Router::new()
            .get("/echo/{wait}/{name}", echo)
            .post("/echo/{wait}/{name}", echo)
            .get("/large/{length}", large),
    )
}

fn world(seed: u64, faults: Faults) -> (World, Agent) {
    let mut world = World::new(seed);
    world.set_faults(faults);
    world
        .reactor("server")
        .listen("tcp:10.0.0.1:80", site())
        .unwrap();
    let handle = world.reactor("client").handle();
    let mut limits = AgentLimits::default();
    (limits.connections_per_host, limits.idle_per_host) = (3, 3);
    limits.first_byte = Duration::from_secs(20);
    limits.body_idle = Duration::from_secs(20);
    let agent = Agent::new(&handle).with_limits(limits);
    (world, agent)
}

/// Asks for many things at once; gives what came of each.
fn visit(world: &mut World, agent: &Agent) -> Vec<Result<bool, Failure>> {
    let handle = agent.reactor().clone();
    let asked: Vec<_> = (0..40)
        .map(|number| {
            let agent = agent.clone();
            handle.spawn(async move {
                let wait = number % 7 * 30;
                let path = format!("/echo/{wait}/n{number}");
                let url = format!("http://10.0.0.1{path}");
                let large = format!("http://10.0.0.1/large/{}", number * 9000);
                Ok::<_, Failure>(match number % 4 {
                    0 => agent.get(url).await?.text().await? == format!("{path} "),
                    1 => agent.post(url).body("tea").await?.text().await? == format!("{path} tea"),
                    2 => agent.get(large).await?.bytes().await?.len() == number * 9000,
                    _ => {
                        drop(agent.get(large).await?);
                        true
                    }
                })
            })
        })
        .collect();
    asked
        .into_iter()
        .map(|answer| world.wait_for(answer))
        .collect()
}

#[test]
fn all_answers_come_whole_and_to_whom_they_belong() {
    for seed in TestCase::new("gentle").seeds(20).seeds_to_run() {
        let (mut world, agent) = world(seed, Faults::gentle());
        for (number, answer) in visit(&mut world, &agent).into_iter().enumerate() {
            assert!(answer.unwrap(), "seed {seed}, request {number}");
        }
        assert!(agent.connections() <= 3, "seed {seed}");
    }
}

#[test]
fn under_cuts_resets_and_half_open_connections_every_request_ends() {
    let (mut whole, mut failed) = (0, 0);
    let seeds = TestCase::new("cuts").seeds(40).seeds_to_run();
    let are_many = seeds.clone().count() >= 40;
    for seed in seeds {
        let mut faults = Faults::gentle();
        (faults.reset, faults.vanish, faults.half_open) = (0.05, 0.02, 0.02);
        (faults.refuse, faults.unanswered) = (0.05, 0.02);
        let (mut world, agent) = world(seed, faults);
        for (number, answer) in visit(&mut world, &agent).into_iter().enumerate() {
            match answer {
                Ok(is_right) => {
                    assert!(is_right, "seed {seed}, request {number}: another's answer");
                    whole += 1;
                }
                Err(_) => failed += 1,
            }
        }
        drop(agent.clone());
        world.run_for(Duration::from_secs(300));
        assert_eq!(agent.connections(), 0, "seed {seed}: nothing is left");
    }
    assert!(
        !are_many || whole > 100 && failed > 5,
        "{whole} whole, {failed} failed"
    );
}

/// USERS P18: the server closes an idle connection at the very moment at which it is used again.
#[test]
fn a_stale_connection_is_never_an_error_for_what_may_be_repeated() {
    for offset in TestCase::new("stale").seeds(400).seeds_to_run() {
        let mut world = World::new(offset);
        world
            .reactor("server")
            .listen(
                "tcp:10.0.0.1:80",
                site().with_limits({
                    let mut limits = ropewalk_web::SiteLimits::default();
                    limits.keep_alive = Duration::from_secs(5);
                    limits
                }),
            )
            .unwrap();
        let handle = world.reactor("client").handle();
        let agent = Agent::new(&handle);
        let visit = {
            let (agent, handle) = (agent.clone(), handle.clone());
            async move {
                let url = "http://10.0.0.1/echo/0/x";
                agent.get(url).await?.text().await?;
                sleep(&handle, Duration::from_micros(4_998_000 + offset * 10)).await?;
                Ok::<_, Failure>(agent.get(url).await?.text().await?)
            }
        };
        let visit = handle.spawn(visit);
        let text = world
            .wait_for(visit)
            .unwrap_or_else(|error| panic!("offset {offset}: {error}"));
        assert_eq!(text, "/echo/0/x ");
    }
}

#[test]
fn ten_thousand_requests_wait_for_a_slow_server() {
    struct Slow;
    impl ropewalk_core::Protocol for Slow {
        fn data_received(&mut self, transport: &ropewalk_core::Transport, _: &[u8]) {
            let later = transport.clone();
            let soon = Duration::from_secs(1);
            transport.reactor().call_later(soon, move |_| {
                later.write("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx");
            });
        }
    }
    let mut world = World::new(1);
    world
        .reactor("server")
        .listen("tcp:10.0.0.1:80", || Slow)
        .unwrap();
    let handle = world.reactor("client").handle();
    world.limit_descriptors("client", 120);
    let agent = Agent::new(&handle);
    let all: Vec<_> = (0..10_000)
        .map(|_| agent.get("http://10.0.0.1/").send())
        .collect();
    for response in all {
        assert_eq!(world.wait_for(response).unwrap().status(), 200);
    }
    assert!(agent.connections() <= 100);
    assert!(
        handle.now() < Duration::from_secs(130),
        "{:?}",
        handle.now()
    );
}
