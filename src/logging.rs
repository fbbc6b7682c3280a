//! Where log lines go: for people on a terminal, JSON elsewhere; always to standard error.

use crate::traces;
use onward_core::trace::TARGET;
use std::{io::IsTerminal as _, str::FromStr as _};
use tracing_subscriber::{
    EnvFilter, Layer as _,
    filter::{Directive, filter_fn},
    fmt,
    layer::SubscriberExt as _,
    util::SubscriberInitExt as _,
};

/// Starts logging. `filter` is `ONWARD_LOG`, in the language of `tracing`: `info`, `onward_runtime=debug,warn` ….
///
/// # Errors
/// When the filter cannot be read.
pub(crate) fn start(filter: &str, traces: Option<traces::Layer>) -> Result<(), String> {
    let filter = EnvFilter::try_new(filter)
        .map_err(|error| format!("the log filter `{filter}` cannot be read ({error}); write for example `info` or `onward_runtime=debug,warn`"))?;
    // What is only for traces is no log line, whatever is asked for.
    let filter = filter.add_directive(Directive::from_str(&format!("{TARGET}=off")).map_err(|error| error.to_string())?);
    let traces = traces.map(|layer| layer.with_filter(filter_fn(traces::Layer::wants)));
    let registry = tracing_subscriber::registry().with(traces);
    let started = if std::io::stderr().is_terminal() {
        registry.with(fmt::layer().with_writer(std::io::stderr).with_target(false).with_filter(filter)).try_init()
    } else {
        registry.with(fmt::layer().json().flatten_event(true).with_current_span(false).with_writer(std::io::stderr).with_filter(filter)).try_init()
    };
    started.map_err(|error| format!("logging cannot start: {error}"))
}
