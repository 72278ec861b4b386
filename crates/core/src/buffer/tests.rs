//! Laws of the queue.

use std::rc::Rc;

use super::*;
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    Write(usize),
    Share(usize),
    Advance(usize),
    TakeAndAppend,
    TakeFront(usize),
    File(usize),
    Fill(usize, usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..3000_usize).prop_map(Step::Write),
        (0..3 * COPY_BELOW_BYTES).prop_map(Step::Share),
        (0..9000_usize).prop_map(Step::Advance),
        Just(Step::TakeAndAppend),
        (1..9000_usize).prop_map(Step::TakeFront),
        (0..200_000_usize).prop_map(Step::File),
        (0..3000_usize, 0..2 * COPY_BELOW_BYTES)
            .prop_map(|(n, meanwhile)| Step::Fill(n, meanwhile)),
    ]
}

proptest! {
    #[test]
    fn bytes_leave_in_the_order_of_writes(steps in proptest::collection::vec(step(), 0..60)) {
        let (mut outgoing, mut pool, mut model) = (Outgoing::default(), Pool::default(), Vec::new());
        for (number, step) in steps.into_iter().enumerate() {
            let byte = number as u8;
            match step {
                Step::Write(n) => { outgoing.write(&vec![byte; n], &mut pool); model.extend(vec![byte; n]); }
                Step::Share(n) => { outgoing.write_shared(vec![byte; n].into(), &mut pool); model.extend(vec![byte; n]); }
                Step::Advance(n) => { let n = n.min(model.len()); outgoing.advance(n, &mut pool); model.drain(..n); }
                Step::TakeFront(n) => {
                    let front = outgoing.take_front(n, &mut pool).unwrap().to_vec();
                    let expected: Vec<u8> = model.drain(..n.min(model.len())).collect();
                    prop_assert_eq!(front, expected);
                }
                Step::File(n) => {
                    outgoing.write_file(FileRange::new(Rc::new(Bytes::from(vec![byte; n + 5])), 5, n));
                    model.extend(vec![byte; n]);
                }
                Step::TakeAndAppend => { let taken = outgoing.take(); outgoing.append(taken, &mut pool); }
                Step::Fill(n, meanwhile) => {
                    let mut end = outgoing.take_end(&mut pool);
                    let was_scattered = !end.is_head;
                    end.buffer.extend(vec![byte; n]);
                    if was_scattered { model.extend(vec![byte; n]); outgoing.put_back(end, &mut pool); }
                    else {
                        model.extend(vec![byte; n]);
                        model.extend(vec![!byte; meanwhile]);
                        outgoing.write_shared(vec![!byte; meanwhile].into(), &mut pool);
                        outgoing.put_back(end, &mut pool);
                    }
                }
            }
            let in_files = outgoing.rest.iter().any(Chunk::is_file);
            prop_assert_eq!(outgoing.held_bytes() < outgoing.len(), in_files);
            prop_assert_eq!(outgoing.len(), model.len());
            if in_files {
                outgoing.read_file(&mut pool).unwrap();
                prop_assert!(model.starts_with(outgoing.first()) && !outgoing.first().is_empty());
                continue;
            }
            let mut slices = [IoSlice::new(&[]); 64];
            let filled = outgoing.slices(&mut slices);
            let seen: Vec<u8> = slices[..filled].iter().flat_map(|slice| slice.to_vec()).collect();
            prop_assert_eq!(&seen, &model);
            prop_assert_eq!(&outgoing.to_vec(), &model);
            prop_assert_eq!(outgoing.len(), model.len());
            prop_assert!(model.is_empty() || !outgoing.first().is_empty());
            prop_assert_eq!(outgoing.is_scattered(), outgoing.first().len() < model.len());
        }
    }
}

#[derive(Clone, Debug)]
enum Passed {
    Write(usize),
    Share(usize),
    Fill(usize, usize),
    Pass,
    Send(usize),
    Requeue(usize),
}

fn passed() -> impl Strategy<Value = Passed> {
    prop_oneof![
        (0..5_usize).prop_map(Passed::Write),
        (0..2 * COPY_BELOW_BYTES).prop_map(Passed::Share),
        (0..5_usize, 0..3_usize).prop_map(|(n, late)| Passed::Fill(n, late)),
        Just(Passed::Pass),
        (1..9_usize).prop_map(Passed::Send),
        (1..9000_usize).prop_map(Passed::Requeue),
    ]
}

proptest! {
    /// Rule 89: each descriptor goes with the first byte written after it, whatever becomes of the queue meanwhile.
    #[test]
    fn r089_a_descriptor_goes_with_the_next_byte(steps in proptest::collection::vec(passed(), 0..80)) {
        let (mut outgoing, mut pool) = (Outgoing::default(), Pool::default());
        // What is owed, in order: bytes, and descriptors by number.
        let (mut owed, mut next) = (VecDeque::<Option<usize>>::new(), 0);
        for step in steps {
            match step {
                Passed::Write(n) => { outgoing.write(&vec![0; n], &mut pool); owed.extend(vec![None; n]); }
                Passed::Share(n) => { outgoing.write_shared(vec![0; n].into(), &mut pool); owed.extend(vec![None; n]); }
                Passed::Fill(n, late) => {
                    let mut end = outgoing.take_end(&mut pool);
                    end.buffer.extend(vec![0; n]);
                    let was_head = end.is_head;
                    if was_head && outgoing.pass(Descriptor::new(next)).is_ok() {
                        outgoing.write(&vec![0; late], &mut pool);
                        owed.extend(vec![None; n]);
                        owed.push_back(Some(next));
                        owed.extend(vec![None; late]);
                        next += 1;
                    } else {
                        owed.extend(vec![None; n]);
                    }
                    outgoing.put_back(end, &mut pool);
                }
                Passed::Pass => if outgoing.pass(Descriptor::new(next)).is_ok() { owed.push_back(Some(next)); next += 1; },
                Passed::Requeue(n) => {
                    let mut front = outgoing.take_front(n, &mut pool).unwrap();
                    front.append(outgoing.take(), &mut pool);
                    outgoing = front;
                }
                Passed::Send(n) => while !outgoing.is_empty() {
                    let count = outgoing.first().len().min(outgoing.until_descriptor()).min(n * 1000);
                    for descriptor in outgoing.descriptors() {
                        prop_assert_eq!(owed.pop_front(), Some(descriptor.inner::<usize>().copied()));
                    }
                    outgoing.advance(count, &mut pool);
                    let sent: Vec<_> = owed.drain(..count).collect();
                    prop_assert!(sent.iter().all(Option::is_none));
                    if n % 2 == 0 { break }
                },
            }
        }
        let waiting = owed.iter().flatten().count();
        prop_assert_eq!(waiting > 0, outgoing.has_descriptors());
    }
}

#[test]
fn no_more_descriptors_wait_than_the_limit() {
    let mut outgoing = Outgoing::default();
    for number in 0..MOST_DESCRIPTORS {
        assert!(outgoing.pass(Descriptor::new(number)).is_ok());
    }
    assert!(outgoing.pass(Descriptor::new("one too many")).is_err());
}

#[test]
fn a_lone_chunk_is_shared_whatever_its_size() {
    let (mut outgoing, mut pool) = (Outgoing::default(), Pool::default());
    let all = Bytes::from_static(b"to everybody");
    outgoing.write_shared(all.clone(), &mut pool);
    assert_eq!(outgoing.first().as_ptr(), all.as_ptr());
    outgoing.advance(3, &mut pool);
    outgoing.write(b", and you", &mut pool);
    assert_eq!(outgoing.first(), b"everybody, and you");
}

#[test]
fn a_drained_queue_owns_no_memory() {
    let (mut outgoing, mut pool) = (Outgoing::default(), Pool::default());
    outgoing.write(&[0; 600_000], &mut pool);
    outgoing.write_shared(vec![0; 100_000].into(), &mut pool);
    outgoing.advance(700_000, &mut pool);
    assert_eq!((outgoing.head.capacity(), outgoing.rest.capacity()), (0, 0));
    assert!(
        pool.spare.is_empty(),
        "a buffer that grew large is not kept"
    );
}

#[test]
fn few_large_buffers_are_kept_and_many_small_ones() {
    let mut pool = Pool::default();
    for _ in 0..100 {
        pool.give_back(Vec::with_capacity(200 * 1024));
    }
    assert_eq!(pool.spare.len(), 5);
    for _ in 0..100 {
        pool.give_back(Vec::with_capacity(60 * 1024));
    }
    assert_eq!(pool.spare.len(), 5 + 51);
}

#[test]
fn r160_a_file_is_read_when_it_is_next_and_in_pieces() {
    let (mut outgoing, mut pool) = (Outgoing::default(), Pool::default());
    let content = Bytes::from(vec![7; 100_000]);
    outgoing.write(b"head", &mut pool);
    outgoing.write_file(FileRange::new(Rc::new(content), 1000, 99_000));
    assert!(outgoing.is_before_file() && outgoing.first_file().is_none());
    outgoing.read_file(&mut pool).unwrap();
    assert_eq!((outgoing.len(), outgoing.held_bytes()), (99_004, 4));
    outgoing.advance(4, &mut pool);
    assert_eq!(outgoing.first_file().map(FileRange::offset), Some(1000));
    assert!(outgoing.first().is_empty());
    outgoing.advance(10, &mut pool); // sent by the kernel
    outgoing.read_file(&mut pool).unwrap();
    assert_eq!(outgoing.first(), [7; 64 * 1024]);
    let file = outgoing.rest.front();
    assert!(matches!(file, Some(Chunk::File(rest)) if rest.offset() == 1010 + 64 * 1024));
}

#[test]
fn r160_a_file_that_became_shorter_is_an_error() {
    let (mut outgoing, mut pool) = (Outgoing::default(), Pool::default());
    outgoing.write_file(FileRange::new(Rc::new(Bytes::from_static(b"four")), 2, 3));
    outgoing.read_file(&mut pool).unwrap();
    outgoing.advance(2, &mut pool);
    let error = outgoing.read_file(&mut pool).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::UnexpectedEof);
}
