//! The reverse proxy between a client and a server that the tests play, in a simulated network.

mod bodies;
mod failures;
mod fields;
mod scene;
mod tunnels;
mod worlds;
