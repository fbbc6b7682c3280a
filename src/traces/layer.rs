//! From what the rooms tell to spans of OpenTelemetry.
//!
//! Fields that mean something: `trace`, `id`, `parent` (hex), `began`, `ended` (microseconds since 1970), `span` (the name), `error`,
//! `traceparent` (of the caller). All others are attributes. A span without ids of its own is of the trace of the span around it; a call
//! over HTTP without one is not told (it may be the export itself).

use super::otlp::{Kind, Span};
use onward_core::{
    Value,
    ports::{Clock as _, Ids as _},
    trace::{SpanId, TARGET, TraceId, read_traceparent},
};
use onward_database::{SystemClock, SystemIds};
use std::fmt;
use tokio::sync::mpsc::Sender;
use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
};
use tracing_subscriber::{layer::Context, registry::LookupSpan};

/// The layer.
pub(crate) struct Traces {
    spans: Sender<Span>,
    clock: SystemClock,
    ids: SystemIds,
}

/// Spans of the rooms that are told, by name, and on which side of them we are.
const TOLD: [(&str, Kind); 3] = [("request", Kind::Server), ("call", Kind::Internal), ("http", Kind::Client)];

/// A span under way.
struct Open {
    fields: Fields,
    kind: Kind,
    /// Nanoseconds since 1970, and ticks.
    began: u64,
    ticks: i64,
    /// For a span without an id of its own.
    spare_id: [u8; 8],
}

impl Traces {
    pub(super) fn new(spans: Sender<Span>) -> Self {
        Self { spans, clock: SystemClock::new(), ids: SystemIds::new() }
    }

    /// Whether anything is made of it.
    pub(crate) fn wants(metadata: &Metadata<'_>) -> bool {
        metadata.target() == TARGET || (metadata.is_span() && metadata.target().starts_with("onward") && TOLD.iter().any(|(name, _)| *name == metadata.name()))
    }

    fn random(&self) -> [u8; 8] {
        self.ids.seed().max(1).to_be_bytes()
    }

    /// The collector's queue is bounded: what does not fit is not waited for.
    fn tell(&self, span: Span) {
        if self.spans.try_send(span).is_err() {
            metrics::counter!("onward_spans_dropped_total").increment(1);
        }
    }
}

impl<S: Subscriber + for<'l> LookupSpan<'l>> tracing_subscriber::Layer<S> for Traces {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if !Self::wants(attributes.metadata()) {
            return;
        }
        let Some(span) = context.span(id) else { return };
        let Some((_, kind)) = TOLD.iter().find(|(name, _)| *name == attributes.metadata().name()) else { return };
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        let began = u64::try_from(self.clock.now().as_millis()).unwrap_or(0).saturating_mul(1_000_000);
        span.extensions_mut().insert(Open { fields, kind: *kind, began, ticks: self.clock.ticks(), spare_id: self.random() });
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if let Some(open) = span.extensions_mut().get_mut::<Open>() {
            values.record(&mut open.fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() != TARGET {
            return;
        }
        let mut fields = Fields::default();
        event.record(&mut fields);
        let nanos = |micros: Option<i64>| u64::try_from(micros.unwrap_or(0)).unwrap_or(0).saturating_mul(1_000);
        let (began, ended) = (nanos(fields.began), nanos(fields.ended));
        let (Some(trace), Some(id)) = (fields.trace(), fields.id()) else { return };
        let Fields { name, parent, attributes, error, .. } = fields;
        let parent = parent.as_deref().and_then(SpanId::parse).map(|parent| parent.0);
        self.tell(Span { trace, id, parent, name: name.unwrap_or_default(), kind: Kind::Internal, began, ended, attributes, links: Vec::new(), error });
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let Some(span) = context.span(&id) else { return };
        let Some(Open { fields, kind, began, ticks, spare_id }) = span.extensions_mut().remove::<Open>() else { return };
        let around = span.scope().skip(1).find_map(|around| {
            let extensions = around.extensions();
            let open = extensions.get::<Open>()?;
            Some((open.fields.trace()?, open.fields.id().unwrap_or(open.spare_id)))
        });
        let took = u64::try_from(self.clock.ticks().saturating_sub(ticks)).unwrap_or(0).saturating_mul(1_000);
        let caller = fields.traceparent.as_deref().and_then(read_traceparent).map(|(trace, span)| (trace.0, span.0));
        let (own, own_id) = (fields.trace(), fields.id().unwrap_or(spare_id));
        let name = fields.name_of(span.name(), kind);
        let Fields { parent, attributes, error, .. } = fields;
        let parent = parent.as_deref().and_then(SpanId::parse).map(|parent| parent.0);
        let told = |trace, id, parent, links| Span {
            trace,
            id,
            parent,
            name: name.clone(),
            kind,
            began,
            ended: began.saturating_add(took),
            attributes: attributes.clone(),
            links,
            error: error.clone(),
        };
        match (own, caller, around, kind) {
            // In the caller's trace and in the event's, each linked with the other.
            (Some(trace), Some((theirs, their_span)), ..) => {
                self.tell(told(trace, own_id, None, vec![(theirs, spare_id)]));
                self.tell(told(theirs, spare_id, Some(their_span), vec![(trace, own_id)]));
            }
            (None, Some((theirs, their_span)), ..) => self.tell(told(theirs, spare_id, Some(their_span), Vec::new())),
            (Some(trace), None, ..) => self.tell(told(trace, own_id, parent, Vec::new())),
            (None, None, Some((trace, parent)), _) => self.tell(told(trace, own_id, Some(parent), Vec::new())),
            (None, None, None, Kind::Server) => {
                let mut trace = [0; 16];
                trace[..8].copy_from_slice(&self.random());
                trace[8..].copy_from_slice(&self.random());
                self.tell(told(trace, own_id, None, Vec::new()));
            }
            (None, None, None, _) => {}
        }
    }
}

/// What is told of a span.
#[derive(Debug, Default)]
struct Fields {
    name: Option<String>,
    trace: Option<String>,
    id: Option<String>,
    parent: Option<String>,
    traceparent: Option<String>,
    error: Option<String>,
    began: Option<i64>,
    ended: Option<i64>,
    attributes: Vec<(&'static str, Value)>,
}

impl Fields {
    fn trace(&self) -> Option<[u8; 16]> {
        self.trace.as_deref().and_then(TraceId::parse).map(|trace| trace.0)
    }
    fn id(&self) -> Option<[u8; 8]> {
        self.id.as_deref().and_then(SpanId::parse).map(|id| id.0)
    }

    /// A request by its route, a call by its step, a call over HTTP by its method: few names, no ids.
    fn name_of(&self, span: &str, kind: Kind) -> String {
        let of = |key: &str| self.attributes.iter().find(|(name, _)| *name == key).and_then(|(_, value)| value.as_str()).unwrap_or_default();
        match kind {
            Kind::Server => format!("{} {}", of("method"), of("route")),
            Kind::Client => of("method").to_owned(),
            Kind::Internal if span == "call" => format!("step {}", of("step")),
            Kind::Internal => span.to_owned(),
        }
    }

    fn set(&mut self, field: &Field, value: Value) {
        let text = || value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        match field.name() {
            "span" => self.name = Some(text()),
            "trace" => self.trace = Some(text()),
            "id" => self.id = Some(text()),
            "parent" => self.parent = Some(text()),
            "traceparent" => self.traceparent = Some(text()),
            "error" => self.error = Some(text()),
            "began" => self.began = value.as_i64(),
            "ended" => self.ended = value.as_i64(),
            "message" => {}
            name => match self.attributes.iter_mut().find(|(known, _)| *known == name) {
                Some((_, known)) => *known = value,
                None => self.attributes.push((name, value)),
            },
        }
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.set(field, value.into());
    }
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.set(field, value.into());
    }
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.set(field, value.into());
    }
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.set(field, value.into());
    }
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.set(field, value.into());
    }
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.set(field, format!("{value:?}").into());
    }
}
