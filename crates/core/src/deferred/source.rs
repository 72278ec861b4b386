//! Who works for a result, and how to tell them that it is no longer wanted.

use std::mem;
use std::panic::Location;
use std::rc::{Rc, Weak};

use crate::deferred::cancel::{Cancellable, Canceller, Cancelling};
use crate::deferred::node::{Node, State};
use crate::deferred::resolver::Resolver;
use crate::failure::{Cancelled, Failure};
use crate::handle::Handle;
use crate::slots::Key;

/// Whom to tell that the result is no longer wanted.
pub(crate) enum Source<T: 'static> {
    /// Nobody.
    None,
    /// The node whose result this one waits for.
    Upstream(Weak<dyn Cancellable>),
    /// All members of a list, which then fire it by their results.
    Members(Vec<Canceller>),
    /// The task whose result it is.
    Task(Key),
    /// A function of the user.
    Canceller(Cancel<T>),
    /// The lock or queue that it waits for or got its value from, and its number there.
    Desk(Weak<dyn Desk<T>>, u64),
}

/// A user's function that stops the work for a result.
pub(crate) type Cancel<T> = Box<dyn FnOnce(&Resolver<T>)>;

/// Where Deferreds stand in line: it lets go of those who leave, and takes back what they did not take.
pub(crate) trait Desk<T> {
    /// Forgets the one with this number.
    fn leave(&self, number: u64);

    /// Takes back a value that was given to a Deferred that nobody looked at.
    fn take_back(self: Rc<Self>, number: u64, value: T);
}

impl<T: 'static> Cancellable for Node<T> {
    fn cancel_step(self: Rc<Self>, cancelling: &mut Cancelling) {
        let mut core = self.core();
        if core.is_settled() {
            return;
        }
        core.cancelled = Some(cancelling.location());
        match mem::replace(&mut core.source, Source::None) {
            Source::None => {
                core.swallow = true;
                drop(core);
                self.deliver(Err(Failure::at(Cancelled, cancelling.location())));
            }
            Source::Upstream(weak) => {
                let upstream = weak.upgrade();
                core.source = Source::Upstream(weak);
                drop(core);
                match upstream {
                    Some(upstream) if upstream.is_on_its_way() => {
                        cancelling.again_soon(self.tasks(), self.clone());
                    }
                    Some(upstream) => cancelling.push(upstream),
                    None => {}
                }
            }
            Source::Members(members) => {
                cancelling.extend(members.iter().filter_map(Canceller::node));
                core.source = Source::Members(members);
            }
            Source::Task(key) => {
                core.source = Source::Task(key);
                drop(core);
                self.tasks().cancel_task(key, cancelling);
            }
            Source::Canceller(canceller) => {
                drop(core);
                self.cancel_by_canceller(canceller, cancelling.location());
            }
            Source::Desk(desk, number) => {
                drop(core);
                self.deliver(Err(Failure::at(Cancelled, cancelling.location())));
                if let Some(desk) = desk.upgrade() {
                    desk.leave(number);
                }
            }
        }
    }

    fn is_on_its_way(&self) -> bool {
        self.is_settled()
    }

    fn is_awaited_by(&self, task: Key) -> bool {
        matches!(self.core().state, State::Awaited(_, Some(by)) if by == task)
    }

    fn made(&self) -> &'static Location<'static> {
        self.birthplace()
    }
}

impl<T: 'static> Node<T> {
    fn cancel_by_canceller(self: Rc<Self>, canceller: Cancel<T>, at: &'static Location<'static>) {
        let tasks = self.tasks().clone();
        tasks.call_soon_at(at, move |_: &Handle| {
            let resolver = Resolver::from_node(self);
            if !resolver.node().is_settled() {
                canceller(&resolver);
                resolver.node().deliver(Err(Failure::at(Cancelled, at)));
            }
        });
    }
}
