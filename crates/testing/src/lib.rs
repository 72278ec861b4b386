//! Fakes, a simulated world per test, and the conformance suite for Ropewalk.
