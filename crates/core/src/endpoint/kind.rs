//! The types that endpoint strings begin with: what each means to a server and to a client, and the list of them.
//!
//! The list is the process's, not a reactor's: command lines and configurations are read before there is a reactor. Those
//! of this crate are always on it; the others are [registered](register) by whoever brings them.

use std::fmt;
use std::sync::{PoisonError, RwLock};

use super::description::Description;
use super::destination::Destination;
use super::error::{EndpointError, EndpointProblem};
use super::listening::Listening;
use super::{inherited, process, tcp, udp, unix, unix_datagram};
use crate::driver::Bind;

/// A type of endpoint strings, and what strings of it can be used for.
///
/// ```
/// use ropewalk_core::endpoint::{self, Description, Destination, EndpointError, Kind, Role, ServerEndpoint, TcpClient};
/// use ropewalk_core::endpoint::ClientEndpoint;
///
/// /// `intranet:NAME`: a host of ours, by its short name.
/// fn intranet(mut description: Description) -> Result<Destination, EndpointError> {
///     let name: String = description.positional("name")?;
///     description.finish()?;
///     TcpClient::new(format!("{name}.example.com"), 8000).destination()
/// }
///
/// let role = Role { form: "intranet:NAME", options: &[], parse: intranet };
/// endpoint::register(Kind::new("intranet", "a host of ours").for_clients(role));
///
/// assert_eq!("intranet:wiki".destination()?.to_string(), "tcp:wiki.example.com:8000");
/// let error = "intranet:wiki".listening().unwrap_err();
/// assert!(error.to_string().contains("\"intranet\" is to connect to, not to listen at"));
/// # Ok::<(), EndpointError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// What stands before the first colon.
    pub name: &'static str,
    /// What it is, in a few words.
    pub about: &'static str,
    /// What it means where somebody listens.
    pub server: Option<Role<Listening>>,
    /// What it means where somebody connects.
    pub client: Option<Role<Destination>>,
    /// What it means where somebody exchanges datagrams.
    pub datagrams: Option<Role<Bind>>,
}

/// What a type means in one role.
#[derive(Debug)]
pub struct Role<T> {
    /// How a string is written: `tcp:HOST:PORT`.
    pub form: &'static str,
    /// The options, each as it is written and what it says: `("backlog=N", "connections that …")`.
    pub options: &'static [(&'static str, &'static str)],
    /// What a string says. It only reads text: files, names and descriptors are for the time when somebody listens or
    /// connects.
    pub parse: fn(Description) -> Result<T, EndpointError>,
}

impl<T> Clone for Role<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Role<T> {}

impl Kind {
    /// A type without any use yet.
    #[must_use]
    pub const fn new(name: &'static str, about: &'static str) -> Self {
        Self {
            name,
            about,
            server: None,
            client: None,
            datagrams: None,
        }
    }

    /// It can be listened at.
    #[must_use]
    pub const fn for_servers(mut self, role: Role<Listening>) -> Self {
        self.server = Some(role);
        self
    }

    /// It can be connected to.
    #[must_use]
    pub const fn for_clients(mut self, role: Role<Destination>) -> Self {
        self.client = Some(role);
        self
    }

    /// Datagrams can be exchanged at it.
    #[must_use]
    pub const fn for_datagrams(mut self, role: Role<Bind>) -> Self {
        self.datagrams = Some(role);
        self
    }

    fn uses(&self) -> impl Iterator<Item = Use> {
        let server = self.server.map(|_| Use::Listen);
        let client = self.client.map(|_| Use::Connect);
        let datagrams = self.datagrams.map(|_| Use::Datagrams);
        server.into_iter().chain(client).chain(datagrams)
    }
}

/// What an endpoint string is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Use {
    /// To listen at.
    Listen,
    /// To connect to.
    Connect,
    /// To exchange datagrams at.
    Datagrams,
}

impl fmt::Display for Use {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Listen => "to listen at",
            Self::Connect => "to connect to",
            Self::Datagrams => "to exchange datagrams at",
        })
    }
}

/// Those that need nothing but this crate.
const OURS: &[Kind] = &[
    tcp::KIND,
    tcp::HOST,
    unix::KIND,
    udp::KIND,
    unix_datagram::KIND,
    unix_datagram::ALIAS_KIND,
    inherited::FD,
    inherited::SYSTEMD,
    inherited::STDIO,
    process::KIND,
];

static OTHERS: RwLock<Vec<Kind>> = RwLock::new(Vec::new());

/// Adds a type to what endpoint strings can begin with, in the whole process. One that has the name of another takes its
/// place.
pub fn register(kind: Kind) {
    let mut others = OTHERS.write().unwrap_or_else(PoisonError::into_inner);
    others.retain(|other| other.name != kind.name);
    others.push(kind);
}

/// All types that endpoint strings can begin with, in the order of their names.
#[must_use]
pub fn kinds() -> Vec<Kind> {
    let mut kinds = OTHERS
        .read()
        .unwrap_or_else(PoisonError::into_inner)
        .clone();
    let is_new = |ours: &&Kind| !kinds.iter().any(|other| other.name == ours.name);
    let ours: Vec<Kind> = OURS.iter().filter(is_new).copied().collect();
    kinds.extend(ours);
    kinds.sort_by_key(|kind| kind.name);
    kinds
}

impl Description {
    /// What the string says to a server.
    ///
    /// # Errors
    ///
    /// There is no such type, it is none to listen at, or it does not understand the string.
    pub fn listening(self) -> Result<Listening, EndpointError> {
        let text = self.to_string();
        let listening = self.parsed(Use::Listen, |kind| kind.server)?;
        Ok(listening.with_text(text))
    }

    /// What the string says to a client.
    ///
    /// # Errors
    ///
    /// There is no such type, it is none to connect to, or it does not understand the string.
    pub fn destination(self) -> Result<Destination, EndpointError> {
        self.parsed(Use::Connect, |kind| kind.client)
    }

    /// What the string says to who exchanges datagrams.
    ///
    /// # Errors
    ///
    /// There is no such type, it is none of datagrams, or it does not understand the string.
    pub fn bind(self) -> Result<Bind, EndpointError> {
        self.parsed(Use::Datagrams, |kind| kind.datagrams)
    }

    fn parsed<T>(
        mut self,
        wanted: Use,
        role: impl Fn(&Kind) -> Option<Role<T>>,
    ) -> Result<T, EndpointError> {
        let kinds = kinds();
        let kind = kinds.iter().find(|kind| kind.name == self.kind());
        match kind.map(|kind| (kind, role(kind))) {
            Some((_, Some(role))) => {
                self.set_form(role.form);
                (role.parse)(self)
            }
            Some((kind, None)) => Err(self.unsuitable(kind, wanted, &kinds)),
            None => Err(self.unknown_kind(wanted, &kinds)),
        }
    }

    fn unsuitable(&self, kind: &Kind, wanted: Use, kinds: &[Kind]) -> EndpointError {
        let problem = EndpointProblem::Unsuitable {
            wanted,
            is_for: kind.uses().collect(),
            known: names(kinds, |kind| kind.uses().any(|usable| usable == wanted)),
        };
        self.error(None, problem)
    }

    /// Lists what can be used, and then what only others can.
    fn unknown_kind(&self, wanted: Use, kinds: &[Kind]) -> EndpointError {
        let known = names(kinds, |kind| kind.uses().any(|usable| usable == wanted));
        let others = |other: Use| {
            let is_only = |kind: &Kind| {
                kind.uses().next() == Some(other) && !known.iter().any(|name| name == kind.name)
            };
            (other, names(kinds, is_only))
        };
        let others = [Use::Listen, Use::Connect, Use::Datagrams]
            .into_iter()
            .filter(|other| *other != wanted)
            .map(others)
            .filter(|(_, names)| !names.is_empty())
            .collect();
        self.unknown(known, others)
    }
}

fn names(kinds: &[Kind], is_meant: impl Fn(&Kind) -> bool) -> Vec<String> {
    let meant = kinds.iter().filter(|kind| is_meant(kind));
    meant.map(|kind| kind.name.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoint::{ClientEndpoint, Destination, ServerEndpoint, TcpServer};

    fn error(text: &str) -> String {
        text.listening().unwrap_err().to_string()
    }

    /// `around:level=N:ENDPOINT`, to have something with another inside.
    fn register_around() {
        fn around(mut description: Description) -> Result<Listening, EndpointError> {
            let inner = description.inner("endpoint")?;
            let _: Option<u16> = description.option("level")?;
            description.finish()?;
            Ok(inner.listening()?.shown_inside("around"))
        }
        register(Kind::new("around", "a test").for_servers(Role {
            form: "around:ENDPOINT",
            options: &[],
            parse: around,
        }));
    }

    #[test]
    fn r113_an_unknown_type_is_told_what_there_is() {
        let text = error("pigeon:x");
        assert!(
            text.contains("byte 0: unknown type \"pigeon\", known: "),
            "{text}"
        );
        assert!(text.contains("tcp, unix"), "{text}");
        assert!(text.contains("; only to connect to: host"), "{text}");
        let text = error("tpc:80");
        assert!(text.contains("did you mean \"tcp:80\"?"), "{text}");
        let text = error("/run/chat");
        assert!(text.contains("did you mean \"unix:/run/chat\"?"), "{text}");
    }

    #[test]
    fn a_type_for_the_other_side_says_so() {
        let text = error("host:example.org:80");
        assert!(
            text.contains("byte 0: \"host\" is to connect to, not to listen at, known: "),
            "{text}"
        );
    }

    #[test]
    fn what_is_wrong_inside_is_shown_where_it_is() {
        register_around();
        for (text, place, why) in [
            (
                "around:level=1:tpc:80",
                15..18,
                r#"did you mean "around:level=1:tcp:80"?"#,
            ),
            ("around:8000", 7..11, r#"did you mean "around:tcp:8000"?"#),
            ("around:tcp:80:backlog=x", 22..23, "backlog must be"),
            ("around:tcp:80:level=1", 14..21, "unknown option \"level\""),
            ("around:level=x:tcp:80", 13..14, "level must be"),
            (
                "around:level=1",
                14..14,
                "endpoint is missing, write around:ENDPOINT",
            ),
            ("around:", 7..7, "begins with its type"),
            (
                "around:level=1:around:level=2:level=3:tcp:80",
                30..37,
                "level is given twice",
            ),
        ] {
            let error = text.listening().unwrap_err();
            assert_eq!(error.place(), place, "{error}");
            assert_eq!(error.text(), text);
            assert!(error.to_string().contains(why), "{error}");
        }
    }

    #[test]
    fn r113_brackets_may_stand_in_a_list() {
        let text = "around:level=1,[fd00::]/8,[::1]:tcp:80";
        let mut around = Description::parse(text).unwrap();
        assert_eq!(around.inner("endpoint").unwrap().to_string(), "tcp:80");
        let level: String = around.option("level").unwrap().unwrap();
        assert_eq!(level, "1,[fd00::]/8,[::1]");
        let again = Description::new("around").with_option("level", &level);
        let mut again = Description::parse(&again.to_string()).unwrap();
        assert_eq!(again.option("level").unwrap(), Some(level));
    }

    #[test]
    fn each_of_two_inside_each_other_has_its_own_options() {
        register_around();
        let listening = "around:level=1:around:level=2:tcp:[::1]:80:backlog=7"
            .listening()
            .unwrap();
        assert_eq!(listening.listen().unwrap().backlog, 7);
        let shown = listening.shown_at(&listening.listen().unwrap().address);
        assert_eq!(shown, "around:around:tcp:[::1]:80");
    }

    #[test]
    fn a_string_cannot_go_down_for_ever() {
        register_around();
        let text = "around:".repeat(100_000);
        let error = text.listening().unwrap_err();
        assert_eq!(*error.problem(), EndpointProblem::TooDeep);
    }

    #[test]
    fn who_registers_again_takes_the_place() {
        fn port(text: &str) -> u16 {
            text.listening()
                .unwrap()
                .listen()
                .unwrap()
                .address
                .port()
                .unwrap()
        }
        fn kind(parse: fn(Description) -> Result<Listening, EndpointError>) -> Kind {
            Kind::new("replaced", "a test").for_servers(Role {
                form: "replaced",
                options: &[],
                parse,
            })
        }
        register(kind(|_| TcpServer::new(([127, 0, 0, 1], 1)).listening()));
        assert_eq!(port("replaced"), 1);
        register(kind(|_| TcpServer::new(([127, 0, 0, 1], 2)).listening()));
        assert_eq!(port("replaced"), 2);
        assert_eq!(
            kinds()
                .iter()
                .filter(|kind| kind.name == "replaced")
                .count(),
            1
        );
    }

    #[test]
    fn unix_sockets_are_named_by_a_path_or_by_a_name() {
        for (text, shown) in [
            ("unix:/run/x", "unix:/run/x"),
            (r"unix:/run/a\:b:timeout=3", r"unix:/run/a\:b"),
            ("unix:@x", "unix:@x"),
            ("unix:path=./@x", "unix:./@x"),
        ] {
            let destination: Destination = text.destination().unwrap();
            assert_eq!(destination.to_string(), shown);
        }
        for wrong in [
            "unix",
            "unix:",
            "unix:@",
            "unix:/a\0b",
            "unix:/a:mode=600:x=1",
            "unix:/a:b",
        ] {
            assert!(wrong.destination().is_err(), "{wrong:?}");
            assert!(wrong.listening().is_err(), "{wrong:?}");
        }
    }
}
