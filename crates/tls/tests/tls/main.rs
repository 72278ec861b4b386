//! TLS by the rules R73 to R84 and the advisories TLS-01 to TLS-11, in simulated networks.

mod advisories;
mod after;
mod authority;
mod early;
mod files;
mod forger;
mod hostile;
mod law;
mod rules;
mod seeded;
mod upgrade;
mod world;
