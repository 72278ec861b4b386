//! Redirects and cookies over them (R170, CL-01).

use std::cell::RefCell;
use std::rc::Rc;

use ropewalk_core::Reactor;
use ropewalk_web::{Agent, AgentError, AgentProblem, ClientResponse, CookieJar, Redirects};

use crate::scene::{Diary, HOST, field, page, play, run, stage};

/// `/STATUS/LOCATION` redirects so; everything else is a page.
fn redirect(request: &str) -> String {
    let target = request.split(' ').nth(1).unwrap();
    if target == "/a/b" {
        return "HTTP/1.1 302 Found\r\nLocation: sibling\r\nContent-Length: 0\r\n\r\n".to_owned();
    }
    match target.get(1..).and_then(|rest| rest.split_once('/')) {
        Some((status, location)) if status.len() == 3 => {
            format!("HTTP/1.1 {status} Moved\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n")
        }
        _ => page(target),
    }
}

fn redirecting() -> (Reactor, Diary) {
    stage(|transport, _, _, request| transport.write(redirect(request)))
}

async fn text(response: Result<ClientResponse, AgentError>) -> String {
    response.unwrap().text().await.unwrap()
}

#[test]
fn r170_get_and_head_are_redirected_and_locations_resolved() {
    let (mut reactor, _) = redirecting();
    run(&mut reactor, async |handle| {
        let agent = Agent::new(&handle);
        for status in [301, 302, 303, 307, 308] {
            let url = format!("{HOST}/{status}//here?x");
            let response = agent.get(url).await.unwrap();
            assert_eq!(response.url().as_str(), "http://10.0.0.1/here?x");
            assert_eq!(response.redirected_from().len(), 1);
            let head = agent.request("HEAD", format!("{HOST}/{status}//here"));
            assert_eq!(head.await.unwrap().status(), 200);
        }
        let relative = agent.get(format!("{HOST}/a/b")).await;
        assert_eq!(relative.unwrap().url().path(), "/a/sibling");
    });
}

#[test]
fn r170_other_methods_are_redirected_by_303_only_or_as_browsers_do() {
    let (mut reactor, diary) = redirecting();
    run(&mut reactor, async |handle| {
        let agent = Agent::new(&handle);
        let browser = agent.clone().with_redirects(Redirects::browser_like());
        for (status, strict, like) in [
            (301, false, true),
            (302, false, true),
            (303, true, true),
            (307, false, false),
            (308, false, false),
        ] {
            let url = format!("{HOST}/{status}//here");
            for (agent, follows) in [(&agent, strict), (&browser, like)] {
                let response = agent.post(&url).body("tea").await.unwrap();
                let expected = if follows { 200 } else { status };
                assert_eq!(response.status(), expected, "{status}");
            }
        }
        let none = agent.clone().with_redirects(Redirects::none());
        assert_eq!(
            none.get(format!("{HOST}/302//x")).await.unwrap().status(),
            302
        );
    });
    let lines = diary.take();
    assert!(
        lines.iter().all(|line| !line.contains("POST /here")),
        "{lines:?}"
    );
    assert!(lines.iter().any(|line| line.contains("GET /here")));
}

#[test]
fn r170_at_most_20() {
    for (loops, follows) in [(20, true), (21, false)] {
        let (mut reactor, diary) = stage(|transport, _, _, request| {
            let target = request.split(' ').nth(1).unwrap();
            let left: u32 = target[1..].parse().unwrap();
            let answer = match left {
                0 => page("done"),
                left => format!(
                    "HTTP/1.1 302 Found\r\nLocation: /{}\r\nContent-Length: 0\r\n\r\n",
                    left - 1
                ),
            };
            transport.write(answer);
        });
        let outcome = run(&mut reactor, move |handle| async move {
            Agent::new(&handle)
                .get(format!("{HOST}/{loops}"))
                .await
                .map(drop)
        });
        assert_eq!(outcome.is_ok(), follows);
        if let Err(error) = outcome {
            assert!(
                matches!(error.problem(), AgentProblem::TooManyRedirects(20)),
                "{error}"
            );
        }
        assert_eq!(
            diary.take()[..21]
                .iter()
                .filter(|line| line.contains("GET"))
                .count(),
            21
        );
    }
}

#[test]
fn r170_a_redirect_to_nowhere_is_an_error() {
    let (mut reactor, _) = redirecting();
    run(&mut reactor, async |handle| {
        let agent = Agent::new(&handle);
        for location in ["ftp://a/", "file:///etc/passwd", "http://[", "javascript:x"] {
            let error = agent
                .get(format!("{HOST}/302/{location}"))
                .await
                .unwrap_err();
            assert!(
                matches!(error.problem(), AgentProblem::Redirect(_)),
                "{location}: {error}"
            );
        }
    });
}

/// The credentials that each server saw, by its name.
fn seen_by(start: &str, with_jar: bool) -> Vec<String> {
    let (mut reactor, diary) = redirecting();
    let seen = Rc::new(RefCell::new(Vec::new()));
    let ours = Rc::clone(&seen);
    play(
        &mut reactor,
        "tcp:10.0.0.1:81",
        &diary,
        move |transport, _, _, request| {
            let credentials = ["Host", "Authorization", "Cookie", "Proxy-Authorization"];
            let found = credentials.iter().filter_map(|name| field(request, name));
            ours.borrow_mut().push(found.collect::<Vec<_>>().join(", "));
            transport.write(redirect(request));
        },
    );
    let start = start.to_owned();
    run(&mut reactor, move |handle| async move {
        let agent = Agent::new(&handle).with_cookies(CookieJar::new());
        let request = agent.get(start).bearer_auth("secret");
        let request = request.header("Proxy-Authorization", "secret");
        let request = match with_jar {
            true => request,
            false => request.header("Cookie", "a=b"),
        };
        drop(request.await.unwrap());
    });
    seen.take()
}

#[test]
fn cl_01_credentials_do_not_go_to_another_scheme_host_or_port() {
    for jar in [false, true] {
        let other_port = seen_by("http://10.0.0.1/302/http://10.0.0.1:81/", jar);
        assert_eq!(other_port, ["10.0.0.1:81"]);
        let other_host = seen_by("http://10.0.0.1:81/302/http://b.example:81/", jar);
        assert_eq!(other_host[1], "b.example:81");
        // Nor do they come back.
        let there_and_back = seen_by(
            "http://10.0.0.1:81/302/http://10.0.0.1/302/http://10.0.0.1:81/",
            jar,
        );
        assert_eq!(there_and_back.last().unwrap(), "10.0.0.1:81");
    }
    let same = seen_by("http://10.0.0.1:81/302//x", false);
    assert_eq!(same[1], "10.0.0.1:81, Bearer secret, a=b, secret");
}

#[test]
fn cookies_are_kept_and_sent_where_they_belong() {
    let (mut reactor, _) = stage(|transport, _, _, request| {
        let cookies = field(request, "Cookie").unwrap_or("none").to_owned();
        let length = cookies.len();
        transport.write(format!(
            "HTTP/1.1 200 OK\r\nSet-Cookie: id=31; Path=/\r\nSet-Cookie: deep=1; Path=/deep\r\nContent-Length: {length}\r\n\r\n{cookies}"
        ));
    });
    run(&mut reactor, async |handle| {
        let jar = CookieJar::new();
        let agent = Agent::new(&handle).with_cookies(jar.clone());
        assert_eq!(text(agent.get(HOST).await).await, "none");
        assert_eq!(text(agent.get(HOST).await).await, "id=31");
        assert_eq!(
            text(agent.get(format!("{HOST}/deep")).await).await,
            "deep=1; id=31"
        );
        assert_eq!(
            text(agent.get(HOST).header("Cookie", "own=1").await).await,
            "own=1"
        );
        assert_eq!(text(Agent::new(&handle).get(HOST).await).await, "none");
        assert_eq!(jar.len(), 2);
    });
}
