//! Simulated name look-ups: late, stale, failing or never answered.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use ropewalk_core::driver::LookupId;

use crate::host::Ready;
use crate::network::Network;
use crate::schedule::Happening;

/// What a look-up of a name yields.
///
/// ```
/// use std::net::IpAddr;
/// use ropewalk_sim::{Answer, World};
///
/// let world = World::new(1);
/// world.name("example.com", ["192.0.2.1".parse::<IpAddr>().unwrap()]);
/// world.name("gone.example", Answer::Failure("no such host".to_owned()));
/// world.name("slow.example", Answer::Silence);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Addresses, the preferred first.
    Addresses(Vec<IpAddr>),
    /// An error with this text.
    Failure(String),
    /// Nothing, ever.
    Silence,
}

impl<const N: usize> From<[IpAddr; N]> for Answer {
    fn from(addresses: [IpAddr; N]) -> Self {
        Self::Addresses(addresses.to_vec())
    }
}

impl From<Vec<IpAddr>> for Answer {
    fn from(addresses: Vec<IpAddr>) -> Self {
        Self::Addresses(addresses)
    }
}

/// The names that the user gave, in lower case, without the final dot.
#[derive(Debug, Default)]
pub(crate) struct Names {
    table: BTreeMap<String, (Duration, Answer)>,
}

impl Names {
    pub(crate) fn set(&mut self, name: &str, after: Duration, answer: Answer) {
        self.table.insert(normal(name), (after, answer));
    }
}

fn normal(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

/// A look-up under way, or its result that was not yet told.
#[derive(Debug)]
pub(crate) struct Lookup {
    pub(crate) name: String,
    result: Option<io::Result<Vec<IpAddr>>>,
}

impl Network {
    /// How long a look-up takes when nothing else is said.
    pub(crate) const LOOKUP_TIME: Duration = Duration::from_millis(1);

    pub(crate) fn look_up(&mut self, host: usize, name: &str) -> LookupId {
        let lookup = Lookup {
            name: name.to_owned(),
            result: None,
        };
        let id = LookupId(self.hosts[host].lookups.insert(lookup));
        self.note(host, format_args!("looks up {name}"));
        let silent = self.random.chance(self.faults.lookup_silence);
        let (after, answer) = self.answer_for(name);
        if !silent && answer != Answer::Silence {
            let late = self.random.duration(self.faults.lookup_delay);
            self.plan(after + late, Happening::LookedUp { host, lookup: id });
        }
        id
    }

    pub(crate) fn cancel_lookup(&mut self, host: usize, lookup: LookupId) {
        if let Some(lookup) = self.hosts[host].lookups.remove(lookup.0) {
            self.note(host, format_args!("gives up looking up {}", lookup.name));
        }
    }

    /// The answer is what the table says when it comes, not when it was asked.
    pub(crate) fn looked_up(&mut self, host: usize, lookup: LookupId) {
        let Some(name) = self.hosts[host]
            .lookups
            .get(lookup.0)
            .map(|lookup| lookup.name.clone())
        else {
            return;
        };
        let failure = |text: &str| Err(io::Error::new(io::ErrorKind::NotFound, text.to_owned()));
        let result = if self.random.chance(self.faults.lookup_failure) {
            failure("temporary failure in name resolution")
        } else {
            match self.answer_for(&name).1 {
                Answer::Addresses(addresses) => Ok(addresses),
                Answer::Failure(text) => failure(&text),
                Answer::Silence => return,
            }
        };
        if let Some(waiting) = self.hosts[host].lookups.get_mut(lookup.0) {
            waiting.result = Some(result);
            self.hosts[host].ready.push_back(Ready::Lookup(lookup));
        }
    }

    pub(crate) fn take_looked_up(
        &mut self,
        host: usize,
        lookup: LookupId,
    ) -> Option<io::Result<Vec<IpAddr>>> {
        let lookup = self.hosts[host].lookups.remove(lookup.0)?;
        match &lookup.result {
            Some(Ok(addresses)) => {
                self.note(
                    host,
                    format_args!("looked up {}: {addresses:?}", lookup.name),
                );
            }
            Some(Err(error)) => {
                self.note(host, format_args!("looked up {}: {error}", lookup.name));
            }
            None => {}
        }
        lookup.result
    }

    fn answer_for(&self, name: &str) -> (Duration, Answer) {
        let name = normal(name);
        if let Some(said) = self.names.table.get(&name) {
            return said.clone();
        }
        let answer = if name == "localhost" {
            [
                IpAddr::V4(Ipv4Addr::LOCALHOST),
                IpAddr::V6(Ipv6Addr::LOCALHOST),
            ]
            .into()
        } else if let Some(host) = self.host_named(&name) {
            self.hosts[host].addresses.clone().into()
        } else {
            Answer::Failure("no such host".to_owned())
        };
        (Self::LOOKUP_TIME, answer)
    }
}
