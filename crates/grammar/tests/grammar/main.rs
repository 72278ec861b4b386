//! The tests of the grammars: tables named by rule, and the laws that all of them obey.

mod law;
mod laws;
mod length_prefixed;
mod line;
mod netstring;
mod proxy;
mod proxy_law;
mod proxy_laws;
