//! Where log lines go: for people on a terminal, JSON elsewhere; always to standard error.

use std::io::IsTerminal as _;
use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt as _, util::SubscriberInitExt as _};

/// Starts logging. `filter` is `ONWARD_LOG`, in the language of `tracing`: `info`, `onward_runtime=debug,warn` ….
///
/// # Errors
/// When the filter cannot be read.
pub(crate) fn start(filter: &str) -> Result<(), String> {
    let filter = EnvFilter::try_new(filter)
        .map_err(|error| format!("the log filter `{filter}` cannot be read ({error}); write for example `info` or `onward_runtime=debug,warn`"))?;
    let registry = tracing_subscriber::registry().with(filter);
    let started = if std::io::stderr().is_terminal() {
        registry.with(fmt::layer().with_writer(std::io::stderr).with_target(false)).try_init()
    } else {
        registry.with(fmt::layer().json().flatten_event(true).with_current_span(false).with_writer(std::io::stderr)).try_init()
    };
    started.map_err(|error| format!("logging cannot start: {error}"))
}
