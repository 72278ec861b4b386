//! A bounded queue into one core, from any thread.
//!
//! ```text
//!   any core ── send ──► queue ──► the task that serves it, which sleeps while it is empty
//! ```

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, TrySendError, sync_channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// How many messages may wait for one core, unless the hub is told otherwise.
///
/// The attack: whoever makes one core send without end to another that is slower. Beyond it the sender is refused, and
/// may drop the message or slow down its own peer.
pub const MAILBOX_MESSAGES: usize = 16 * 1024;

/// A queue of bounded length. Sending and receiving take no lock; waking a core that sleeps does.
pub(crate) struct Mailbox<T> {
    sender: SyncSender<T>,
    receiver: Mutex<Option<Receiver<T>>>,
    /// The task found the queue empty and left a waker.
    sleeps: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

/// Why a message was not taken; it comes back.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum SendError<M> {
    /// Too many wait there already ([`MAILBOX_MESSAGES`]).
    Full(M),
    /// That core is gone.
    Gone(M),
}

impl<T> Mailbox<T> {
    pub(crate) fn new(messages: usize) -> Self {
        let (sender, receiver) = sync_channel(messages);
        Self {
            sender,
            receiver: Mutex::new(Some(receiver)),
            sleeps: AtomicBool::new(false),
            waker: Mutex::new(None),
        }
    }

    /// The end to receive at, once.
    pub(crate) fn take_inbox(&self) -> Option<Inbox<T>> {
        locked(&self.receiver).take().map(Inbox)
    }

    pub(crate) fn send(&self, message: T) -> Result<(), SendError<T>> {
        self.sender.try_send(message).map_err(|error| match error {
            TrySendError::Full(message) => SendError::Full(message),
            TrySendError::Disconnected(message) => SendError::Gone(message),
        })?;
        if self.sleeps.swap(false, Ordering::SeqCst) {
            let waker = locked(&self.waker).take();
            waker.into_iter().for_each(Waker::wake);
        }
        Ok(())
    }

    /// The next message, or the promise to wake the task when there is one; `None` when none can ever come.
    pub(crate) fn poll_receive(&self, inbox: &Inbox<T>, context: &Context<'_>) -> Poll<Option<T>> {
        if let Poll::Ready(received) = inbox.look() {
            return Poll::Ready(received);
        }
        *locked(&self.waker) = Some(context.waker().clone());
        self.sleeps.store(true, Ordering::SeqCst);
        // A sender that came between the two looks saw no sleeper.
        inbox.look()
    }
}

/// The receiving end of a mailbox.
pub(crate) struct Inbox<T>(Receiver<T>);

impl<T> Inbox<T> {
    fn look(&self) -> Poll<Option<T>> {
        match self.0.try_recv() {
            Ok(message) => Poll::Ready(Some(message)),
            Err(TryRecvError::Empty) => Poll::Pending,
            Err(TryRecvError::Disconnected) => Poll::Ready(None),
        }
    }
}

/// Nothing of the user's runs under these locks, so a poisoned one is as good as any.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<M> SendError<M> {
    /// The message, to try again.
    pub fn into_message(self) -> M {
        match self {
            Self::Full(message) | Self::Gone(message) => message,
        }
    }

    /// The same about what the message carries.
    pub(crate) fn map<N>(self, map: impl FnOnce(M) -> N) -> SendError<N> {
        match self {
            Self::Full(message) => SendError::Full(map(message)),
            Self::Gone(message) => SendError::Gone(map(message)),
        }
    }
}

impl<M> fmt::Display for SendError<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full(_) => {
                "the mailbox of that core is full: it is slower than those who send to it"
            }
            Self::Gone(_) => "that core is gone",
        })
    }
}

impl<M> fmt::Debug for SendError<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full(_) => "Full(..)",
            Self::Gone(_) => "Gone(..)",
        })
    }
}

impl<M> std::error::Error for SendError<M> {}
