//! The laws that every grammar obeys, as functions over any [`Framing`].
//!
//! For: the property tests beside this file and the fuzz targets, which include this file. Not
//! for: single rules; those are tables in the tests named after each grammar.

use ropewalk_grammar::{Framing, Input, LineEvent, LineGrammar};

/// What a grammar told, in a form that can be kept and compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// A line or a string.
    Message(Vec<u8>),
    /// Raw bytes; neighbours are joined, as their borders mean nothing.
    Raw(Vec<u8>),
    /// The rule that was broken.
    Broken(String),
}

/// How a stream arrives.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// Sizes of the chunks, over and over.
    pub(crate) sizes: Vec<usize>,
    /// Stop after so many events of a chunk until the next one comes; 0 for never.
    pub(crate) pause_after: usize,
}

impl Plan {
    /// All at once.
    pub(crate) fn whole() -> Self {
        Self {
            sizes: vec![usize::MAX],
            pause_after: 0,
        }
    }
}

/// Feeds `data` to `grammar` as `plan` says; `pull` takes one event and reacts to it.
pub(crate) fn hear<G: Framing>(
    grammar: &mut G,
    data: &[u8],
    plan: &Plan,
    mut pull: impl FnMut(&mut Input<'_, G>) -> Option<Told>,
) -> Vec<Told> {
    let mut told = Vec::new();
    let mut sizes = plan.sizes.iter().cycle();
    let mut received = 0;
    while received < data.len() {
        let size = (*sizes.next().expect("a plan has sizes")).max(1);
        let end = received.saturating_add(size).min(data.len());
        let chunk = &data[received..end];
        received = end;
        hear_some(
            &mut grammar.receive(chunk),
            &data[..end],
            plan.pause_after,
            &mut told,
            &mut pull,
        );
    }
    hear_some(&mut grammar.receive(&[]), data, 0, &mut told, &mut pull);
    assert!(
        grammar.receive(&[]).next_event().is_none(),
        "an event came out of nothing"
    );
    told
}

fn hear_some<G: Framing>(
    input: &mut Input<'_, G>,
    so_far: &[u8],
    pause_after: usize,
    told: &mut Vec<Told>,
    pull: &mut impl FnMut(&mut Input<'_, G>) -> Option<Told>,
) {
    let mut events = 0;
    while let Some(new) = pull(input) {
        match (new, told.last_mut()) {
            (Told::Raw(more), Some(Told::Raw(raw))) => raw.extend_from_slice(&more),
            (Told::Raw(none), _) if none.is_empty() => {}
            (new @ Told::Broken(_), _) => {
                assert!(
                    so_far.ends_with(input.rest()),
                    "the rest is the end of what came"
                );
                assert!(
                    input.next_event().is_none(),
                    "one error, and nothing after it"
                );
                told.push(new);
            }
            (new, _) => told.push(new),
        }
        events += 1;
        if events == pause_after {
            return;
        }
    }
}

/// Takes one string.
pub(crate) fn pull_string<G>(input: &mut Input<'_, G>) -> Option<Told>
where
    G: for<'e> Framing<Event<'e> = &'e [u8]>,
{
    Some(match input.next_event()? {
        Ok(string) => Told::Message(string.to_vec()),
        Err(error) => Told::Broken(format!("{error:?}")),
    })
}

/// Takes one line or raw piece, and switches modes as the lines say: after a line that ends with
/// `!` and a digit, so many bytes are raw.
pub(crate) fn pull_line_or_raw(
    raw_left: &mut usize,
    input: &mut Input<'_, LineGrammar>,
) -> Option<Told> {
    let mut told = match input.next_event()? {
        Ok(LineEvent::Line(line)) => Told::Message(line.to_vec()),
        Ok(LineEvent::Raw(data)) => Told::Raw(data.to_vec()),
        Err(error) => Told::Broken(format!("{error:?}")),
    };
    match &mut told {
        Told::Message(line) => {
            if let [.., b'!', digit @ b'0'..=b'9'] = line[..] {
                *raw_left = usize::from(digit - b'0');
                input.set_raw();
            }
        }
        Told::Raw(data) => {
            let mine = data.len().min(*raw_left);
            *raw_left -= mine;
            if *raw_left == 0 {
                input.set_line(data.len() - mine);
            }
            data.truncate(mine);
        }
        Told::Broken(_) => {}
    }
    Some(told)
}

/// Law: any split and any pausing tells the same strings and the same error.
pub(crate) fn any_split_tells_the_same_strings<G>(fresh: &G, data: &[u8], plan: &Plan)
where
    G: Clone + for<'e> Framing<Event<'e> = &'e [u8]>,
{
    let whole = hear(&mut fresh.clone(), data, &Plan::whole(), pull_string);
    let split = hear(&mut fresh.clone(), data, plan, pull_string);
    assert_eq!(split, whole, "{plan:?} of {}", data.escape_ascii());
}

/// Law: any split and any pausing tells the same lines, raw bytes and error.
pub(crate) fn any_split_tells_the_same_lines(fresh: &LineGrammar, data: &[u8], plan: &Plan) {
    let hear_by = |plan: &Plan| {
        let mut raw_left = 0;
        hear(&mut fresh.clone(), data, plan, |input| {
            pull_line_or_raw(&mut raw_left, input)
        })
    };
    assert_eq!(
        hear_by(plan),
        hear_by(&Plan::whole()),
        "{plan:?} of {}",
        data.escape_ascii()
    );
}

/// Law: the strings that one end sends, the other end receives, and nothing is left over.
pub(crate) fn sent_strings_are_received<G>(fresh: &G, strings: &[Vec<u8>], plan: &Plan)
where
    G: Clone + for<'e> Framing<Event<'e> = &'e [u8]>,
{
    let mut wire = Vec::new();
    let mut sent = Vec::new();
    for string in strings {
        let before = wire.len();
        match fresh.send(string, &mut wire) {
            Ok(()) => sent.push(Told::Message(string.clone())),
            Err(_) => assert_eq!(wire.len(), before, "a refused string leaves no bytes"),
        }
    }
    let mut other = fresh.clone();
    assert_eq!(hear(&mut other, &wire, plan, pull_string), sent);
    assert_eq!(other.buffered(), 0);
}

/// Law: the lines that one end sends, the other end receives, and nothing is left over.
pub(crate) fn sent_lines_are_received(fresh: &LineGrammar, lines: &[Vec<u8>], plan: &Plan) {
    let mut wire = Vec::new();
    let mut sent = Vec::new();
    for line in lines {
        let before = wire.len();
        match fresh.send(LineEvent::Line(line), &mut wire) {
            Ok(()) => sent.push(Told::Message(line.clone())),
            Err(_) => assert_eq!(wire.len(), before, "a refused line leaves no bytes"),
        }
    }
    let mut other = fresh.clone();
    let told = hear(&mut other, &wire, plan, |input| {
        match input.next_event()? {
            Ok(LineEvent::Line(line)) => Some(Told::Message(line.to_vec())),
            other => panic!("{other:?} where only lines were sent"),
        }
    });
    assert_eq!(told, sent);
    assert_eq!(other.buffered(), 0);
}
