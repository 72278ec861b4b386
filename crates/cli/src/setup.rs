//! What a subcommand sets up before it serves.

use std::fmt::Display;

use ropewalk::endpoint::ServerEndpoint;
use ropewalk::{Factory, Failure, Limits, ListeningPort, Reactor, SharedFactory};

/// The time between the start of a subcommand and the moment that peers are told of it: what needs privilege is opened here,
/// and what is said here is said once nothing can fail any more.
#[derive(Debug)]
pub struct Setup {
    reactor: Reactor,
    lines: Vec<String>,
    hints: Vec<String>,
}

impl Setup {
    /// A setup on a reactor: for tests, on the simulated driver; the command makes its own.
    #[must_use]
    pub fn new(reactor: Reactor) -> Self {
        Self {
            reactor,
            lines: Vec::new(),
            hints: Vec::new(),
        }
    }

    /// The reactor that will run.
    pub fn reactor(&mut self) -> &mut Reactor {
        &mut self.reactor
    }

    /// Serves one factory at endpoints, each of which is printed as `listening on …`, with the real port.
    ///
    /// # Errors
    ///
    /// An endpoint cannot be had, and then none should be served.
    pub fn listen<E: ServerEndpoint>(
        &mut self,
        endpoints: impl IntoIterator<Item = E>,
        factory: impl Factory,
    ) -> Result<Vec<ListeningPort>, Failure> {
        self.listen_with(endpoints, Limits::default(), factory)
    }

    /// [`listen`](Self::listen) with other limits for each connection.
    ///
    /// # Errors
    ///
    /// As [`listen`](Self::listen).
    pub fn listen_with<E: ServerEndpoint>(
        &mut self,
        endpoints: impl IntoIterator<Item = E>,
        limits: Limits,
        factory: impl Factory,
    ) -> Result<Vec<ListeningPort>, Failure> {
        let factory = SharedFactory::new(factory);
        let mut ports = Vec::new();
        for endpoint in endpoints {
            let port = self
                .reactor
                .listen_with(endpoint, limits.clone(), factory.clone())?;
            self.say(format_args!("listening on {}", port.host()));
            ports.push(port);
        }
        Ok(ports)
    }

    /// Prints a line on stdout once it serves: for programs.
    pub fn say(&mut self, line: impl Display) {
        self.lines.push(line.to_string());
    }

    /// Prints a line on stderr once it serves: for people.
    pub fn hint(&mut self, line: impl Display) {
        self.hints.push(line.to_string());
    }

    /// What was to be said, on stdout and on stderr.
    pub(crate) fn take_words(&mut self) -> (Vec<String>, Vec<String>) {
        (
            std::mem::take(&mut self.lines),
            std::mem::take(&mut self.hints),
        )
    }
}
