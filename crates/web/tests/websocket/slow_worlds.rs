//! Worlds of a topic whose receivers are quick, slow, stopped, reset or gone: what each gets is what the policy says, whatever the
//! network does, and nobody suffers for another.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use ropewalk_core::{Handle, ListeningPort};
use ropewalk_sim::{Faults, Random, Rule};
use ropewalk_testing::{TestCase, World, run_test};
use ropewalk_web::websocket::{
    Deflate, Ending, SlowPeer, Topic, WebSocket, WebSocketClient, WebSocketOptions,
    WebSocketProtocol, WebSocketServer,
};

const MESSAGES: usize = 400;
const KEYS: usize = 5;
const PAUSE: Duration = Duration::from_millis(25);
const MOST_BYTES: usize = 3000;

/// Late, in pieces, in bursts; but no reader stops unless the test wants it.
const NETWORK: Faults = Faults {
    split: 0.2,
    coalesce: 0.5,
    jitter: Duration::from_millis(5),
    short_send: 0.2,
    shuffle: 0.5,
    ..Faults::none()
};

/// How a receiver is.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Kind {
    Quick,
    /// Behind a thin line.
    Thin,
    /// Reads now and then.
    Jerky,
    /// Reads nothing any more, from some moment on.
    Stopped,
    Reset,
    /// What is sent to it vanishes.
    Gone,
}

const KINDS: [Kind; 6] = [
    Kind::Quick,
    Kind::Thin,
    Kind::Jerky,
    Kind::Stopped,
    Kind::Reset,
    Kind::Gone,
];

impl Kind {
    fn host(self) -> String {
        format!("{self:?}").to_lowercase()
    }

    /// Whether it is there to the end, if the policy lets it.
    fn stays(self) -> bool {
        matches!(self, Self::Quick | Self::Thin | Self::Jerky)
    }

    fn begin(self, world: &World, random: &mut Random) {
        let host = self.host();
        let when = Duration::from_secs(1) + random.duration(Duration::from_secs(8));
        let rule = match self {
            Self::Quick | Self::Jerky => return,
            Self::Thin => {
                let speed = random.between(5_000..=40_000);
                return world.install(Rule::from_to("server", &host).slow_reader(speed));
            }
            Self::Reset => return world.after(when, move |world| world.reset("server", &host)),
            Self::Stopped => Rule::from_to("server", &host).stopped_reader(),
            Self::Gone => Rule::between("server", &host).lose(),
        };
        world.after(when, move |world| world.install(rule));
    }
}

/// What a receiver heard.
#[derive(Clone, Default)]
struct Heard {
    /// Numbers that were published, and when they came.
    published: Rc<RefCell<Vec<(usize, Duration)>>>,
    /// Numbers that were for it alone.
    own: Rc<RefCell<Vec<usize>>>,
    ended: Rc<Cell<Option<u16>>>,
}

impl Heard {
    fn numbers(&self) -> Vec<usize> {
        let published = self.published.borrow();
        published.iter().map(|(number, _)| *number).collect()
    }
}

struct Receiver(Heard);

impl WebSocketProtocol for Receiver {
    fn text_received(&mut self, socket: &WebSocket, text: &str) {
        let mut words = text.split(' ');
        let (kind, number) = (words.next().unwrap(), words.next().unwrap());
        let number = number.parse().unwrap();
        match kind {
            "all" => {
                let now = socket.reactor().now();
                self.0.published.borrow_mut().push((number, now));
            }
            _ => self.0.own.borrow_mut().push(number),
        }
    }
    fn connection_lost(&mut self, _: &WebSocket, ending: &Ending<'_>) {
        self.0.ended.set(Some(ending.code()));
    }
}

/// Reads for a while, and then does not.
fn jerk(socket: &WebSocket, mut random: Random) {
    let (on, off) = (Duration::from_secs(1), Duration::from_secs(4));
    let (on, off) = (random.duration(on), random.duration(off));
    socket.call_later(on, move |_: &mut Receiver, socket| {
        socket.transport().pause_reading();
        socket.call_later(off, move |_: &mut Receiver, socket| {
            socket.transport().resume_reading();
            jerk(socket, random);
        });
    });
}

struct Member {
    topic: Topic,
    all: Rc<RefCell<Vec<WebSocket>>>,
}

impl WebSocketProtocol for Member {
    fn opened(&mut self, socket: &WebSocket) {
        self.topic.subscribe(socket);
        self.all.borrow_mut().push(socket.clone());
    }
}

/// What a server sends, and to whom.
#[derive(Clone)]
struct Sender {
    topic: Topic,
    members: Rc<RefCell<Vec<WebSocket>>>,
    policy: SlowPeer,
    /// The policy is the topic's: what is sent to one alone waits otherwise.
    is_topics: bool,
    sent_at: Rc<RefCell<Vec<Duration>>>,
    random: Rc<RefCell<Random>>,
}

impl Sender {
    fn new(world: &World) -> Self {
        let seed = world.seed().0 as usize;
        let policies = [
            SlowPeer::Wait,
            SlowPeer::DropOldest(1 + seed % 20),
            SlowPeer::Coalesce(KEYS),
            SlowPeer::Coalesce(2),
            SlowPeer::Disconnect,
        ];
        let (policy, is_topics) = (policies[seed % 5], (seed / 5).is_multiple_of(2));
        let topic = Topic::new();
        Self {
            topic: match is_topics {
                true => topic.with_slow_peer(policy),
                false => topic,
            },
            members: Rc::default(),
            policy,
            is_topics,
            sent_at: Rc::default(),
            random: Rc::new(RefCell::new(world.random().fork())),
        }
    }

    fn listen(&self, world: &mut World) -> ListeningPort {
        let seed = world.seed().0;
        let options = WebSocketOptions {
            slow_peer: match self.is_topics {
                true => SlowPeer::Wait,
                false => self.policy,
            },
            deflate: seed.is_multiple_of(3).then(Deflate::new),
            ..WebSocketOptions::default()
        };
        let (topic, all) = (self.topic.clone(), Rc::clone(&self.members));
        let server = WebSocketServer::new(move |_| Member {
            topic: topic.clone(),
            all: Rc::clone(&all),
        });
        let server = server.with_options(options);
        let reactor = world.reactor("server");
        reactor.listen("tcp:10.0.0.1:80", server).unwrap()
    }

    /// Sends the next message, and so on.
    fn go_on(self, reactor: &Handle) {
        let number = self.sent_at.borrow().len();
        if number == MESSAGES {
            return;
        }
        self.sent_at.borrow_mut().push(reactor.now());
        let length = self.random.borrow_mut().index(MOST_BYTES - 20);
        let noise = self.random.borrow_mut().number();
        let text = format!("all {number} {}", format!("{noise:x}").repeat(length / 16));
        self.topic.send_keyed((number % KEYS) as u64, text);
        if self.is_topics && number.is_multiple_of(16) {
            let members = self.members.borrow();
            for member in members.iter() {
                member.send_text(format!("one {}", number / 16));
            }
        }
        self.check_memory();
        let handle = reactor.clone();
        reactor.call_later(PAUSE, move |_| self.go_on(&handle));
    }

    fn check_memory(&self) {
        let waiting = match self.policy {
            SlowPeer::Wait => return,
            SlowPeer::DropOldest(most) | SlowPeer::Coalesce(most) => most,
            SlowPeer::Disconnect => 0,
        };
        let most = 64 * 1024 + (waiting + 2) * MOST_BYTES;
        for member in self.members.borrow().iter() {
            let buffered = member.buffered();
            assert!(buffered <= most, "{buffered} bytes wait, not {most}");
        }
    }
}

/// What somebody who stays must have heard.
fn check(kind: Kind, heard: &Heard, sender: &Sender) {
    let (numbers, policy) = (heard.numbers(), sender.policy);
    let all: Vec<usize> = (0..MESSAGES).collect();
    let own = heard.own.borrow().clone();
    let all_own: Vec<usize> = (0..MESSAGES.div_ceil(16)).collect();
    let was_closed = heard.ended.get();
    if kind == Kind::Quick || policy == SlowPeer::Wait {
        assert_eq!((was_closed, &numbers), (None, &all), "{kind:?}");
        let (sent_at, published) = (sender.sent_at.borrow(), heard.published.borrow());
        let late = |(number, when): &&(usize, Duration)| *when - sent_at[*number] > 10 * PAUSE;
        let late = published.iter().find(late);
        assert!(kind != Kind::Quick || late.is_none(), "{late:?} came late");
    }
    let has_all_own = !sender.is_topics || own == all_own;
    match policy {
        SlowPeer::Disconnect => {
            assert!(all.starts_with(&numbers), "{kind:?}: {numbers:?}");
            assert!(all_own.starts_with(&own), "{kind:?}: {own:?}");
            match was_closed {
                None => assert_eq!(numbers.len(), MESSAGES, "{kind:?}"),
                Some(code) => assert!(matches!(code, 1013 | 1006), "{kind:?}: {code}"),
            }
            return;
        }
        SlowPeer::Wait => {}
        SlowPeer::DropOldest(most) => {
            assert!(numbers.is_sorted_by(|a, b| a < b), "{kind:?}: {numbers:?}");
            assert!(numbers.ends_with(&all[MESSAGES - most..]), "{numbers:?}");
        }
        SlowPeer::Coalesce(most) => {
            for key in 0..KEYS {
                let of_key = numbers.iter().filter(|&number| number % KEYS == key);
                let of_key: Vec<_> = of_key.copied().collect();
                assert!(of_key.is_sorted_by(|a, b| a < b), "{kind:?}: {of_key:?}");
                let newest = MESSAGES - KEYS + key;
                let is_kept = most >= KEYS || newest >= MESSAGES - most;
                assert!(!is_kept || of_key.last() == Some(&newest), "{of_key:?}");
            }
        }
    }
    assert_eq!(was_closed, None, "{kind:?} was closed");
    assert!(has_all_own, "{kind:?}: {own:?}");
}

fn run(world: &mut World) {
    world.set_faults(NETWORK);
    let mut random = world.random().fork();
    let sender = Sender::new(world);
    let port = sender.listen(world);
    let mut receivers = Vec::new();
    for kind in KINDS {
        let heard = Heard::default();
        let options = WebSocketOptions {
            deflate: random.chance(0.5).then(Deflate::new),
            ..WebSocketOptions::default()
        };
        let client = WebSocketClient::new("ws://10.0.0.1/").unwrap();
        let client = client.with_options(options);
        let opened = client.connect(world.reactor(&kind.host()), Receiver(heard.clone()));
        let socket = world.wait_for(opened).unwrap();
        if kind == Kind::Jerky {
            jerk(&socket, random.fork());
        }
        kind.begin(world, &mut random);
        receivers.push((kind, heard, socket));
    }
    sender.clone().go_on(&world.reactor("server").handle());
    // As long as the sending takes, the thinnest line needs for it, and a silent peer is given to answer.
    world.run_for(Duration::from_secs(200));
    assert_eq!(sender.sent_at.borrow().len(), MESSAGES);
    let mut stays = 0;
    for (kind, heard, _) in &receivers {
        if kind.stays() {
            check(*kind, heard, &sender);
            stays += usize::from(heard.ended.get().is_none());
        }
    }
    assert_eq!(sender.topic.len(), stays, "who is gone is a member still");
    port.stop_listening();
    for (_, _, socket) in receivers {
        socket.transport().abort_connection();
    }
    let members = sender.members.take();
    for member in members {
        member.transport().abort_connection();
    }
    world.run_for(Duration::from_secs(5)); // the last pause of who reads now and then
}

#[test]
fn ws_03_every_receiver_gets_what_the_policy_says_and_none_suffers_for_another() {
    run_test(TestCase::new("slow receivers").seeds(10), run);
}

/// What the kernels hold of a broadcast takes a line of 5 KB/s longer than a peer is given to answer; the ping waits behind it.
#[test]
fn a_peer_on_a_thin_line_is_given_time_to_read_what_is_before_a_ping() {
    run_test(TestCase::new("thin line").seed(1825), run);
}
