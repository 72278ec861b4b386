// Functions, and other things, that cannot be tests.

pub struct World;

#[ropewalk_macros::test]
fn no_world() {}
//~        ^ a test in a simulated world takes it: `fn name(world: &mut World)` or `async fn name(reactor: Handle)`; one without a world is a plain `#[test]`

#[ropewalk_macros::test]
fn two(_: &mut World, other: u8) {}
//~                   ^ a test has one parameter: `fn name(world: &mut World)` or `async fn name(reactor: Handle)`

#[ropewalk_macros::test]
fn generic<T>(_: &mut T) {}
//~       ^ a test cannot be generic; write `fn name(world: &mut World)` or `async fn name(reactor: Handle)`

mod indented {
    use super::World;

    #[ropewalk_macros::test]
    const fn constant(_: &mut World) {}
//~ ^ a test cannot be `const`; write `fn name(world: &mut World)` or `async fn name(reactor: Handle)`

    #[ropewalk_macros::test]
    unsafe fn dangerous(_: &mut World) {}
//~ ^ a test cannot be `unsafe`; write `fn name(world: &mut World)` or `async fn name(reactor: Handle)`

    #[ropewalk_macros::test]
    #[allow(dead_code)]
    pub struct Thing;
//~     ^ `#[ropewalk::test]` stands on a function: `fn name(world: &mut World)` or `async fn name(reactor: Handle)`

    #[ropewalk_macros::test]
    #[test]
//~  ^ leave out `#[test]`: `#[ropewalk::test]` makes the function a test already
    fn doubled(_: &mut World) {}

    impl World {
        #[ropewalk_macros::test]
        fn method(&mut self) {}
//~                    ^ a test is a free function: `fn name(world: &mut World)` or `async fn name(reactor: Handle)`
    }

    trait Tested {
        #[ropewalk_macros::test]
        fn bodiless(_: &mut World);
//~                               ^ a test needs a body
    }
}
