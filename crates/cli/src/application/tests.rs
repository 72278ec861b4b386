//! What is right in a file, and what is said of what is not.

use std::time::Duration;

use ropewalk::service::Grace;

use super::*;
use crate::log::{LogFormat, Rotation};
use crate::plugin::Serving;
use crate::scratch::Scratch;
use crate::{chat, servers, websocket};

fn plugins() -> Vec<Box<dyn Plugin>> {
    vec![
        Box::new(Serving::new(chat::start)),
        Box::new(Serving::new(servers::Echo::start)),
        Box::new(Serving::new(servers::forward)),
        Box::new(websocket::Tools),
    ]
}

fn planned(text: &str) -> Result<(ApplicationFile, Plan), String> {
    let scratch = Scratch::new();
    let path = scratch.path("app.toml");
    std::fs::write(&path, text).unwrap();
    let prefix = format!("{}:", path.display());
    let short = |failure: Failure| failure.to_string().replace(&prefix, "");
    let file = ApplicationFile::read(&path).map_err(short)?;
    let reactor = ropewalk::reactor().unwrap();
    let plan = file.plan("app".to_owned(), &plugins(), &reactor.handle());
    plan.map(|plan| (file, plan)).map_err(short)
}

fn complaints(text: &str) -> Vec<String> {
    match planned(text) {
        Ok(_) => panic!("nothing is wrong with {text}"),
        Err(complaints) => complaints.lines().map(str::to_owned).collect(),
    }
}

const WHOLE: &str = r#"
[[service]]
type = "chat"
name = "lobby"
endpoint = "tcp:127.0.0.1:0"
lines = ["tcp:[::1]:0"]
[service.limits]
connections = 1_000
connections_per_peer = 10
high_water_bytes = 0x10000
outgoing_bytes = 1000000
write_stall = false
handshake = 2.5
idle = 300

[[service]]
type = "forward"
endpoints = ["tcp:127.0.0.1:0", "tcp:127.0.0.1:0:backlog=7"]
to = "tcp:intranet:80"

[log]
file = "app.log"
format = "json"
level = "info,ropewalk_core=debug"
rotate = "size=10M"
keep = 3
syslog = "/dev/log"

[daemon]
daemon = true
pidfile = "app.pid"
rundir = "/"
umask = "027"
user = "root"
group = "root"
chroot = "/"

[shutdown]
soft = 2
hard = 3.5
"#;

#[test]
fn every_key_is_understood() {
    let (file, plan) = planned(WHOLE).unwrap();
    assert_eq!(plan.application.services().names(), ["lobby", "forward"]);
    let (log, daemon) = (file.log(), file.daemon());
    assert_eq!(log.log_file, Some("app.log".into()));
    assert_eq!(log.log_format, Some(LogFormat::Json));
    assert_eq!(log.log_rotate, Some(Rotation::Size(10 << 20)));
    assert_eq!(
        (log.log_keep, log.syslog),
        (Some(3), Some("/dev/log".into()))
    );
    assert_eq!(
        log.log_level.unwrap().to_string(),
        "info,ropewalk_core=debug"
    );
    assert!(daemon.daemon && daemon.umask == Some(crate::Umask(0o27)));
    assert_eq!(
        (daemon.user.as_deref(), daemon.chroot),
        (Some("root"), Some("/".into()))
    );
    let grace = Grace::new(Duration::from_secs(2)).with_hard(Duration::from_millis(3500));
    assert_eq!(file.sections.grace, grace);
}

#[test]
fn a_key_that_nobody_knows_is_quoted_with_its_place_and_the_nearest() {
    let told = complaints(
        "[log]\nfile = 'x'\nlevle = 'info'\n[[service]]\ntype = 'echo'\nendpont = 'tcp:1'\n",
    );
    assert_eq!(told.len(), 2, "{told:#?}");
    assert!(told[0].starts_with(
        "3:1: unknown key \"levle\" in \"log\", did you mean \"level\"?; known: file, "
    ));
    assert!(told[1].starts_with(
        "6:1: unknown key \"endpont\" in a service of type \"echo\", did you mean \"endpoint\"?"
    ));
    let told = complaints("[[sevrice]]\ntype = 'echo'\n");
    assert!(told.iter().any(|line| line.starts_with("1:3: unknown key \"sevrice\", did you mean \"service\"?")), "{told:#?}");
}

#[test]
fn everything_that_is_wrong_is_told_at_once_in_the_order_of_the_file() {
    let told = complaints(
        r#"
[log]
format = "xml"
level = "loud"
keep = -1
[daemon]
daemon = "yes"
umask = "9"
[shutdown]
soft = 5
hard = 1
[[service]]
type = "ecoh"
[[service]]
type = "echo"
endpoint = "tpc:127.0.0.1:1"
[[service]]
name = "nameless"
[[service]]
type = "forward"
endpoint = "tcp:127.0.0.1:1"
too = "tcp:127.0.0.1:2"
[[service]]
type = "forward"
name = "lonely"
endpoint = "tcp:127.0.0.1:1"
[service.limits]
connections = 0
"#,
    );
    let places: Vec<&str> = told
        .iter()
        .map(|line| line.split(": ").next().unwrap())
        .collect();
    let expected = [
        "3:10", "4:9", "5:8", "7:10", "8:9", "11:8", "13:8", "16:12", "17:1", "22:1", "24:8",
        "28:15",
    ];
    let missing: Vec<_> = expected
        .iter()
        .filter(|place| !places.contains(place))
        .collect();
    assert!(missing.is_empty(), "nothing at {missing:?}: {told:#?}");
    assert!(
        told.iter()
            .any(|line| line.contains("did you mean \"echo\""))
    );
    assert!(told.iter().any(|line| line.contains("\"tpc:127.0.0.1:1\"")));
    assert!(told.is_sorted_by_key(|line| line.split(':').next().unwrap().parse::<u32>().unwrap()));
}

#[test]
fn a_name_is_given_once() {
    let told = complaints("[[service]]\ntype = 'echo'\n[[service]]\ntype = 'echo'\n");
    assert!(
        told[0].starts_with("4:8: the name \"echo\" is taken"),
        "{told:#?}"
    );
}

#[test]
fn what_is_no_toml_has_a_place_too() {
    let told = complaints("[[service]]\ntype = echo\n");
    assert!(told[0].starts_with("2:8: "), "{told:#?}");
    assert_eq!(complaints("").len(), 1, "nothing to run");
}

#[test]
fn a_value_that_cannot_be_is_shown_as_it_was_given() {
    for (value, shown) in [
        ("0", "0"),
        ("-7", "-7"),
        ("1.5", "1.5"),
        ("true", "true"),
        ("\"many\"", "\"many\""),
        ("1999-01-01", "1999-01-01"),
        ("[1]", "an array"),
    ] {
        let text =
            format!("[[service]]\ntype = \"echo\"\n[service.limits]\nconnections = {value}\n");
        let wanted = "4:15: \"connections\" must be a whole number from 1 on";
        assert_eq!(complaints(&text), [format!("{wanted}, not {shown}")]);
    }
}

#[test]
fn what_is_wrong_in_many_places_is_told_at_each() {
    let service = "[[service]]\ntype = \"ého\" # é\n";
    let all = complaints(&service.repeat(100));
    for (number, line) in all.iter().enumerate() {
        assert!(
            line.starts_with(&format!("{}:8: ", 2 * number + 2)),
            "{line}"
        );
    }
    assert_eq!(all.len(), 100);
}

#[test]
fn times_of_the_watchdog_are_seconds_or_false() {
    let text = "[watchdog]\nslow = false\nabort = 0.5\n[[service]]\ntype = \"echo\"\n";
    let (file, _) = planned(text).unwrap();
    let watchdog = file.watchdog().watchdog(None);
    assert_eq!(
        (watchdog.slow, watchdog.abort),
        (None, Some(Duration::from_millis(500)))
    );
    let wrong = &complaints("[watchdog]\nslow = 0\n")[0];
    assert!(
        wrong.ends_with("from above 0, or false for never, not 0"),
        "{wrong}"
    );
}

/// A subcommand of a subcommand is a type in two words, if it serves.
#[test]
fn a_type_may_have_two_words() {
    let service = |kind: &str, more: &str| {
        format!("[[service]]\ntype = \"{kind}\"\nendpoint = \"tcp:127.0.0.1:0\"\n{more}")
    };
    let right = service(
        "websocket echo",
        "compress = true\nsubprotocol = [\"a\", \"b\"]\n",
    );
    assert!(planned(&right).is_ok());
    for kind in [
        "websocket",
        "websocket connect",
        "websocket help",
        "websocket tea",
        "echo tea",
        "websocket echo echo",
    ] {
        let told = complaints(&service(kind, ""));
        let known = "websocket echo, websocket chat";
        assert!(told[0].starts_with("2:8: there is no type"), "{told:?}");
        assert!(told[0].ends_with(known), "{told:?}");
    }
    let told = complaints(&service("websocket echo", "compres = true\n"));
    assert!(told[0].contains("did you mean \"compress\""), "{told:?}");
    let told = complaints(&service("websocket chat", "window_bits = 99\n"));
    assert!(
        told[0].starts_with("4:15: service \"websocket chat\""),
        "{told:?}"
    );
}
