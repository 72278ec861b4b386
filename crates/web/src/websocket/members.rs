//! Who listens to a topic.

use std::collections::HashMap;
use std::rc::Rc;

use super::socket::WebSocket;

/// WebSockets, each once. They are told in the order in which they came, until one leaves: the last takes its place.
#[derive(Default)]
pub(super) struct Members {
    all: Vec<WebSocket>,
    /// Where each is; only looked up, so that the order is the same in every run.
    places: HashMap<usize, usize>,
    /// With so many, those that are closed are looked for: who comes and goes for ever fills no memory.
    sweep_at: usize,
}

/// Fewer than this are not worth a look.
const SWEEP_FROM: usize = 32;

impl Members {
    pub(super) fn add(&mut self, socket: &WebSocket) {
        if !socket.is_open() || self.places.contains_key(&name(socket)) {
            return;
        }
        if self.all.len() >= self.sweep_at {
            self.sweep();
            self.sweep_at = SWEEP_FROM.max(2 * self.all.len());
        }
        self.places.insert(name(socket), self.all.len());
        self.all.push(socket.clone());
    }

    pub(super) fn remove(&mut self, socket: &WebSocket) -> bool {
        let Some(place) = self.places.remove(&name(socket)) else {
            return false;
        };
        self.all.swap_remove(place);
        if let Some(moved) = self.all.get(place) {
            self.places.insert(name(moved), place);
        }
        true
    }

    /// Forgets those that are closed.
    pub(super) fn sweep(&mut self) {
        let before = self.all.len();
        self.all.retain(WebSocket::is_open);
        if self.all.len() < before {
            let places = self.all.iter().enumerate();
            self.places = places
                .map(|(place, socket)| (name(socket), place))
                .collect();
        }
    }

    pub(super) fn all(&self) -> &[WebSocket] {
        &self.all
    }
}

/// What no other that is a member has.
fn name(socket: &WebSocket) -> usize {
    Rc::as_ptr(&socket.0).addr()
}
