// Wrong options.

pub struct World;

#[ropewalk_macros::test(seed = "seven")]
//~                            ^ `seed` must be a whole number, as in `seed = 7`
fn text(_: &mut World) {}

#[ropewalk_macros::test(seed = -7)]
//~                            ^ `seed` must be a whole number, as in `seed = 7`
fn negative(_: &mut World) {}

#[ropewalk_macros::test(seeds = 1.5)]
//~                             ^ `seeds` must be a whole number, as in `seeds = 7`
fn fraction(_: &mut World) {}

#[ropewalk_macros::test(seed = 18446744073709551616)]
//~                            ^ `seed` must be a whole number, as in `seed = 7`
fn large(_: &mut World) {}

#[ropewalk_macros::test(seeds = 0)]
//~                             ^ `seeds` must be at least 1, or nothing is tested
fn none(_: &mut World) {}

#[ropewalk_macros::test(seed = 7, sed = 8)]
//~                               ^ unknown option `sed`; known are `seed = 7`, `seeds = 100` and `crate = ::ropewalk::testing`
fn unknown(_: &mut World) {}

#[ropewalk_macros::test(seed = 7, seed = 8)]
//~                               ^ `seed` is given twice, leave one out
fn twice(_: &mut World) {}

#[ropewalk_macros::test(seed)]
//~                     ^ an option is `name = value`; known are `seed = 7`, `seeds = 100` and `crate = ::ropewalk::testing`
fn bare(_: &mut World) {}

#[ropewalk_macros::test(seed = )]
//~                     ^ `seed` needs a value; known are `seed = 7`, `seeds = 100` and `crate = ::ropewalk::testing`
fn empty(_: &mut World) {}

#[ropewalk_macros::test(7)]
//~                     ^ an option is `name = value`; known are `seed = 7`, `seeds = 100` and `crate = ::ropewalk::testing`
fn value(_: &mut World) {}

mod indented {
    #[ropewalk_macros::test(,)]
//~ ^ an option is `name = value`; known are `seed = 7`, `seeds = 100` and `crate = ::ropewalk::testing`
    fn comma(_: &mut World) {}
}
