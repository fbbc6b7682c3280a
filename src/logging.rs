//! Where log lines go: for people on a terminal, JSON elsewhere; always to standard error.

use crate::traces;
use onward_core::trace::TARGET;
use std::{io::IsTerminal as _, str::FromStr as _};
use tracing::{
    Metadata, Subscriber,
    level_filters::LevelFilter,
    span::{Attributes, Id, Record},
    subscriber::Interest,
};
use tracing_subscriber::{
    EnvFilter, Layer,
    filter::Directive,
    fmt::{self, MakeWriter, writer::MakeWriterExt as _},
    layer::{Context, SubscriberExt as _},
    registry::LookupSpan,
    util::SubscriberInitExt as _,
};

/// Starts logging. `filter` is `ONWARD_LOG`, in the language of `tracing`: `info`, `onward_runtime=debug,warn` ….
///
/// # Errors
/// When the filter cannot be read.
pub(crate) fn start(filter: &str, traces: Option<traces::Layer>) -> Result<(), String> {
    let filter = EnvFilter::try_new(filter)
        .map_err(|error| format!("the log filter `{filter}` cannot be read ({error}); write for example `info` or `onward_runtime=debug,warn`"))?;
    let gate = Gate::new(filter, traces.is_some())?;
    let started = if std::io::stderr().is_terminal() {
        let lines = fmt::layer().with_writer(std::io::stderr.with_filter(is_line)).with_target(false);
        tracing_subscriber::registry().with(gate).with(traces).with(lines).try_init()
    } else {
        json(gate, traces, std::io::stderr).try_init()
    };
    started.map_err(|error| format!("logging cannot start: {error}"))
}

fn json<W>(gate: Gate, traces: Option<traces::Layer>, writer: W) -> impl Subscriber
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let lines = fmt::layer().json().flatten_event(true).with_current_span(false).with_writer(writer.with_filter(is_line));
    tracing_subscriber::registry().with(gate).with(traces).with(lines)
}

/// What is only for traces is no log line, whatever is asked for.
fn is_line(metadata: &Metadata<'_>) -> bool {
    metadata.target() != TARGET
}

/// What anything is made of: what the log wants, and what traces want beside it.
///
/// One gate before all layers, not a filter on each: with those, whoever asks whether something would be logged (the database's driver
/// does after each statement) makes the next line vanish (<https://github.com/tokio-rs/tracing/issues/2519>).
struct Gate {
    filter: EnvFilter,
    traced: bool,
}

impl Gate {
    fn new(filter: EnvFilter, traced: bool) -> Result<Self, String> {
        let off = Directive::from_str(&format!("{TARGET}=off")).map_err(|error| error.to_string())?;
        Ok(Self { filter: filter.add_directive(off), traced })
    }

    fn is_traced(&self, metadata: &Metadata<'_>) -> bool {
        self.traced && traces::Layer::wants(metadata)
    }
}

impl<S: Subscriber + for<'l> LookupSpan<'l>> Layer<S> for Gate {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        // Always asked of the filter: it keeps what it needs of spans.
        let wanted = Layer::<S>::register_callsite(&self.filter, metadata);
        if self.is_traced(metadata) { Interest::always() } else { wanted }
    }
    fn enabled(&self, metadata: &Metadata<'_>, context: Context<'_, S>) -> bool {
        self.is_traced(metadata) || Layer::<S>::enabled(&self.filter, metadata, context)
    }
    fn max_level_hint(&self) -> Option<LevelFilter> {
        let wanted = Layer::<S>::max_level_hint(&self.filter);
        if self.traced { wanted.map(|level| level.max(LevelFilter::INFO)) } else { wanted }
    }
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        self.filter.on_new_span(attributes, id, context);
    }
    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        Layer::<S>::on_record(&self.filter, id, values, context);
    }
    fn on_enter(&self, id: &Id, context: Context<'_, S>) {
        Layer::<S>::on_enter(&self.filter, id, context);
    }
    fn on_exit(&self, id: &Id, context: Context<'_, S>) {
        Layer::<S>::on_exit(&self.filter, id, context);
    }
    fn on_close(&self, id: Id, context: Context<'_, S>) {
        Layer::<S>::on_close(&self.filter, id, context);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        io,
        sync::{Arc, Mutex},
    };

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);
    impl io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn lines(traced: bool, of: impl FnOnce()) -> Vec<String> {
        let written = Written::default();
        let writer = written.clone();
        let gate = Gate::new(EnvFilter::new("info"), traced).unwrap();
        tracing::subscriber::with_default(json(gate, None, move || writer.clone()), of);
        let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    /// As the database's driver asks after each statement: past what is remembered of a place.
    fn is_asked() -> bool {
        let place =
            tracing::callsite!(name: "query", kind: tracing::metadata::Kind::EVENT, target: "sqlx::query", level: tracing::Level::DEBUG, fields: message);
        tracing::dispatcher::get_default(|dispatch| dispatch.enabled(tracing::Callsite::metadata(place)))
    }

    #[test]
    fn no_line_is_lost_after_somebody_asked_whether_another_would_be_logged() {
        for traced in [false, true] {
            let lines = lines(traced, || {
                for round in 0..3 {
                    assert!(!is_asked());
                    tracing::info!(round, "said");
                }
            });
            assert_eq!(lines.len(), 3, "{lines:?}");
        }
    }

    #[test]
    fn what_is_for_traces_is_no_line() {
        for traced in [false, true] {
            let said = lines(traced, || {
                assert_eq!(tracing::enabled!(target: TARGET, tracing::Level::INFO), traced);
                tracing::info!(target: TARGET, "a span");
                tracing::info!("a line");
            });
            assert!(said.len() == 1 && said[0].contains("a line"), "{said:?}");
        }
    }
}
