//! What a panic in user code said, and where.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

thread_local! {
    static LAST: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Remembers where panics happen from now on, and passes each on to the hook that was there before.
pub(crate) fn remember_places() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let place = info.location().map(ToString::to_string);
            LAST.with_borrow_mut(|last| *last = place);
            before(info);
        }));
    });
}

/// Runs user code; a panic in it is logged, and nothing else happens (R13).
pub(crate) fn guard(what: &'static str, call: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(call)) {
        let panic = message(&*payload);
        tracing::error!(%panic, "{what} panicked");
    }
}

/// The message of a caught panic, with the place where it happened.
pub(crate) fn message(payload: &(dyn Any + Send)) -> String {
    let text = payload
        .downcast_ref::<&str>()
        .map(ToString::to_string)
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a payload that is no text".to_owned());
    match LAST.with_borrow_mut(Option::take) {
        Some(place) => format!("{text}, at {place}"),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caught_panic_tells_what_and_where() {
        remember_places();
        let payload = std::panic::catch_unwind(|| panic!("seven is {}", 7)).unwrap_err();
        let said = message(&*payload);
        assert!(
            said.starts_with("seven is 7, at ") && said.contains("panic.rs"),
            "{said}"
        );
    }
}
