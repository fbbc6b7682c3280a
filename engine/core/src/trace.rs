//! Ids of traces and spans (W3C Trace Context). All are derived from what is recorded: whatever a later process adds, after a crash
//! or months later, joins the same trace.
//!
//! A run is of its event's trace, and without an event of one of its own.

use crate::{EventId, RunId, digest};
use std::fmt;

/// The target of everything that is told only to be traced; logs leave it out. Nobody listens unless a collector is named.
pub const TARGET: &str = "onward_trace";

/// A trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceId(pub [u8; 16]);

/// A span of a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpanId(pub [u8; 8]);

impl TraceId {
    /// The trace of an event, and of the runs that it starts.
    pub fn of_event(event: EventId) -> Self {
        Self(event.0.into_bytes())
    }
    /// The trace of a run.
    pub fn of_run(run: RunId, event: Option<EventId>) -> Self {
        event.map_or_else(|| Self(run.0.into_bytes()), Self::of_event)
    }
    /// Reads 32 hex digits, not all of them 0.
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; 16];
        hex::decode_to_slice(text, &mut bytes).ok()?;
        (bytes != [0; 16]).then_some(Self(bytes))
    }
}

impl SpanId {
    /// The request that brought an event.
    pub fn of_request(event: EventId) -> Self {
        Self::derived("request", event.0.as_bytes())
    }
    /// An event's taking in and routing.
    pub fn of_event(event: EventId) -> Self {
        Self::derived("event", event.0.as_bytes())
    }
    /// A run from its start to its end.
    pub fn of_run(run: RunId) -> Self {
        Self::derived("run", run.0.as_bytes())
    }
    /// An attempt of a step, by the step's idempotency key.
    pub fn of_attempt(key: &str, attempt: u32) -> Self {
        Self::derived("attempt", format!("{key} {attempt}").as_bytes())
    }
    fn derived(what: &str, of: &[u8]) -> Self {
        let digest = digest::short(&[b"span", what.as_bytes(), of]);
        Self(std::array::from_fn(|place| digest[place]))
    }
    /// Reads 16 hex digits, not all of them 0.
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; 8];
        hex::decode_to_slice(text, &mut bytes).ok()?;
        (bytes != [0; 8]).then_some(Self(bytes))
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

/// The header `traceparent` of a call that this span makes.
pub fn traceparent(trace: TraceId, span: SpanId) -> String {
    format!("00-{trace}-{span}-01")
}

/// Reads a header `traceparent`; `None`: it is none, or the caller does not trace this request.
pub fn read_traceparent(header: &str) -> Option<(TraceId, SpanId)> {
    let mut parts = header.trim().split('-');
    let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    // A later version may have more parts; 255 is none.
    let known = version.len() == 2 && version != "ff" && (version != "00" || parts.next().is_none());
    let sampled = flags.len() == 2 && u8::from_str_radix(flags, 16).ok()? & 1 == 1;
    if known && sampled { Some((TraceId::parse(trace)?, SpanId::parse(span)?)) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn ids_never_change() {
        let (run, event) = (RunId(Uuid::from_u128(1)), EventId(Uuid::from_u128(2)));
        assert_eq!(TraceId::of_run(run, Some(event)), TraceId::of_event(event));
        assert_eq!(TraceId::of_run(run, None).to_string(), "00000000000000000000000000000001");
        let ids = [SpanId::of_request(event), SpanId::of_event(event), SpanId::of_run(run), SpanId::of_attempt("k", 1), SpanId::of_attempt("k", 2)];
        for (place, id) in ids.iter().enumerate() {
            assert!(!ids[..place].contains(id));
            assert_eq!(SpanId::parse(&id.to_string()), Some(*id));
        }
    }

    #[test]
    fn the_header_as_w3c_writes_it() {
        let header = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let (trace, span) = read_traceparent(header).unwrap();
        assert_eq!(traceparent(trace, span), header);
        for bad in [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "00-4bf92f3577b34da6-00f067aa0ba902b7-01",
        ] {
            assert_eq!(read_traceparent(bad), None, "{bad}");
        }
        assert!(read_traceparent("01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more").is_some());
    }
}
