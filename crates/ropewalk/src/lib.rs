//! An event-driven networking engine: Twisted's model at native speed, testable without a network.
