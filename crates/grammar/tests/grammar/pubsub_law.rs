//! The laws of the protocols of NATS and Redis, as functions; the fuzz targets include this file.

use std::fmt::Debug;

use ropewalk_grammar::nats::NatsGrammar;
use ropewalk_grammar::resp::RespGrammar;
use ropewalk_grammar::{Framing, Input};

use crate::law::{Plan, Told, hear};

/// Any split and any pausing tells the same; what was understood and is said again is understood as the same.
pub(crate) fn nats(data: &[u8], limit_bytes: usize, plan: &Plan) {
    let grammar = NatsGrammar::new().with_limit_bytes(limit_bytes);
    any_split_tells_the_same(&grammar, data, plan);
    let mut again = Vec::new();
    let mut input = grammar.clone();
    let mut input = input.receive(data);
    let mut told = Vec::new();
    while let Some(Ok(operation)) = input.next_event() {
        told.push(Told::Message(format!("{operation:?}").into_bytes()));
        grammar.send(operation, &mut again).expect("it was said so");
    }
    assert_eq!(hear(&mut grammar.clone(), &again, plan, pull), told);
}

/// The same.
pub(crate) fn resp(data: &[u8], limit_bytes: usize, plan: &Plan) {
    let grammar = RespGrammar::new().with_limit_bytes(limit_bytes);
    any_split_tells_the_same(&grammar, data, plan);
    let mut again = Vec::new();
    let mut input = grammar.clone();
    let mut input = input.receive(data);
    let mut told = Vec::new();
    while let Some(Ok(value)) = input.next_event() {
        told.push(Told::Message(format!("{value:?}").into_bytes()));
        grammar.send(value, &mut again).expect("it was said so");
    }
    // What is said in another way may be longer: a null of RESP 2, a double.
    let mut roomy = RespGrammar::new().with_limit_bytes(usize::MAX);
    assert_eq!(hear(&mut roomy, &again, plan, pull), told);
}

fn any_split_tells_the_same<G>(fresh: &G, data: &[u8], plan: &Plan)
where
    G: Clone + Framing,
    for<'e> G::Event<'e>: Debug,
{
    let whole = hear(&mut fresh.clone(), data, &Plan::whole(), pull);
    let split = hear(&mut fresh.clone(), data, plan, pull);
    assert_eq!(split, whole, "{plan:?} of {}", data.escape_ascii());
}

fn pull<G>(input: &mut Input<'_, G>) -> Option<Told>
where
    G: Framing,
    for<'e> G::Event<'e>: Debug,
{
    Some(match input.next_event()? {
        Ok(event) => Told::Message(format!("{event:?}").into_bytes()),
        Err(error) => Told::Broken(format!("{error:?}")),
    })
}
