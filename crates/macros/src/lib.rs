//! The attribute macro behind `ropewalk::test`. Use it through the facade, where its documentation has the whole story.
//!
//! It only rewrites a signature; worlds, seeds and leak checks are the testing crate's:
//!
//! ```text
//!   #[ropewalk::test(seed = 7)]            #[test]
//!   #[ignore]                              #[ignore]
//!   fn talks(world: &mut World) {…}   ──>  fn talks() {
//!                                              fn talks(world: &mut World) {…}
//!                                              ::ropewalk::testing::run_test(
//!                                                  ::ropewalk::testing::TestCase::new("crate::module::talks").seed(7),
//!                                                  talks,
//!                                              )
//!                                          }
//! ```
//!
//! An `async fn` becomes a call of `run_async_test`. No token of the body is touched, so errors in it point where
//! they should. There is no dependency: the few tokens that matter here do not need a parser of all Rust.

use proc_macro::TokenStream;

mod error;
mod function;
mod options;

use error::Error;
use function::Function;
use options::Options;

/// Makes a function a test with a simulated world of its own.
///
/// ```text
/// #[ropewalk::test]
/// fn greets(world: &mut World) { … }
///
/// #[ropewalk::test(seeds = 100)]
/// async fn echoes(reactor: Handle) -> Result<(), Reason> { … }
/// ```
///
/// A test that leaves something behind fails, with where that was made. Other attributes (`#[ignore]`,
/// `#[should_panic]`, …) stay, and a `Result` that is an error fails the test.
///
/// | option | meaning | default |
/// | --- | --- | --- |
/// | `seed = N` | the (first) seed of the world | the testing crate's |
/// | `seeds = N` | runs the test in this many worlds, with seeds counted up from the first | 1 |
/// | `crate = PATH` | where `run_test` is found | `::ropewalk::testing` |
#[proc_macro_attribute]
pub fn test(options: TokenStream, item: TokenStream) -> TokenStream {
    expand(options, item).unwrap_or_else(Error::into_tokens)
}

fn expand(options: TokenStream, item: TokenStream) -> Result<TokenStream, Error> {
    let options = Options::parse(options)?;
    Ok(Function::parse(item)?.into_test(&options))
}
