//! Random programs on random networks.

mod law;

use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn r038_and_all_that_holds_for_any_connection(plan in proptest::collection::vec(any::<u8>(), 0..300)) {
        law::check(&plan);
    }
}

/// The property would hold for programs that never meet.
#[test]
fn programs_do_meet() {
    assert_eq!(law::check(&[1, 0, 0, 4]), 6);
}
