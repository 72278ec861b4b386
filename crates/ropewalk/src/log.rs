//! Logging in one line.

/// Logs to stderr from now on: what `RUST_LOG` asks for, or everything from level `info` on. Does nothing if a subscriber is
/// installed already.
#[cfg(feature = "log")]
pub fn log_to_stderr() {
    use tracing_subscriber::EnvFilter;
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()));
    let _another_is_installed = subscriber.try_init();
}
