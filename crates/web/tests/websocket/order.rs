//! Worlds in which one end says all that can be said, in every way: whatever the network does and whatever waits, the other hears
//! messages in the order in which they were sent.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use ropewalk_core::Failure;
use ropewalk_core::timer::sleep;
use ropewalk_sim::{Faults, Random, Rule};
use ropewalk_testing::{TestCase, World, run_test};
use ropewalk_web::websocket::{
    CloseCode, Conversation, Deflate, Kind, SlowPeer, Topic, WebSocket, WebSocketClient,
    WebSocketOptions, WebSocketServer,
};

const MESSAGES: usize = 300;
const KEYS: usize = 3;
const LARGE: usize = 40_000;

const NETWORK: Faults = Faults {
    split: 0.2,
    coalesce: 0.3,
    jitter: Duration::from_millis(3),
    short_send: 0.5,
    stall: 0.3,
    shuffle: 0.5,
    ..Faults::none()
};

/// Says numbers, each in another way.
struct Speaker {
    socket: WebSocket,
    /// Topics without a policy of their own, and with that of the connection.
    topics: [Topic; 2],
    random: Random,
    number: usize,
}

impl Speaker {
    /// A number, and bytes behind it: few, or more than are copied, or more than fit below the mark.
    fn next(&mut self) -> String {
        self.next_of('-')
    }

    /// The same, in a lane in which the newest about a thing takes the place of the one before it.
    fn next_of(&mut self, lane: char) -> String {
        let number = self.number;
        self.number += 1;
        let length = match self.random.index(10) {
            0 => self.random.index(LARGE),
            1..4 => self.random.index(3000),
            _ => self.random.index(100),
        };
        format!("{number} {lane} {}", "x".repeat(length))
    }

    async fn say(&mut self) -> Result<(), Failure> {
        let key = (self.number % KEYS) as u64;
        let socket = self.socket.clone();
        match self.random.index(8) {
            0 => socket.send_text(self.next()),
            1 => socket.send_binary(self.next()),
            2 => socket.send(self.next().into_bytes()),
            3 => socket.send_keyed(key, self.next_of('a')),
            topic @ 4..6 => {
                let text = self.next_of(['a', 'b'][topic - 4]);
                self.topics[topic - 4].send_keyed(key, text);
            }
            6 => self.say_in_fragments().await?,
            _ => {
                let _closed = self.socket.ping("between");
            }
        }
        Ok(())
    }

    /// Others wait until it is finished.
    async fn say_in_fragments(&mut self) -> Result<(), Failure> {
        let kind = [Kind::Text, Kind::Binary][self.random.index(2)];
        let Ok(mut message) = self.socket.begin(kind) else {
            return Ok(()); // others wait
        };
        let text = self.next();
        let mut rest = text.as_bytes();
        while !rest.is_empty() {
            let fragment;
            (fragment, rest) = rest.split_at(1 + self.random.index(rest.len()));
            match self.random.index(4) {
                0 => message.send_slowly(fragment).await,
                1 => {
                    message.send(fragment);
                    let behind = self.next();
                    self.socket.send_text(behind);
                }
                _ => message.send(fragment),
            }
            self.pause().await?;
        }
        message.finish();
        Ok(())
    }

    async fn pause(&mut self) -> Result<(), Failure> {
        match self.random.index(6) {
            0 => {
                let pause = self.random.duration(Duration::from_millis(20));
                sleep(self.socket.reactor(), pause).await
            }
            1 => {
                self.socket.ready().await;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    async fn speak(mut self) -> Result<usize, Failure> {
        while self.number < MESSAGES {
            self.say().await?;
            self.pause().await?;
        }
        self.socket.close(CloseCode::NORMAL, "");
        Ok(self.number)
    }
}

/// Numbers, and the lanes that they came by.
type Heard = Rc<RefCell<Vec<(usize, String)>>>;

/// Hears numbers, now quicker and now slower than they come.
fn listener(heard: &Heard, mut random: Random) -> Conversation {
    let heard = Rc::clone(heard);
    Conversation::new(move |mut socket| async move {
        while let Some(message) = socket.recv().await {
            let text = std::str::from_utf8(message.as_bytes()).unwrap();
            let mut words = text.split(' ');
            let number = words.next().unwrap().parse().unwrap();
            heard
                .borrow_mut()
                .push((number, words.next().unwrap().to_owned()));
            if random.chance(0.1) {
                let _ = sleep(socket.reactor(), random.duration(Duration::from_millis(50))).await;
            }
        }
    })
}

fn speaker(topics: &[Topic; 2], random: Random, said: &Rc<RefCell<Option<usize>>>) -> Conversation {
    let (topics, said) = (topics.clone(), Rc::clone(said));
    Conversation::new(move |socket| async move {
        topics.iter().for_each(|topic| topic.subscribe(&socket));
        let number = 0;
        let speaker = Speaker {
            socket: (*socket).clone(),
            topics,
            random,
            number,
        };
        let spoken = speaker.speak().await.expect("the reactor is there");
        socket.closed().await;
        said.replace(Some(spoken));
    })
}

fn run(world: &mut World) {
    world.set_faults(NETWORK);
    let mut random = world.random().fork();
    let seed = world.seed().0 as usize;
    let policy = [
        SlowPeer::Wait,
        SlowPeer::DropOldest(1 + seed % 9),
        SlowPeer::Coalesce(KEYS + 1),
    ][seed % 3];
    let options = WebSocketOptions {
        slow_peer: policy,
        deflate: random
            .chance(0.5)
            .then(|| Deflate::new().with_context_takeover(true)),
        ..WebSocketOptions::default()
    };
    let topics = [Topic::new(), Topic::new().with_slow_peer(policy)];
    let (heard, said) = (Heard::default(), Rc::default());
    let is_server = random.chance(0.5);
    let (talking, listening) = match is_server {
        true => ("server", "client"),
        false => ("client", "server"),
    };
    let conversations = RefCell::new(
        [
            listener(&heard, random.fork()),
            speaker(&topics, random.fork(), &said),
        ]
        .map(Some),
    );
    let take = |index: usize| {
        conversations.borrow_mut()[index]
            .take()
            .expect("each is taken once")
    };
    let served = RefCell::new(Some(take(usize::from(is_server))));
    let server = WebSocketServer::new(move |_| served.take().expect("one comes"));
    let server = server.with_options(options.clone());
    let port = world
        .reactor("server")
        .listen("tcp:10.0.0.1:80", server)
        .unwrap();
    let client = WebSocketClient::new("ws://10.0.0.1/")
        .unwrap()
        .with_options(options);
    let opened = client.connect(world.reactor("client"), take(usize::from(!is_server)));
    let _socket = world.wait_for(opened).unwrap();
    let speed = random.between(50_000..=2_000_000);
    world.install(Rule::from_to(talking, listening).slow_reader(speed));
    world.wait_until(|| said.borrow().is_some());
    world.run_for(Duration::from_secs(60)); // who is slow hears what has come
    let (heard, said) = (heard.borrow(), said.borrow().expect("it was waited for"));
    let numbers = |is_wanted: &dyn Fn(usize, &str) -> bool| {
        let wanted = heard
            .iter()
            .filter(|(number, lane)| is_wanted(*number, lane));
        wanted.map(|(number, _)| *number).collect::<Vec<_>>()
    };
    let all = numbers(&|_, _| true);
    assert!(!all.is_empty());
    if let SlowPeer::Coalesce(_) = policy {
        for key in 0..KEYS {
            for wanted in ["a", "b"] {
                let of_key = numbers(&|number, lane| number % KEYS == key && lane == wanted);
                assert!(of_key.is_sorted_by(|a, b| a < b), "{is_server}: {of_key:?}");
            }
        }
        let unkeyed = numbers(&|_, lane| lane == "-");
        assert!(
            unkeyed.is_sorted_by(|a, b| a < b),
            "{is_server}: {unkeyed:?}"
        );
    } else {
        assert!(
            all.is_sorted_by(|a, b| a < b),
            "{policy:?} {is_server}: {all:?}"
        );
    }
    if policy == SlowPeer::Wait {
        assert_eq!(all.len(), said, "{is_server}: some did not come");
    }
    port.stop_listening();
}

#[test]
fn messages_come_in_the_order_in_which_they_were_sent_in_every_way() {
    run_test(TestCase::new("order").seeds(60), run);
}
