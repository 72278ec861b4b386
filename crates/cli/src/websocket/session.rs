//! A WebSocket and a console, joined: neither is read faster than the other takes it.
//!
//! ```text
//!   line_typed ─► WebSocket            paused while there is none, or while it is full
//!   message ─► console                 the WebSocket is paused while the console is full
//!   input_ended ─► quiet for a while ─► 1000
//! ```

use std::cell::{Cell, RefCell};
use std::fmt::{self, Display, Write as _};
use std::io::Write as _;
use std::rc::Rc;
use std::time::Duration;

use ropewalk::timer::DelayedCall;
use ropewalk::web::websocket::{CloseCode, Ending, WebSocket, WebSocketProtocol};
use ropewalk::{Failure, Handle, Resolver, Transport};

/// How messages are made and shown.
#[derive(Clone, Debug, Default)]
pub(super) struct Style {
    /// Lines become binary messages.
    pub(super) sends_binary: bool,
    pub(super) binary: ShowBinary,
    /// Somebody looks at a terminal, who must not be at the mercy of the peer.
    pub(super) escapes: bool,
    /// One message is enough.
    pub(super) one: bool,
    /// Nothing is read from the console.
    pub(super) no_input: bool,
    /// How long it must be quiet after the end of the input; for ever, if nothing is said.
    pub(super) wait: Option<Duration>,
    /// The WebSocket is asked for again when it is lost.
    pub(super) comes_again: bool,
}

/// How bytes are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum ShowBinary {
    #[default]
    Length,
    Hex,
    Raw,
}

/// How a session ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// We had enough, or the peer had, and said so.
    Done,
    /// The peer ended it for a reason that is none to be happy with.
    Parted,
    /// We cannot go on.
    Failed(String),
}

pub(super) struct Session {
    handle: Handle,
    style: Style,
    console: RefCell<Option<Transport>>,
    socket: RefCell<Option<WebSocket>>,
    is_console_full: Cell<bool>,
    is_socket_full: Cell<bool>,
    has_input_ended: Cell<bool>,
    quiet: RefCell<Option<DelayedCall>>,
    done: RefCell<Option<Resolver<Outcome>>>,
    console_gone: RefCell<Option<Resolver<()>>>,
    /// The outcome is known but for the WebSocket's goodbye.
    outcome: RefCell<Option<Outcome>>,
}

/// The WebSocket's side of a session.
pub(super) struct Screen(pub(super) Rc<Session>);

impl Session {
    pub(super) fn new(
        handle: &Handle,
        style: Style,
        done: Resolver<Outcome>,
        console_gone: Resolver<()>,
    ) -> Rc<Self> {
        Rc::new(Self {
            handle: handle.clone(),
            style,
            console: RefCell::default(),
            socket: RefCell::default(),
            is_console_full: Cell::new(false),
            is_socket_full: Cell::new(false),
            has_input_ended: Cell::new(false),
            quiet: RefCell::default(),
            done: RefCell::new(Some(done)),
            console_gone: RefCell::new(Some(console_gone)),
            outcome: RefCell::default(),
        })
    }

    // ── The console ─────────────────────────────────────────────────────────────────────────────────────────────────

    pub(super) fn console_opened(&self, transport: &Transport) {
        *self.console.borrow_mut() = Some(transport.clone());
        self.adjust();
    }

    pub(super) fn set_console_full(&self, is_full: bool) {
        self.is_console_full.set(is_full);
        self.adjust();
    }

    pub(super) fn console_lost(&self) {
        self.console.take();
        if let Some(gone) = self.console_gone.take() {
            let _nobody_waits_any_more = gone.resolve(());
        }
        self.leave(Outcome::Done, CloseCode::NORMAL);
    }

    pub(super) fn line_typed(&self, line: &[u8]) {
        let socket = self.socket.borrow();
        let Some(socket) = &*socket else { return };
        match std::str::from_utf8(line) {
            _ if self.style.sends_binary => socket.send_binary(line),
            Ok(text) => socket.send_text(text),
            Err(error) => {
                let at = error.valid_up_to();
                self.fail(format_args!(
                    "the input is no UTF-8 from byte {at} of its message on, and texts must be; send it with --binary"
                ));
            }
        }
    }

    pub(super) fn input_ended(self: &Rc<Self>) {
        self.has_input_ended.set(true);
        self.wait_for_quiet();
    }

    /// The program stops: a WebSocket is told so by itself, and closed.
    pub(super) fn stop(&self) {
        if self.socket.borrow().is_none() {
            self.leave(Outcome::Done, CloseCode::GOING_AWAY);
        }
    }

    /// We cannot go on.
    pub(super) fn fail(&self, why: impl Display) {
        self.leave(Outcome::Failed(why.to_string()), CloseCode::NORMAL);
    }

    /// Leaves once nothing has come for a while.
    fn wait_for_quiet(self: &Rc<Self>) {
        let Some(wait) = self.style.wait else { return };
        let this = Rc::clone(self);
        let leave = move |_: &Handle| this.leave(Outcome::Done, CloseCode::NORMAL);
        let timer = self.handle.call_later(wait, leave);
        self.forget_quiet(Some(timer));
    }

    fn forget_quiet(&self, next: Option<DelayedCall>) {
        if let Some(timer) = self.quiet.replace(next) {
            let _it_may_have_run = timer.cancel();
        }
    }

    // ── The WebSocket ───────────────────────────────────────────────────────────────────────────────────────────────

    fn show(self: &Rc<Self>, message: impl FnOnce(&Style, &mut Vec<u8>)) {
        if self.outcome.borrow().is_some() {
            return;
        }
        if let Some(console) = &*self.console.borrow() {
            console.write_with(|out| message(&self.style, out));
        }
        if self.style.one {
            self.leave(Outcome::Done, CloseCode::NORMAL);
        } else if self.has_input_ended.get() {
            self.wait_for_quiet();
        }
    }

    fn opened(self: &Rc<Self>, socket: &WebSocket) {
        *self.socket.borrow_mut() = Some(socket.clone());
        let subprotocol = socket.subprotocol().map(|name| format!(", {name}"));
        let compressed = if socket.is_compressed() {
            ", compressed"
        } else {
            ""
        };
        complain(format_args!(
            "open{}{compressed}",
            subprotocol.unwrap_or_default()
        ));
        self.is_socket_full.set(false);
        if self.outcome.borrow().is_some() {
            return socket.close(CloseCode::NORMAL, "");
        }
        self.adjust();
    }

    fn set_socket_full(&self, is_full: bool) {
        self.is_socket_full.set(is_full);
        self.adjust();
    }

    fn lost(&self, ending: &Ending<'_>) {
        self.socket.take();
        self.adjust();
        let leaving = self.outcome.take();
        if leaving.is_none() {
            complain(format_args!("closed: {ending}"));
            if self.style.comes_again && !self.handle.is_stopping() {
                return;
            }
        }
        let is_fine = matches!(ending.code(), 1000 | 1001 | 1005);
        let is_ours = self.handle.is_stopping() || is_fine;
        self.finish(leaving.unwrap_or(match is_ours {
            true => Outcome::Done,
            false => Outcome::Parted,
        }));
    }

    // ── Both ────────────────────────────────────────────────────────────────────────────────────────────────────────

    /// Each side is read while the other takes what comes.
    fn adjust(&self) {
        let (console, socket) = (self.console.borrow(), self.socket.borrow());
        if let Some(console) = &*console {
            let takes = socket.is_some() && !self.is_socket_full.get() && !self.style.no_input;
            set_reading(console, takes && self.outcome.borrow().is_none());
        }
        if let Some(socket) = &*socket {
            set_reading(socket.transport(), !self.is_console_full.get());
        }
    }

    /// Says goodbye, if there is anybody to say it to.
    fn leave(&self, outcome: Outcome, code: CloseCode) {
        let is_first = self.outcome.borrow().is_none();
        if is_first {
            *self.outcome.borrow_mut() = Some(outcome);
        }
        self.forget_quiet(None);
        let socket = self.socket.borrow().clone();
        match socket {
            Some(socket) => socket.close(code, ""),
            None => {
                if let Some(outcome) = self.outcome.take() {
                    self.finish(outcome);
                }
            }
        }
    }

    fn finish(&self, outcome: Outcome) {
        self.forget_quiet(None);
        if let Some(done) = self.done.take() {
            let _nobody_waits_any_more = done.resolve(outcome);
        }
    }
}

fn set_reading(transport: &Transport, wanted: bool) {
    match (wanted, transport.is_reading_paused()) {
        (true, true) => transport.resume_reading(),
        (false, false) => transport.pause_reading(),
        _ => {}
    }
}

/// A line on standard error, where people are told things and programs do not look.
pub(super) fn complain(line: impl Display) {
    let _nobody_reads_it = writeln!(std::io::stderr(), "{line}");
}

/// Text with nothing in it that a terminal obeys, but for the ends of lines and tabs.
pub(super) struct Harmless<'a>(pub(super) &'a str);

impl Display for Harmless<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|letter| match letter {
            '\n' | '\t' => f.write_char(letter),
            letter if letter.is_control() => write!(f, "{}", letter.escape_default()),
            letter => f.write_char(letter),
        })
    }
}

impl Style {
    fn write_text(&self, text: &str, out: &mut Vec<u8>) {
        match self.escapes {
            true => out.extend_from_slice(Harmless(text).to_string().as_bytes()),
            false => out.extend_from_slice(text.as_bytes()),
        }
        out.push(b'\n');
    }

    fn write_binary(&self, data: &[u8], out: &mut Vec<u8>) {
        match self.binary {
            ShowBinary::Raw => return out.extend_from_slice(data),
            ShowBinary::Length => {
                out.extend_from_slice(format!("binary, {} bytes", data.len()).as_bytes());
            }
            ShowBinary::Hex => data.iter().for_each(|byte| {
                let digit = |half: u8| b"0123456789abcdef"[usize::from(half)];
                out.extend_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
            }),
        }
        out.push(b'\n');
    }
}

impl WebSocketProtocol for Screen {
    fn opened(&mut self, socket: &WebSocket) {
        self.0.opened(socket);
    }

    fn text_received(&mut self, _: &WebSocket, text: &str) {
        self.0.show(|style, out| style.write_text(text, out));
    }

    fn binary_received(&mut self, _: &WebSocket, data: &[u8]) {
        self.0.show(|style, out| style.write_binary(data, out));
    }

    fn writing_paused(&mut self, _: &WebSocket) {
        self.0.set_socket_full(true);
    }

    fn writing_resumed(&mut self, _: &WebSocket) {
        self.0.set_socket_full(false);
    }

    fn connection_lost(&mut self, _: &WebSocket, ending: &Ending<'_>) {
        self.0.lost(ending);
    }

    fn name(&self) -> &'static str {
        "WebSocketSession"
    }
}

impl Outcome {
    /// The exit status, or the failure that is told.
    pub(super) fn into_result(self) -> Result<(), Failure> {
        match self {
            Self::Done => Ok(()),
            Self::Parted => Err(Failure::new(ropewalk::Exit(2))),
            Self::Failed(why) => Err(Failure::message(why)),
        }
    }
}
