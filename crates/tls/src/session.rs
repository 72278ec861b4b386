//! One session of rustls, of either side, over memory that is not its own.
//!
//! rustls's unbuffered connection decrypts in the driver's buffer and encrypts into the connection's, so a session that says
//! nothing owns no buffer at all. It hands out one state at a time; this file turns the crank.

use std::cell::Cell;

use rustls::client::UnbufferedClientConnection;
use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::{
    ConnectionState, EncodeError, EncodeTlsData, EncryptError, UnbufferedStatus,
};
use rustls::{CommonState, Error};

pub(crate) enum Session {
    Client(UnbufferedClientConnection),
    Server(UnbufferedServerConnection),
}

/// What one turn of the crank brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// There may be more to do.
    Again,
    /// Nothing to do without more bytes.
    Idle,
    /// The peer said that it sends no more.
    Ended,
}

/// A record without room for its overhead is at most this much longer (RFC 5246 section 6.2.3, RFC 8446 section 5.2).
const OVERHEAD_BYTES: usize = 64;

/// The most plaintext in a record.
const RECORD_BYTES: usize = 16 * 1024;

thread_local! {
    // Layers above may change what they get, rustls lends what it decrypted for reading only: it is copied here. Memory of
    // the thread, so that no connection has any.
    static PLAIN: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

impl Session {
    pub(crate) fn state(&self) -> &CommonState {
        match self {
            Self::Client(session) => session,
            Self::Server(session) => session,
        }
    }

    /// Works on records at the front of `data`; gives how many bytes are done with, and whether the peer ended its side.
    pub(crate) fn receive(
        &mut self,
        data: &mut [u8],
        up: &mut dyn FnMut(&mut [u8]),
        down: &mut Vec<u8>,
    ) -> Result<(usize, bool), Error> {
        let (mut done, mut ended) = (0, false);
        loop {
            let rest = &mut data[done..];
            let (discard, step) = match self {
                Self::Client(session) => turn(session.process_tls_records(rest), up, down),
                Self::Server(session) => turn(session.process_tls_records(rest), up, down),
            };
            done += discard;
            match step? {
                Step::Again => {}
                Step::Ended => ended = true,
                Step::Idle => return Ok((done, ended)),
            }
        }
    }

    /// Says what the session has to say before it hears anything: a hello.
    pub(crate) fn begin(&mut self, down: &mut Vec<u8>) -> Result<(), Error> {
        self.receive(&mut [], &mut |_| {}, down).map(|_| ())
    }

    /// Says what is left to say after an error: an alert. Nothing else may be asked of a session that failed.
    pub(crate) fn end(&mut self, down: &mut Vec<u8>) {
        while self.state().wants_write() {
            let (_, step) = match self {
                Self::Client(session) => {
                    turn(session.process_tls_records(&mut []), &mut |_| {}, down)
                }
                Self::Server(session) => {
                    turn(session.process_tls_records(&mut []), &mut |_| {}, down)
                }
            };
            if step != Ok(Step::Again) {
                return;
            }
        }
    }

    /// Encrypts; false when the session cannot, or cannot any more. `tail` is what `receive` left: rustls may have
    /// looked into it already, and wants to see it again.
    pub(crate) fn send(&mut self, data: &[u8], tail: &mut [u8], down: &mut Vec<u8>) -> bool {
        self.say(Say::Data(data), tail, down)
    }

    /// Says the close alert. Before the handshake is over there are no keys to say it with, and it is left out.
    pub(crate) fn close(&mut self, tail: &mut [u8], down: &mut Vec<u8>) {
        self.say(Say::Goodbye, tail, down);
    }

    fn say(&mut self, say: Say<'_>, tail: &mut [u8], down: &mut Vec<u8>) -> bool {
        loop {
            let said = match self {
                Self::Client(session) => encrypt(session.process_tls_records(tail), say, down),
                Self::Server(session) => encrypt(session.process_tls_records(tail), say, down),
            };
            if let Some(said) = said {
                return said;
            }
        }
    }
}

/// What goes out encrypted.
#[derive(Clone, Copy)]
enum Say<'a> {
    Data(&'a [u8]),
    Goodbye,
}

impl Say<'_> {
    /// How much room it needs, seldom more.
    fn room(self) -> usize {
        match self {
            Self::Data(data) => data.len() + data.len().div_ceil(RECORD_BYTES) * OVERHEAD_BYTES,
            Self::Goodbye => OVERHEAD_BYTES,
        }
    }
}

fn turn<Data>(
    status: UnbufferedStatus<'_, '_, Data>,
    up: &mut dyn FnMut(&mut [u8]),
    down: &mut Vec<u8>,
) -> (usize, Result<Step, Error>) {
    let UnbufferedStatus { discard, state } = status;
    let step = match state {
        Err(error) => Err(error),
        Ok(ConnectionState::ReadTraffic(mut traffic)) => {
            let mut plain = PLAIN.take();
            let mut outcome = Ok(Step::Again);
            while let Some(record) = traffic.next_record() {
                match record {
                    Ok(record) => {
                        plain.clear();
                        plain.extend_from_slice(record.payload);
                        up(&mut plain);
                    }
                    Err(error) => outcome = Err(error),
                }
            }
            PLAIN.set(plain);
            outcome
        }
        Ok(ConnectionState::EncodeTlsData(data)) => {
            encode::<_, ()>(data, down);
            Ok(Step::Again)
        }
        Ok(ConnectionState::TransmitTlsData(data)) => {
            data.done();
            Ok(Step::Again)
        }
        Ok(ConnectionState::PeerClosed) => Ok(Step::Ended),
        Ok(ConnectionState::ReadEarlyData(_)) => {
            Err(Error::General("early data, which was not offered".into()))
        }
        Ok(_) => Ok(Step::Idle),
    };
    (discard, step)
}

/// What is encrypted in the state that allows it; nothing when another turn must come first.
fn encrypt<Data>(
    status: UnbufferedStatus<'_, '_, Data>,
    say: Say<'_>,
    down: &mut Vec<u8>,
) -> Option<bool> {
    match status.state {
        Ok(ConnectionState::WriteTraffic(mut traffic)) => {
            let said = append(down, say.room(), |room| {
                let written = match say {
                    Say::Data(data) => traffic.encrypt(data, room),
                    Say::Goodbye => traffic.queue_close_notify(room),
                };
                written.map_err(|error| match error {
                    EncryptError::InsufficientSize(size) => Some(size.required_size),
                    EncryptError::EncryptExhausted => None,
                })
            });
            Some(said)
        }
        Ok(ConnectionState::EncodeTlsData(data)) => encode(data, down),
        Ok(ConnectionState::TransmitTlsData(data)) => {
            data.done();
            None
        }
        _ => Some(false),
    }
}

/// A message of the session's own.
fn encode<Data, T>(mut data: EncodeTlsData<'_, Data>, down: &mut Vec<u8>) -> Option<T> {
    append(down, 0, |room| {
        data.encode(room).map_err(|error| match error {
            EncodeError::InsufficientSize(size) => Some(size.required_size),
            EncodeError::AlreadyEncoded => None,
        })
    });
    None
}

/// Lets `write` put bytes at the end, which says how much room it needs if it is not enough, or that it cannot at all.
fn append(
    down: &mut Vec<u8>,
    guess: usize,
    mut write: impl FnMut(&mut [u8]) -> Result<usize, Option<usize>>,
) -> bool {
    let (start, mut room) = (down.len(), guess);
    loop {
        down.resize(start + room, 0);
        match write(&mut down[start..]) {
            Ok(written) => {
                down.truncate(start + written);
                return true;
            }
            Err(Some(required)) if required > room => room = required,
            Err(_) => {
                down.truncate(start);
                return false;
            }
        }
    }
}
