//! Topics across machines: simulated worlds with servers that we play, and real NATS and Redis servers.

mod fake;
mod real;
mod worlds;
