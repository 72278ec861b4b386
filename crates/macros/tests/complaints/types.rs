// A parameter of the wrong type, and a body that is wrong: the compiler's own words, at the right place.

mod fake {
    pub struct World;
    pub struct TestCase;
    impl TestCase {
        pub fn new(_: &str) -> Self {
            Self
        }
    }
    pub fn run_test<R>(_: TestCase, _: impl Fn(&mut World) -> R) {}
}

#[ropewalk_macros::test(crate = crate::fake)]
fn parameter(_: &mut String) {}
//~         ^ type mismatch

#[ropewalk_macros::test(crate = crate::fake)]
fn body(_: &mut fake::World) {
    let _: u8 = "text";
//~             ^ mismatched types
}
