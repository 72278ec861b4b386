//! The heart of Ropewalk: reactor, protocols, transports, layers, timers and Deferreds, without a system call.
//!
//! > **Drivers move bytes. Layers and grammars compute. Protocols decide. Handles only queue. The reactor does everything
//! > else, on its own turn.**
//!
//! ```text
//!         kernel (epoll, kqueue) / simulated network
//!                       │
//!    Driver::poll ──────┤ Event: Accepted, Connected, Received(&mut [u8]), Writable, Eof, Failed …
//!                       ▼
//!    Connection ── layers, lowest first ── Protocol        user code runs here, and may only queue
//!                       │
//!    timers due ────────┤ call_later closures; the reactor lends them their protocol
//!    tasks ─────────────┤ Deferred callbacks, futures, calls from other threads
//!                       ▼
//!    flush: protocol's bytes ── layers ── one buffer ── Driver::send
//!                       │
//!    close what asked to be closed, once its bytes are gone; tell connection_lost, exactly once
//! ```
//!
//! No user code ever runs inside a user's call. That one property removes re-entrancy, `RefCell` panics and ordering
//! surprises.
//!
//! Most users want the facade crate `ropewalk`, which adds the drivers, protocols and tests to this one.

pub mod address;
mod adopt;
mod back_off;
mod blocked;
pub mod buffer;
mod client_service;
mod connection;
mod connector;
mod datagram;
pub mod deferred;
mod descriptor;
pub mod driver;
pub mod endpoint;
mod engine;
pub mod factory;
mod facts;
pub mod failure;
mod file_sender;
mod handle;
mod idle;
pub mod layer;
mod leftover;
mod life;
mod lifecycle;
mod limits;
mod link;
mod mailbox;
mod outcome;
mod panic;
mod parcel;
mod port;
pub mod process;
mod producer;
mod protocol;
mod random;
mod rarely;
mod react;
mod reactor;
mod reason;
mod reconnecting;
mod registry;
mod remote;
mod resolve;
mod senses;
pub mod service;
pub mod slots;
mod stack;
pub mod task;
mod thread;
mod timed;
pub mod timer;
mod transport;
mod waiters;
mod watch;
pub mod watchdog;

pub use address::Address;
pub use adopt::Adopter;
pub use back_off::BackOff;
pub use client_service::ClientService;
pub use connector::{ConnectOptions, Connector, ConnectorState};
pub use datagram::{DatagramError, DatagramPeer, DatagramProtocol, DatagramTransport};
pub use deferred::{Deferred, Resolver};
pub use descriptor::{Descriptor, DescriptorError, Inherited, PeerCredentials};
pub use factory::{Factory, SharedFactory};
pub use facts::{Encrypted, Facts};
pub use failure::Failure;
pub use handle::Handle;
pub use layer::Layer;
pub use leftover::Leftover;
pub use lifecycle::{Phase, StopError, TriggerId, UnknownTrigger, Waits};
pub use limits::Limits;
pub use link::Overrun;
pub use outcome::Outcome;
pub use port::ListeningPort;
pub use producer::{Producer, ProducerError};
pub use protocol::{Protocol, lend, short_name};
pub use react::Exit;
pub use reactor::{Reactor, RunError};
pub use reason::{ConnectError, ListenError, Reason, Timeout};
pub use reconnecting::{ReconnectingFactory, Trying};
pub use remote::Remote;
pub use resolve::NameResolver;
pub use service::{Application, CutOff, Grace, MultiService, Scope, Service, ServiceError};
pub use transport::Transport;
pub use waiters::Waiters;
pub use watch::{Watch, WatchError};
pub use watchdog::Watchdog;
