//! One test and its seeds.

use std::env;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::str::FromStr;

use ropewalk_sim::Seed;

/// What a test is called and which worlds it runs in; `#[ropewalk::test]` writes it.
///
/// Two environment variables have the last word: `ROPEWALK_SEED` runs one world with that seed, `ROPEWALK_SEEDS` so many
/// worlds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestCase {
    name: &'static str,
    seed: u64,
    seeds: u64,
}

impl TestCase {
    /// A test of this name, with its modules, in one world with the seed 0.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self {
            name,
            seed: 0,
            seeds: 1,
        }
    }

    /// With this seed, or this first of several.
    #[must_use]
    pub const fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// In so many worlds, with seeds counted up from the first.
    #[must_use]
    pub const fn seeds(mut self, seeds: u64) -> Self {
        self.seeds = seeds;
        self
    }

    /// Runs something for each seed; if it panics, says how to run that seed again, and passes the panic on.
    pub(crate) fn for_each_seed(&self, run: impl Fn(Seed)) {
        for seed in self.seeds_to_run().map(Seed) {
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| run(seed))) {
                eprintln!("run it again with:\n    {}", self.command(seed));
                resume_unwind(panic);
            }
        }
    }

    /// The seeds, those of the environment if it has any: for tests that make their worlds themselves.
    ///
    /// # Panics
    ///
    /// If one of the variables is no number.
    pub fn seeds_to_run(&self) -> Range<u64> {
        let (first, count) = self.range(variable("ROPEWALK_SEED"), variable("ROPEWALK_SEEDS"));
        first..first.saturating_add(count)
    }

    /// The first seed and how many.
    fn range(&self, seed: Option<u64>, seeds: Option<u64>) -> (u64, u64) {
        match seed {
            Some(seed) => (seed, seeds.unwrap_or(1)),
            None => (self.seed, seeds.unwrap_or(self.seeds)),
        }
    }

    /// The one command that runs this test with this seed.
    fn command(&self, seed: Seed) -> String {
        let package = env::var("CARGO_PKG_NAME").map(|name| format!("-p {name} "));
        // The name begins with the crate's, which the test runner leaves out.
        let name = self
            .name
            .split_once("::")
            .map_or(self.name, |(_, name)| name);
        format!(
            "ROPEWALK_SEED={seed} cargo test {}-- --exact {name}",
            package.unwrap_or_default()
        )
    }
}

/// # Panics
///
/// If there is such a variable and it is no number: a seed that was mistyped must not pass for another.
fn variable<T: FromStr>(name: &str) -> Option<T> {
    let text = env::var(name).ok()?;
    let number = text.parse().ok();
    Some(number.unwrap_or_else(|| panic!("{name} must be a whole number, and is {text:?}")))
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    const CASE: TestCase = TestCase::new("crate_name::module::talks").seed(7).seeds(3);

    #[test]
    fn the_environment_has_the_last_word() {
        assert_eq!(CASE.range(None, None), (7, 3));
        assert_eq!(CASE.range(Some(40), None), (40, 1));
        assert_eq!(CASE.range(None, Some(1000)), (7, 1000));
        assert_eq!(CASE.range(Some(40), Some(2)), (40, 2));
    }

    #[test]
    fn every_seed_runs_until_one_fails() {
        let seen = RefCell::new(Vec::new());
        let failed = catch_unwind(AssertUnwindSafe(|| {
            CASE.for_each_seed(|seed| {
                seen.borrow_mut().push(seed.0);
                assert_ne!(seed.0, 8);
            });
        }));
        assert!(failed.is_err());
        assert_eq!(*seen.borrow(), [7, 8]);
    }

    #[test]
    fn the_command_names_the_test_and_the_seed() {
        let command = CASE.command(Seed(9));
        assert!(
            command.starts_with("ROPEWALK_SEED=9 cargo test -p ropewalk-testing "),
            "{command}"
        );
        assert!(command.ends_with("--exact module::talks"), "{command}");
    }
}
