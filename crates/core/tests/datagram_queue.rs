//! The law of the queue of datagrams: whatever is pushed, removed and lost, it is a list of datagrams with two bounds.

use std::collections::VecDeque;
use std::io;

use proptest::prelude::*;
use ropewalk_core::Address;
use ropewalk_core::driver::DatagramQueue;

#[derive(Clone, Debug)]
enum Step {
    /// So many datagrams of that length to that port; 0 is the connected peer.
    Push(usize, usize, u16),
    /// Forget so many, or all there are.
    Remove(usize),
    Lose,
    Clear,
}

fn step() -> impl Strategy<Value = Step> {
    let push = |count: usize, len: usize| (1..=count, 0..=len, 0..3_u16);
    prop_oneof![
        6 => push(4, 200).prop_map(|(count, len, port)| Step::Push(count, len, port)),
        1 => push(5, 300_000).prop_map(|(count, len, port)| Step::Push(count, len, port)),
        1 => push(3000, 1).prop_map(|(count, len, port)| Step::Push(count, len, port)),
        5 => (0..40_usize).prop_map(Step::Remove),
        1 => (0..3000_usize).prop_map(Step::Remove),
        2 => Just(Step::Lose),
        1 => Just(Step::Clear),
    ]
}

#[derive(Default)]
struct Model {
    waiting: VecDeque<(Vec<u8>, Option<Address>)>,
    lost: u64,
}

impl Model {
    fn bytes(&self) -> usize {
        self.waiting.iter().map(|(data, _)| data.len()).sum()
    }

    fn push(&mut self, data: Vec<u8>, peer: Option<Address>) -> bool {
        let fits = self.waiting.len() < DatagramQueue::MOST_DATAGRAMS
            && self.bytes() + data.len() <= DatagramQueue::MOST_BYTES;
        if fits {
            self.waiting.push_back((data, peer));
        }
        fits
    }

    fn take(&mut self, step: &Step, queue: &mut DatagramQueue, fill: u8) {
        match *step {
            Step::Push(count, len, port) => {
                let peer = (port > 0).then(|| Address::Udp(([192, 0, 2, 1], port).into()));
                let data = vec![fill; len];
                for _ in 0..count {
                    let taken = queue.push(&data, peer.as_ref());
                    assert_eq!(taken, self.push(data.clone(), peer.clone()));
                }
            }
            Step::Remove(count) => {
                let count = count.min(self.waiting.len());
                queue.remove(count);
                self.waiting.drain(..count);
            }
            Step::Lose => {
                queue.lose(io::ErrorKind::OutOfMemory.into());
                self.lost += u64::from(self.waiting.pop_front().is_some());
            }
            Step::Clear => {
                queue.clear();
                self.waiting.clear();
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn it_is_a_bounded_list_of_datagrams(steps in prop::collection::vec(step(), 1..40)) {
        let (mut queue, mut model) = (DatagramQueue::default(), Model::default());
        for (index, step) in steps.iter().enumerate() {
            model.take(step, &mut queue, index as u8);
            prop_assert_eq!((queue.len(), queue.is_empty()), (model.waiting.len(), model.waiting.is_empty()));
            prop_assert_eq!(queue.waiting_bytes(), model.bytes());
            let wanted = model.waiting.iter().map(|(data, peer)| (&data[..], peer.as_ref()));
            prop_assert!(queue.iter().eq(wanted), "after step {}", index);
            let half = model.waiting.len() / 2;
            let first: Vec<u8> = model.waiting.iter().take(half).flat_map(|(data, _)| data.clone()).collect();
            prop_assert!(queue.first_bytes(half) == first);
        }
        let lost = queue.take_lost().map_or(0, |(count, _)| count);
        prop_assert_eq!(lost, model.lost);
    }
}
