//! Redis and its kin.

use std::fmt;
use std::rc::Rc;

use bytes::Bytes;
use ropewalk_core::endpoint::{Description, Destination, EndpointError};
use ropewalk_core::{Deferred, Handle};
use ropewalk_grammar::Framing;
use ropewalk_grammar::resp::{RespGrammar, Value, command};

use super::client::{Client, Dialect, Heard, Welcome};
use super::{Backplane, BackplaneListener};

/// A backplane by way of a Redis server, version 6 or newer, or of Valkey: `redis:tcp:HOST:PORT`.
///
/// A topic is a channel of the same name, behind the prefix. What another program publishes there is received as well.
///
/// | option | meaning |
/// | --- | --- |
/// | `user=NAME` | who we are; without it the password of all |
/// | `password=TEXT` | what proves it |
/// | `prefix=TEXT` | what the name of a channel begins with |
///
/// Behind them stands the endpoint of the server: `redis:tcp:127.0.0.1:6379`, `redis:unix:/run/redis.sock`,
/// `redis:password=secret:tls:redis.example.com:6380`.
///
/// ```
/// use ropewalk_web::backplane::Redis;
///
/// let redis = Redis::new("redis:prefix=chat.:tcp:127.0.0.1:6379")?;
/// assert_eq!(format!("{redis:?}"), "Redis(tcp:127.0.0.1:6379)");
/// let error = Redis::new("redis:pasword=x:tcp:127.0.0.1:6379").unwrap_err();
/// assert!(error.to_string().contains("did you mean \"password\"?"));
/// # Ok::<(), ropewalk_core::endpoint::EndpointError>(())
/// ```
pub struct Redis {
    client: Client<Resp>,
    server: String,
}

struct Resp {
    user: Option<String>,
    password: Option<String>,
    prefix: String,
}

impl Redis {
    /// The backplane that the string describes. It connects when it is started.
    ///
    /// # Errors
    ///
    /// The string cannot be understood.
    pub fn new(text: &str) -> Result<Self, EndpointError> {
        Self::from_description(Description::parse(text)?)
    }

    pub(super) fn from_description(mut description: Description) -> Result<Self, EndpointError> {
        if description.kind() != "redis" {
            return Err(description.unknown_type(&["redis"]));
        }
        description.set_form("redis:ENDPOINT");
        let server = description.inner("endpoint")?;
        let user = description.option("user")?;
        let dialect = Resp {
            password: description.option("password")?,
            prefix: description.option("prefix")?.unwrap_or_default(),
            user,
        };
        if dialect.user.is_some() && dialect.password.is_none() {
            return Err(description.wrong("user", "with password=TEXT"));
        }
        description.finish()?;
        let server_text = server.to_string();
        let destination: Destination = server.destination()?;
        Ok(Self {
            client: Client::new(dialect, destination),
            server: server_text,
        })
    }
}

impl Dialect for Resp {
    type Grammar = RespGrammar;

    const SERVER: &'static str = "Redis";

    fn grammar(&self) -> RespGrammar {
        // A published message, its channel, and what is around them.
        RespGrammar::new().with_limit_bytes(MOST_BYTES + 64 * 1024)
    }

    fn greet(&self, out: &mut Vec<u8>) {
        let user = self.user.as_deref().unwrap_or("default");
        match &self.password {
            Some(password) => {
                let words = ["HELLO", "3", "AUTH", user, password];
                command(&words.map(str::as_bytes), out);
            }
            None => command(&[b"HELLO", b"3"], out),
        }
    }

    fn join(&self, _: &Welcome, _: &mut Vec<u8>) {}

    fn subscribe(&self, topic: &str, _: u64, out: &mut Vec<u8>) {
        command(&[b"SUBSCRIBE", self.channel(topic).as_bytes()], out);
    }

    fn unsubscribe(&self, topic: &str, _: u64, out: &mut Vec<u8>) {
        command(&[b"UNSUBSCRIBE", self.channel(topic).as_bytes()], out);
    }

    fn publish(&self, topic: &str, payload: &[u8], out: &mut Vec<u8>) {
        command(&[b"PUBLISH", self.channel(topic).as_bytes(), payload], out);
    }

    fn ping(&self, out: &mut Vec<u8>) {
        command(&[b"PING"], out);
    }

    fn pong(&self, _: &mut Vec<u8>) {}

    fn understand<'a>(&self, event: <RespGrammar as Framing>::Event<'a>) -> Heard<'a> {
        match event {
            Value::Map(_) => Heard::Welcome(Welcome {
                most_bytes: MOST_BYTES,
                wants_protection: false,
            }),
            Value::Simple(b"PONG") => Heard::Pong,
            Value::Push(parts) => match &parts[..] {
                [kind, channel, payload] if kind.as_bytes() == Some(b"message") => {
                    self.delivered(channel, payload)
                }
                _ => Heard::Nothing,
            },
            Value::Error(why) | Value::LongError(why) => refusal(why),
            _ => Heard::Nothing,
        }
    }
}

impl Resp {
    fn channel(&self, topic: &str) -> String {
        format!("{}{topic}", self.prefix)
    }

    fn delivered<'a>(&self, channel: &Value<'a>, payload: &Value<'a>) -> Heard<'a> {
        let topic = channel
            .as_bytes()
            .and_then(|channel| channel.strip_prefix(self.prefix.as_bytes()));
        match (topic, payload.as_bytes()) {
            (Some(topic), Some(payload)) => Heard::Named(topic, payload),
            _ => Heard::Nothing,
        }
    }
}

/// A server's own limit for one byte string is 512 MiB; what is so large makes no sense here.
const MOST_BYTES: usize = 16 * 1024 * 1024;

/// Most errors are about one command (and at the door, where they are said before we are welcome, end the connection).
fn refusal<'a>(why: &[u8]) -> Heard<'a> {
    let text = String::from_utf8_lossy(why).into_owned();
    let word = text.split(' ').next().unwrap_or_default();
    match word {
        "NOAUTH" => Heard::Refused(text),
        "NOPROTO" => Heard::Refused(format!("{text} (Redis 6 or newer is needed)")),
        "ERR" if text.contains("HELLO") => {
            Heard::Refused(format!("{text} (Redis 6 or newer is needed)"))
        }
        _ => Heard::Complaint(text),
    }
}

impl Backplane for Redis {
    fn start(&self, reactor: &Handle, listener: Rc<dyn BackplaneListener>) {
        self.client.start(reactor, listener);
    }
    fn subscribe(&self, topic: &str) {
        self.client.subscribe(topic);
    }
    fn unsubscribe(&self, topic: &str) {
        self.client.unsubscribe(topic);
    }
    fn publish(&self, topic: &str, payload: Bytes) {
        self.client.publish(topic, payload);
    }
    fn stop(&self) -> Deferred<()> {
        self.client.stop()
    }
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Redis({})", self.server)
    }
}
