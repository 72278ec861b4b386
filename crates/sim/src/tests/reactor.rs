//! Reactors on simulated drivers.
