//! Real servers, as a distribution has them: each test is skipped, with a line, where there is none.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use ropewalk_core::deferred::DeferredQueue;
use ropewalk_core::{Failure, Handle, Reactor};
use ropewalk_mio::MioDriver;
use ropewalk_web::backplane::backplane;
use ropewalk_web::websocket::{Gap, Message, Topic, Topics};
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(60);

/// With a capital or without, as the version has it.
const REDIS_READY: &str = "eady to accept connections";

/// A server's process; its end is ours.
struct Server {
    process: Child,
}

impl Server {
    fn start(command: &mut Command, ready: &str) -> (Self, String) {
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let is_redis = ready == REDIS_READY;
        let output: Box<dyn std::io::Read + Send> = match is_redis {
            true => Box::new(process.stdout.take().unwrap()),
            false => Box::new(process.stderr.take().unwrap()),
        };
        let mut lines = BufReader::new(output).lines();
        let mut seen = Vec::new();
        let line = loop {
            let Some(Ok(line)) = lines.next() else {
                panic!("the server ended: {}", seen.join("\n"));
            };
            if line.contains(ready) {
                break line;
            }
            seen.push(line);
        };
        // What it says later is read, so that it is never stuck.
        std::thread::spawn(move || lines.for_each(drop));
        (Self { process }, line)
    }

    fn nats(options: &[&str], port: &str) -> (Self, String) {
        let mut command = Command::new("nats-server");
        command.args(["-a", "127.0.0.1", "-p", port]).args(options);
        let (server, line) = Self::start(&mut command, "Listening for client connections on");
        let port = line.rsplit(':').next().unwrap().to_owned();
        (server, port)
    }

    fn redis(folder: &TempDir, options: &[&str]) -> Self {
        let mut command = Command::new("redis-server");
        command.args(["--port", "0", "--unixsocket", "socket", "--save", ""]);
        command.args(options).current_dir(folder.path());
        Self::start(&mut command, REDIS_READY).0
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _it_may_have_ended = self.process.kill();
        let _ended = self.process.wait();
    }
}

fn is_there(program: &str) -> bool {
    let output = Command::new(program).arg("--version").output();
    let is_there = output.is_ok_and(|output| output.status.success());
    if !is_there {
        eprintln!("skipped: {program} is not installed");
    }
    is_there
}

#[derive(Debug, PartialEq)]
enum Told {
    Gap(Gap),
    Message(Message),
}

/// A topic on a machine, and what it is told.
struct Place {
    topics: Topics,
    topic: Topic,
    told: DeferredQueue<Told>,
    reactor: Handle,
}

impl Place {
    fn new(reactor: &Handle, text: &str) -> Self {
        let topics = Topics::new(reactor).with_backplane(backplane(text).unwrap());
        let topic = topics.topic("the hall").unwrap();
        let told = DeferredQueue::new(reactor);
        let (messages, gaps) = (told.clone(), told.clone());
        topic.on_message_from_elsewhere(move |_, message| {
            messages.put(Told::Message(message.clone())).unwrap();
        });
        topic.on_gap(move |_, gap| gaps.put(Told::Gap(gap)).unwrap());
        let reactor = reactor.clone();
        Self {
            topics,
            topic,
            told,
            reactor,
        }
    }

    async fn next(&self) -> Result<Told, Failure> {
        self.told.get().timeout(PATIENCE, &self.reactor).await
    }

    async fn is_told(&self, expected: Told) -> Result<(), Failure> {
        assert_eq!(self.next().await?, expected);
        Ok(())
    }

    async fn hears(&self, message: impl Into<Message>) -> Result<(), Failure> {
        self.is_told(Told::Message(message.into())).await
    }
}

fn run<F: Future<Output = Result<(), Failure>> + 'static>(
    main: impl FnOnce(Handle) -> F + 'static,
) {
    ropewalk_tls::register();
    let mut reactor = Reactor::new(MioDriver::new().unwrap());
    assert!(reactor.run_main(main).unwrap().is_some());
}

/// What any server must do: all comes, once and in order, both ways, and texts stay texts.
async fn both_ways(one: &Place, two: &Place) -> Result<(), Failure> {
    for place in [one, two] {
        place.is_told(Told::Gap(Gap::Back)).await?;
    }
    for number in 0..500 {
        one.topic.send(format!("number {number}"));
    }
    let large: Vec<u8> = (0..500_000).map(|at| (at % 251) as u8).collect();
    one.topic.send(large.clone());
    for number in 0..500 {
        two.hears(format!("number {number}")).await?;
    }
    two.hears(large).await?;
    two.topic.send_keyed(3, "and back");
    one.hears("and back").await
}

async fn is_gone_and_back(places: [&Place; 2]) -> Result<(), Failure> {
    for place in places {
        place.is_told(Told::Gap(Gap::Lost)).await?;
    }
    for place in places {
        place.is_told(Told::Gap(Gap::Back)).await?;
    }
    places[0].topic.send("once more");
    places[1].hears("once more").await
}

#[test]
fn redis_carries_messages_and_comes_back() {
    if !is_there("redis-server") {
        return;
    }
    let folder = TempDir::new().unwrap();
    let socket = folder.path().join("socket");
    let text = format!("redis:prefix=test.:unix:{}", socket.display());
    run(move |reactor| async move {
        let server = Server::redis(&folder, &[]);
        let (one, two) = (Place::new(&reactor, &text), Place::new(&reactor, &text));
        both_ways(&one, &two).await?;
        let mut other = UnixStream::connect(&socket)?;
        other.write_all(b"PUBLISH \"test.the hall\" \"from another program\"\r\n")?;
        for place in [&one, &two] {
            place.hears("from another program").await?;
        }
        drop(server);
        let server = Server::redis(&folder, &[]);
        is_gone_and_back([&one, &two]).await?;
        for place in [one, two] {
            place.topics.stop().await?;
        }
        drop(server);
        Ok(())
    });
}

#[test]
fn redis_lets_in_who_has_the_password() {
    if !is_there("redis-server") {
        return;
    }
    run(|reactor| async move {
        let folder = TempDir::new()?;
        let socket = folder.path().join("socket").display().to_string();
        let user = "--requirepass secret --user ann on >word ~* &* +@all";
        let user: Vec<&str> = user.split(' ').collect();
        let server = Server::redis(&folder, &user);
        let all = Place::new(&reactor, &format!("redis:password=secret:unix:{socket}"));
        let ann = Place::new(
            &reactor,
            &format!("redis:user=ann:password=word:unix:{socket}"),
        );
        let wrong = Place::new(&reactor, &format!("redis:password=guess:unix:{socket}"));
        let nobody = Place::new(&reactor, &format!("redis:unix:{socket}"));
        both_ways(&all, &ann).await?;
        assert!(wrong.told.is_empty() && nobody.told.is_empty());
        drop(server);
        Ok(())
    });
}

#[test]
fn nats_carries_messages_and_comes_back() {
    if !is_there("nats-server") {
        return;
    }
    run(|reactor| async move {
        let (server, port) = Server::nats(&[], "-1");
        let text = format!("nats:prefix=test.:tcp:127.0.0.1:{port}");
        let (one, two) = (Place::new(&reactor, &text), Place::new(&reactor, &text));
        both_ways(&one, &two).await?;
        let mut other = std::net::TcpStream::connect(format!("127.0.0.1:{port}"))?;
        other.write_all(b"CONNECT {}\r\nPUB test.the%20hall 20\r\nfrom another program\r\n")?;
        for place in [&one, &two] {
            place.hears("from another program").await?;
        }
        one.topic.send(vec![0; 2 * 1024 * 1024]);
        one.is_told(Told::Gap(Gap::Unsent(1))).await?;
        drop(server);
        let (server, _) = Server::nats(&[], &port);
        is_gone_and_back([&one, &two]).await?;
        for place in [one, two] {
            place.topics.stop().await?;
        }
        drop(server);
        Ok(())
    });
}

#[test]
fn nats_lets_in_who_has_the_password_or_the_token() {
    if !is_there("nats-server") {
        return;
    }
    run(|reactor| async move {
        let (server, port) = Server::nats(&["--user", "ann", "--pass", "word"], "-1");
        let text = format!("nats:user=ann:password=word:tcp:127.0.0.1:{port}");
        let wrong = format!("nats:user=ann:password=guess:tcp:127.0.0.1:{port}");
        let wrong = Place::new(&reactor, &wrong);
        both_ways(&Place::new(&reactor, &text), &Place::new(&reactor, &text)).await?;
        assert!(wrong.told.is_empty());
        drop(server);
        let (server, port) = Server::nats(&["--auth", "a token"], "-1");
        let text = format!("nats:token=a token:tcp:127.0.0.1:{port}");
        both_ways(&Place::new(&reactor, &text), &Place::new(&reactor, &text)).await?;
        drop(server);
        Ok(())
    });
}

/// A certificate for `localhost`, in files.
fn certificate(folder: &TempDir) -> [String; 2] {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let files = [
        ("cert.pem", made.cert.pem()),
        ("key.pem", made.signing_key.serialize_pem()),
    ];
    files.map(|(name, text)| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    })
}

#[test]
fn nats_is_spoken_to_under_tls_after_its_greeting() {
    if !is_there("nats-server") {
        return;
    }
    run(|reactor| async move {
        let folder = TempDir::new()?;
        let [cert, key] = certificate(&folder);
        let options = ["--tls", "--tlscert", &cert, "--tlskey", &key];
        let (server, port) = Server::nats(&options, "-1");
        let text = format!("nats:tls:127.0.0.1:{port}:name=localhost:roots={cert}");
        let stranger = format!("nats:tls:127.0.0.1:{port}:name=localhost");
        let stranger = Place::new(&reactor, &stranger);
        both_ways(&Place::new(&reactor, &text), &Place::new(&reactor, &text)).await?;
        assert!(stranger.told.is_empty(), "nobody vouches for this server");
        drop(server);
        let (server, port) = Server::nats(&[], "-1");
        let text = format!("nats:tls:127.0.0.1:{port}:name=localhost:roots={cert}");
        let deceived = Place::new(&reactor, &text);
        let plain = format!("nats:tcp:127.0.0.1:{port}");
        both_ways(&Place::new(&reactor, &plain), &Place::new(&reactor, &plain)).await?;
        assert!(deceived.told.is_empty(), "this server offers no TLS");
        drop(server);
        Ok(())
    });
}

/// Redis has no port of its own choice, so another program may be quicker at ours: then the next is tried.
fn redis_under_tls(folder: &TempDir, cert: &str, key: &str) -> Option<(Server, u16)> {
    (0..5).find_map(|_| {
        let port = TcpListener::bind("127.0.0.1:0")
            .ok()?
            .local_addr()
            .ok()?
            .port();
        let number = port.to_string();
        let options = [
            "--bind",
            "127.0.0.1",
            "--tls-port",
            &number,
            "--tls-cert-file",
            cert,
            "--tls-key-file",
            key,
            "--tls-ca-cert-file",
            cert,
            "--tls-auth-clients",
            "no",
        ];
        let started = std::panic::catch_unwind(|| Server::redis(folder, &options));
        Some((started.ok()?, port))
    })
}

#[test]
fn redis_is_spoken_to_under_tls() {
    if !is_there("redis-server") {
        return;
    }
    run(|reactor| async move {
        let folder = TempDir::new()?;
        let [cert, key] = certificate(&folder);
        let Some((server, port)) = redis_under_tls(&folder, &cert, &key) else {
            eprintln!("skipped: this redis-server does not speak TLS");
            return Ok(());
        };
        let text = format!("redis:tls:127.0.0.1:{port}:name=localhost:roots={cert}");
        both_ways(&Place::new(&reactor, &text), &Place::new(&reactor, &text)).await?;
        drop(server);
        Ok(())
    });
}
