//! What holds for every seed.

use proptest::prelude::*;

use super::probe::{Probe, Seen, run_all, secs};
use crate::{Faults, Mood, Random, Recording, World};

/// Clients that send what a seed draws, and servers that echo it; everything is closed in the end.
struct Story {
    world: World,
    server: Probe,
    client: Probe,
    /// What each client connection wrote.
    written: Vec<(ropewalk_core::driver::ConnId, Vec<u8>)>,
}

impl Story {
    fn new(seed: u64, faults: Faults, mood: Mood) -> Self {
        let world = World::new(seed);
        world.record(Recording::Kept);
        world.set_faults(faults);
        world.set_mood(mood);
        let server = Probe::new(world.driver("server"));
        let client = Probe::new(world.driver("client"));
        Self {
            world,
            server,
            client,
            written: Vec::new(),
        }
    }

    fn tell(&mut self) {
        let mut random = self.world.random();
        self.server.log.echo = true;
        self.server.listen("10.0.0.1:80");
        for _ in 0..random.between(1..=6) {
            let conn = self.client.connect("10.0.0.1:80");
            self.written.push((conn, Vec::new()));
        }
        self.run(10);
        for step in 0..random.between(1..=10) {
            self.write_some(&mut random);
            self.pause_some(&mut random);
            self.run(10 + step);
        }
        self.end();
    }

    fn write_some(&mut self, random: &mut Random) {
        for (conn, written) in &mut self.written {
            let stream = &self.client.log.streams[conn];
            if stream.host.is_some() && !stream.over && random.chance(0.7) {
                let data: Vec<u8> = (0..random.skewed(20_000))
                    .map(|_| random.number() as u8)
                    .collect();
                written.extend_from_slice(&data);
                self.client.write(*conn, &data);
            }
        }
    }

    fn pause_some(&mut self, random: &mut Random) {
        for place in 0..self.server.log.accepted.len() {
            let conn = self.server.log.accepted[place];
            if !self.server.log.streams[&conn].over {
                match random.index(3) {
                    0 => self.server.pause(conn),
                    _ => self.server.resume(conn),
                }
            }
        }
    }

    /// All that was sent may arrive; then all is closed.
    fn end(&mut self) {
        for place in 0..self.server.log.accepted.len() {
            let conn = self.server.log.accepted[place];
            if !self.server.log.streams[&conn].over {
                self.server.resume(conn);
            }
        }
        self.run(2000);
        for (conn, _) in &self.written {
            if !self.client.log.streams[conn].over {
                self.client.close(*conn);
            }
        }
        self.run(3000);
        for place in 0..self.server.log.accepted.len() {
            let conn = self.server.log.accepted[place];
            if !self.server.log.streams[&conn].over {
                self.server.abort(conn);
            }
        }
        self.run(10_000);
    }

    fn run(&mut self, until: u64) {
        run_all(
            &self.world,
            &mut [&mut self.server, &mut self.client],
            secs(until),
        );
    }
}

fn mood() -> impl Strategy<Value = Mood> {
    prop_oneof![Just(Mood::Readiness), Just(Mood::Completion)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn without_loss_all_bytes_come_back_in_order(seed: u64, mood in mood()) {
        let mut story = Story::new(seed, Faults::gentle(), mood);
        story.tell();
        for (conn, written) in &story.written {
            prop_assert_eq!(story.client.received(*conn), written);
        }
        let failed = |seen: &Seen| matches!(seen, Seen::Failed(..) | Seen::ConnectFailed(..));
        prop_assert!(!story.client.log.seen.iter().any(failed));
    }

    #[test]
    fn with_every_fault_what_comes_is_a_beginning_of_what_was_sent(seed: u64, mood in mood()) {
        let mut story = Story::new(seed, Faults::all(), mood);
        story.tell();
        for (conn, written) in &story.written {
            prop_assert!(written.starts_with(story.client.received(*conn)));
        }
        let left = story.world.netstat();
        let left: Vec<_> = left.iter().filter(|socket| socket.peer.is_some()).collect();
        prop_assert!(left.is_empty(), "{:?}", left);
    }

    #[test]
    fn the_same_seed_gives_the_same_trace(seed: u64, mood in mood()) {
        let trace = |seed| {
            let mut story = Story::new(seed, Faults::all(), mood);
            story.tell();
            story.world.trace()
        };
        let (first, second) = (trace(seed), trace(seed));
        prop_assert_eq!(first.text(), second.text());
        prop_assert_ne!(first.hash(), trace(seed.wrapping_add(1)).hash());
    }
}
