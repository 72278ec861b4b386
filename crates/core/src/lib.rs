//! The heart of Ropewalk: reactor, protocols, transports, layers, timers and Deferreds, without a system call.
