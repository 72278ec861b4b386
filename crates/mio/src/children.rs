//! The child processes of a driver.

use std::io;
use std::os::fd::AsRawFd;
use std::process::Child;
use std::sync::{Mutex, PoisonError};

use mio::unix::SourceFd;
use mio::{Interest, Registry};
use ropewalk_core::address::Address;
use ropewalk_core::driver::{ConnId, Event, Handler, ProcessId, Processes, Spawned};
use ropewalk_core::process::{SignalNumber, Spawn};
use ropewalk_core::slots::{Key, Slots};
use signal_hook::consts::SIGCHLD;
use signal_hook_mio::v1_0::Signals;

use crate::child::{End, Plan, Watch, exit_status, signal};
use crate::driver::MioDriver;
use crate::pair::Pair;
use crate::socket::Socket;
use crate::token::Target;

#[derive(Default)]
pub(crate) struct Children {
    children: Slots<(Child, Watch)>,
    /// Where the kernel has nothing better.
    exits: Option<Signals>,
}

/// Children of drivers that are gone, to be waited for when others are started, so that at most a few stay as zombies.
static ORPHANS: Mutex<Vec<Child>> = Mutex::new(Vec::new());

impl Children {
    fn add(&mut self, child: Child, watch: Watch, registry: &Registry) -> io::Result<ProcessId> {
        let key = self.children.insert((child, watch));
        self.watch(key, registry).inspect_err(|_| self.undo(key))?;
        Ok(ProcessId(key))
    }

    fn watch(&mut self, key: Key, registry: &Registry) -> io::Result<()> {
        let Some((_, watch)) = self.children.get(key) else {
            return Ok(());
        };
        if let Some(descriptor) = watch.descriptor() {
            let token = Target::Child(key).token();
            let descriptor = descriptor.as_raw_fd();
            return registry.register(&mut SourceFd(&descriptor), token, Interest::READABLE);
        }
        if self.exits.is_none() {
            let mut exits = Signals::new([SIGCHLD])?;
            registry.register(&mut exits, Target::Exits.token(), Interest::READABLE)?;
            self.exits = Some(exits);
            // The first may have exited before anybody listened.
            signal_hook::low_level::raise(SIGCHLD)?;
        }
        Ok(())
    }

    /// Nothing half-done.
    fn undo(&mut self, key: Key) {
        if let Some((child, _)) = self.children.remove(key) {
            end(child);
        }
    }

    /// The kernel says that a child has exited.
    pub(crate) fn serve(&mut self, key: Key, handler: &mut dyn Handler) {
        let Some((child, _)) = self.children.get_mut(key) else {
            return;
        };
        if let Some(status) = exit_status(child) {
            self.children.remove(key);
            let process = ProcessId(key);
            handler.event(Event::ProcessExited { process, status });
        }
    }

    /// The kernel says that some child has exited.
    pub(crate) fn serve_all(&mut self, handler: &mut dyn Handler) {
        if let Some(exits) = &mut self.exits {
            exits.pending().for_each(drop);
        }
        for key in self.children.keys() {
            self.serve(key, handler);
        }
    }
}

impl Drop for Children {
    fn drop(&mut self) {
        let mut orphans = ORPHANS.lock().unwrap_or_else(PoisonError::into_inner);
        for key in self.children.keys() {
            orphans.extend(self.children.remove(key).map(|(child, _)| child));
        }
        wait_for(&mut orphans);
    }
}

fn wait_for(orphans: &mut Vec<Child>) {
    orphans.retain_mut(|child| exit_status(child).is_none());
}

/// Ends a child that nobody will hear of. A killed one ends at once, so waiting does not block for long.
fn end(mut child: Child) {
    let ended = child.kill().and_then(|()| child.wait());
    if let Err(error) = ended {
        tracing::warn!(pid = child.id(), %error, "a child cannot be ended");
    }
}

impl Processes for MioDriver {
    fn spawn(&mut self, spawn: &Spawn) -> io::Result<Spawned> {
        wait_for(&mut ORPHANS.lock().unwrap_or_else(PoisonError::into_inner));
        let mut plan = Plan::new(spawn)?;
        let child = plan.start(spawn)?;
        let pid = child.id();
        let watch = match Watch::new(&child) {
            Ok(watch) => watch,
            Err(error) => {
                end(child);
                return Err(error);
            }
        };
        let process = self.children.add(child, watch, self.poll.registry())?;
        match self.adopt_pipes(plan, pid) {
            Ok(pipes) => Ok(Spawned {
                process,
                pid,
                pipes,
            }),
            Err(error) => {
                self.children.undo(process.0);
                Err(error)
            }
        }
    }

    fn signal(&mut self, process: ProcessId, number: SignalNumber) -> io::Result<()> {
        match self.children.children.get(process.0) {
            Some((child, watch)) => signal(child, watch, number),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }
}

impl MioDriver {
    fn adopt_pipes(&mut self, plan: Plan, pid: u32) -> io::Result<Vec<(u32, ConnId)>> {
        let mut adopted = Vec::new();
        let outcome = self.adopt_each(plan, pid, &mut adopted);
        if let Err(error) = outcome {
            for (_, conn) in adopted {
                self.sockets.abort(conn);
            }
            return Err(error);
        }
        Ok(adopted)
    }

    fn adopt_each(
        &mut self,
        plan: Plan,
        pid: u32,
        adopted: &mut Vec<(u32, ConnId)>,
    ) -> io::Result<()> {
        let registry = self.poll.registry();
        let mut adopt = |number, read, write| {
            let pair = Pair::of_child(read, write, Address::Process(pid))?;
            let socket = Socket::Pair(Box::new(pair));
            let (conn, _) = self.sockets.adopt(socket, registry)?;
            adopted.push((number, conn));
            Ok::<(), io::Error>(())
        };
        for (number, end) in plan.pipes {
            match end {
                End::Read(read) => adopt(number, Some(read), None)?,
                End::Write(write) => adopt(number, None, Some(write))?,
            }
        }
        let (mut first, mut ends) = (None, (None, None));
        for (number, end) in plan.stream {
            first.get_or_insert(number);
            match end {
                End::Read(read) => ends.0 = Some(read),
                End::Write(write) => ends.1 = Some(write),
            }
        }
        first.map_or(Ok(()), |number| adopt(number, ends.0, ends.1))
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::time::Duration;

    use mio::{Events, Poll};
    use ropewalk_core::buffer::{Outgoing, Pool};
    use ropewalk_core::driver::{Demand, Sent};
    use ropewalk_core::process::ExitStatus;

    use super::*;

    #[derive(Default)]
    struct Told(Vec<(ProcessId, ExitStatus)>);

    impl Handler for Told {
        fn event(&mut self, event: Event<'_>) -> Demand {
            if let Event::ProcessExited { process, status } = event {
                self.0.push((process, status));
            }
            Demand::Continue
        }

        fn flush(
            &mut self,
            _: ConnId,
            _: &mut dyn FnMut(&mut Outgoing, &mut Pool) -> Sent,
        ) -> Demand {
            Demand::Continue
        }
    }

    #[test]
    fn r090_an_exit_is_noticed_by_a_signal_where_there_is_nothing_better() {
        let mut poll = Poll::new().unwrap();
        let (mut children, mut told) = (Children::default(), Told::default());
        let mut expected = Vec::new();
        for code in 0..5 {
            let child = Command::new("/bin/sh")
                .args(["-c", &format!("exit {code}")])
                .spawn()
                .unwrap();
            let process = children.add(child, Watch::Signal, poll.registry()).unwrap();
            expected.push((process, ExitStatus::Code(code)));
        }
        let mut events = Events::with_capacity(8);
        while told.0.len() < expected.len() {
            match poll.poll(&mut events, Some(Duration::from_secs(20))) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                polled => polled.unwrap(),
            }
            assert!(!events.is_empty(), "nothing came: {:?}", told.0);
            assert!(
                events
                    .iter()
                    .all(|event| Target::of(event.token()) == Target::Exits)
            );
            children.serve_all(&mut told);
        }
        told.0.sort_by_key(|(process, _)| *process);
        assert_eq!(told.0, expected);
    }
}
