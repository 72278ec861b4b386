//! NATS.

use std::fmt;
use std::rc::Rc;

use bytes::Bytes;
use ropewalk_core::endpoint::{ClientEndpoint, Description, Destination, EndpointError};
use ropewalk_core::{Deferred, Handle, Transport};
use ropewalk_grammar::Framing;
use ropewalk_grammar::nats::{NatsGrammar, Operation, is_subject};

use super::client::{Client, Dialect, Heard, Welcome};
use super::{Backplane, BackplaneListener};

/// A backplane by way of a NATS server: `nats:tcp:HOST:PORT`.
///
/// A topic is a subject of the same name, behind the prefix; what no subject may have in it (blanks, control characters, `*`,
/// `>`, `%`, empty tokens) is written as `%` and two hexadecimal digits. What another program publishes there is received as
/// well.
///
/// | option | meaning |
/// | --- | --- |
/// | `user=NAME`, `password=TEXT` | who we are |
/// | `token=TEXT` | the same, where the server wants a token |
/// | `prefix=TEXT` | what a subject begins with, such as `chat.` |
/// | `tls_first` | the server wants TLS at once (`handshake_first`), and not after its greeting as most do |
///
/// Behind them stands the endpoint of the server: `nats:tcp:127.0.0.1:4222`, `nats:token=secret:tls:nats.example.com:4222`.
///
/// ```
/// use ropewalk_web::backplane::Nats;
///
/// let nats = Nats::new("nats:prefix=chat.:tcp:127.0.0.1:4222")?;
/// assert_eq!(format!("{nats:?}"), "Nats(tcp:127.0.0.1:4222)");
/// # Ok::<(), ropewalk_core::endpoint::EndpointError>(())
/// ```
pub struct Nats {
    client: Client<Core>,
    server: String,
}

struct Core {
    credentials: Credentials,
    prefix: String,
    protection: Protection,
}

#[derive(Default)]
struct Credentials {
    user: Option<String>,
    password: Option<String>,
    token: Option<String>,
}

/// How the connection is kept from others.
enum Protection {
    /// Not, or below.
    None,
    #[cfg(feature = "tls")]
    AfterGreeting(Box<ropewalk_tls::TlsClientEndpoint>),
}

impl Nats {
    /// The backplane that the string describes. It connects when it is started.
    ///
    /// # Errors
    ///
    /// The string cannot be understood.
    pub fn new(text: &str) -> Result<Self, EndpointError> {
        Self::from_description(Description::parse(text)?)
    }

    pub(super) fn from_description(mut description: Description) -> Result<Self, EndpointError> {
        if description.kind() != "nats" {
            return Err(description.unknown_type(&["nats"]));
        }
        description.set_form("nats:ENDPOINT");
        let is_first = description.switch("tls_first")?;
        let server = description.inner("endpoint")?;
        let prefix: Option<String> = description.option("prefix")?;
        let prefix = prefix.unwrap_or_default();
        if prefix.len() > 200 || !is_subject(&format!("{prefix}x"), false) {
            return Err(description.wrong("prefix", "the beginning of a subject, such as chat."));
        }
        let credentials = Credentials::take(&mut description)?;
        description.finish()?;
        let shown = server.to_string();
        let (destination, protection) = Protection::take(server, is_first)?;
        let dialect = Core {
            credentials,
            prefix,
            protection,
        };
        Ok(Self {
            client: Client::new(dialect, destination),
            server: shown,
        })
    }
}

impl Credentials {
    fn take(description: &mut Description) -> Result<Self, EndpointError> {
        let this = Self {
            user: description.option("user")?,
            password: description.option("password")?,
            token: description.option("token")?,
        };
        if this.user.is_some() != this.password.is_some() {
            let (given, missing) = match this.user {
                Some(_) => ("user", "with password=TEXT"),
                None => ("password", "with user=NAME"),
            };
            return Err(description.wrong(given, missing));
        }
        Ok(this)
    }
}

impl Protection {
    #[cfg(feature = "tls")]
    fn take(mut server: Description, is_first: bool) -> Result<(Destination, Self), EndpointError> {
        if server.kind() != "tls" || is_first {
            return Ok((server.destination()?, Self::None));
        }
        let endpoint = ropewalk_tls::TlsClientEndpoint::take(&mut server)?;
        server.finish()?;
        let destination = endpoint.tcp.destination()?;
        Ok((destination, Self::AfterGreeting(Box::new(endpoint))))
    }

    #[cfg(not(feature = "tls"))]
    fn take(server: Description, _: bool) -> Result<(Destination, Self), EndpointError> {
        Ok((server.destination()?, Self::None))
    }
}

impl Dialect for Core {
    type Grammar = NatsGrammar;

    const SERVER: &'static str = "NATS";

    fn grammar(&self) -> NatsGrammar {
        NatsGrammar::new().with_limit_bytes(MOST_BYTES)
    }

    fn greet(&self, _: &mut Vec<u8>) {}

    fn join(&self, _: &Welcome, out: &mut Vec<u8>) {
        let options = serde_json::json!({
            "verbose": false,
            "pedantic": false,
            "lang": "rust",
            "name": "ropewalk",
            "version": env!("CARGO_PKG_VERSION"),
            "protocol": 1,
            "echo": false,
            "tls_required": self.is_protected(),
            "user": self.credentials.user,
            "pass": self.credentials.password,
            "auth_token": self.credentials.token,
        });
        say(Operation::Connect(&options.to_string()), out);
    }

    fn subscribe(&self, topic: &str, id: u64, out: &mut Vec<u8>) {
        let operation = Operation::Sub {
            subject: &self.subject(topic),
            queue: None,
            id: &id.to_string(),
        };
        say(operation, out);
    }

    fn unsubscribe(&self, _: &str, id: u64, out: &mut Vec<u8>) {
        let id = &id.to_string();
        say(Operation::Unsub { id, after: None }, out);
    }

    fn publish(&self, topic: &str, payload: &[u8], out: &mut Vec<u8>) {
        let operation = Operation::Pub {
            subject: &self.subject(topic),
            reply: None,
            payload,
        };
        say(operation, out);
    }

    fn ping(&self, out: &mut Vec<u8>) {
        say(Operation::Ping, out);
    }

    fn pong(&self, out: &mut Vec<u8>) {
        say(Operation::Pong, out);
    }

    fn understand<'a>(&self, event: <NatsGrammar as Framing>::Event<'a>) -> Heard<'a> {
        match event {
            Operation::Info(json) => self.introduced(json),
            Operation::Msg(message) => match message.id.parse() {
                Ok(id) => Heard::Numbered(id, message.payload),
                Err(_) => Heard::Nothing,
            },
            Operation::Ping => Heard::Ping,
            Operation::Pong => Heard::Pong,
            // A server says so of a subject that we may not use, and goes on; after all else it closes.
            Operation::Err(why) if why.starts_with("Permissions Violation") => {
                Heard::Complaint(why.to_owned())
            }
            Operation::Err(why) => Heard::Refused(why.to_owned()),
            _ => Heard::Nothing,
        }
    }

    #[cfg(feature = "tls")]
    fn protect(&self, transport: &Transport) -> Result<(), String> {
        let Protection::AfterGreeting(endpoint) = &self.protection else {
            return Ok(());
        };
        let client = endpoint.client().map_err(|error| error.to_string())?;
        let layer = ropewalk_tls::TlsLayer::client(&client, &endpoint.name);
        transport.push_layer(layer.map_err(|error| error.to_string())?);
        Ok(())
    }
}

/// The longest payload that we take; a server's own limit is 1 MiB unless it is told otherwise.
const MOST_BYTES: usize = 16 * 1024 * 1024;

impl Core {
    #[cfg(feature = "tls")]
    fn is_protected(&self) -> bool {
        matches!(self.protection, Protection::AfterGreeting(_))
    }

    #[cfg(not(feature = "tls"))]
    fn is_protected(&self) -> bool {
        let Protection::None = self.protection;
        false
    }

    fn introduced<'a>(&self, json: &str) -> Heard<'a> {
        let Ok(info) = serde_json::from_str::<serde_json::Value>(json) else {
            return Heard::Refused("its greeting is no JSON".to_owned());
        };
        let is = |name: &str| info[name].as_bool().unwrap_or(false);
        if self.is_protected() && !is("tls_required") && !is("tls_available") {
            return Heard::Refused("it offers no TLS, and the endpoint says tls".to_owned());
        }
        let most = info["max_payload"].as_u64().unwrap_or(u64::MAX);
        Heard::Welcome(Welcome {
            most_bytes: usize::try_from(most).unwrap_or(usize::MAX).min(MOST_BYTES),
            wants_protection: self.is_protected(),
        })
    }

    fn subject(&self, topic: &str) -> String {
        let mut subject = self.prefix.clone();
        let mut rest = topic.chars().peekable();
        let mut is_start = subject.is_empty() || subject.ends_with('.');
        while let Some(c) = rest.next() {
            let is_empty_token =
                c == '.' && (is_start || rest.peek().is_none_or(|next| *next == '.'));
            is_start = c == '.' && !is_empty_token;
            match c {
                '*' | '>' | '%' | '\0'..=' ' | '\x7f' => escape(c, &mut subject),
                '.' if is_empty_token => escape(c, &mut subject),
                c => subject.push(c),
            }
        }
        subject
    }
}

fn escape(c: char, out: &mut String) {
    use std::fmt::Write;
    let _never_fails = write!(out, "%{:02X}", u32::from(c));
}

fn say(operation: Operation<'_>, out: &mut Vec<u8>) {
    let said = NatsGrammar::new().send(operation, out);
    said.expect("subjects are escaped, and JSON has no line ends");
}

impl Backplane for Nats {
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

impl fmt::Debug for Nats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Nats({})", self.server)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_topic_is_a_subject_and_no_two_are_the_same() {
        let core = |prefix: &str| Core {
            credentials: Credentials::default(),
            prefix: prefix.to_owned(),
            protection: Protection::None,
        };
        for (topic, subject) in [
            ("hall", "hall"),
            ("rooms.hall", "rooms.hall"),
            ("the hall", "the%20hall"),
            ("*", "%2A"),
            ("a.>", "a.%3E"),
            ("100%", "100%25"),
            ("a\r\nPUB b 0", "a%0D%0APUB%20b%200"),
            (".", "%2E"),
            ("..a", "%2E.a"),
            ("a.", "a%2E"),
            ("a..b", "a%2E.b"),
            ("zürich", "zürich"),
        ] {
            assert_eq!(core("").subject(topic), subject);
            for prefix in ["", "chat.", "x"] {
                let subject = core(prefix).subject(topic);
                assert!(is_subject(&subject, false), "{subject}");
            }
        }
    }
}
