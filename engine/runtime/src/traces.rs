//! What is told only to be traced: an event's routing, steps, runs. Gathered within a transaction and told once its commit is
//! confirmed; unless somebody traces, nothing is gathered.

use onward_core::{
    EventId, RunId, Timestamp,
    machine::{InFlight, State},
    ports::{Outcome, RunStatus},
    trace::{SpanId, TARGET, TraceId},
};
use std::sync::Arc;
use tracing::{Level, Span};

/// Whether somebody traces.
pub(crate) fn are_on() -> bool {
    tracing::enabled!(target: TARGET, Level::INFO)
}

/// The request that is being answered, where somebody traces it.
pub(crate) fn request() -> Span {
    if are_on() { Span::current() } else { Span::none() }
}

/// Notes on a request's span that it brought this event: the request becomes part of the event's trace, or is linked with it. Whether it
/// is the first that the request brought: of several, the others have traces of their own.
pub(crate) fn brought(request: &Span, event: EventId, traced: &mut Vec<Traced>) -> bool {
    let Some(id) = request.id() else { return false };
    if traced.iter().any(|other| matches!(other, Traced::Request { request } if *request == id)) {
        return false;
    }
    traced.push(Traced::Request { request: id });
    request.record("trace", tracing::field::display(TraceId::of_event(event)));
    request.record("id", tracing::field::display(SpanId::of_request(event)));
    true
}

/// Something that happened. Times in microseconds since 1970.
#[derive(Debug)]
pub(crate) enum Traced {
    /// This request has brought an event; it tells of itself.
    Request {
        request: tracing::span::Id,
    },
    Event {
        event: EventId,
        kind: String,
        asked: bool,
        cause: Option<RunId>,
        runs: usize,
        began: i64,
    },
    Run {
        run: RunId,
        event: Option<EventId>,
        workflow: Arc<str>,
        version: u32,
        status: RunStatus,
        code: Option<String>,
        began: i64,
        ended: i64,
    },
    Step {
        run: RunId,
        event: Option<EventId>,
        step: Arc<str>,
        node: Arc<str>,
        key: String,
        attempt: u32,
        outcome: &'static str,
        began: i64,
        ended: i64,
    },
}

impl Traced {
    /// A run that has ended.
    pub(crate) fn run(state: &State) -> Self {
        Self::Run {
            run: state.run_id,
            event: state.event_id,
            workflow: Arc::clone(&state.workflow),
            version: state.version,
            status: state.status,
            code: state.error.as_ref().map(|error| error.code.to_string()),
            began: micros(state.started_at),
            ended: micros(state.at),
        }
    }

    /// An attempt of a step that was made within the transaction.
    pub(crate) fn step(run: RunId, event: Option<EventId>, call: &InFlight, began: Timestamp, took: i64, outcome: &Outcome) -> Self {
        let began = micros(began);
        Self::Step {
            run,
            event,
            step: Arc::clone(&call.step),
            node: Arc::clone(&call.node),
            key: call.idempotency_key(),
            attempt: call.attempt,
            outcome: outcome.word(),
            began,
            ended: began.saturating_add(took),
        }
    }

    /// Tells whoever traces. `now` is the moment of the commit.
    pub(crate) fn tell(self, now: Timestamp) {
        match self {
            Self::Request { .. } => {}
            Self::Event { event, kind, asked, cause, runs, began } => {
                let parent = asked.then(|| SpanId::of_request(event));
                tracing::event!(
                    target: TARGET, Level::INFO, span = format!("event {kind}"), trace = %TraceId::of_event(event), id = %SpanId::of_event(event),
                    parent = parent.map(tracing::field::display), began, ended = micros(now), event = %event, r#type = kind, runs,
                    cause = cause.map(tracing::field::display)
                );
            }
            Self::Run { run, event, workflow, version, status, code, began, ended } => {
                let parent = event.map(SpanId::of_event);
                tracing::event!(
                    target: TARGET, Level::INFO, span = format!("run {workflow}"), trace = %TraceId::of_run(run, event), id = %SpanId::of_run(run),
                    parent = parent.map(tracing::field::display), began, ended, run = %run, workflow = &*workflow, version, status = status.as_str(),
                    error = code
                );
            }
            Self::Step { run, event, step, node, key, attempt, outcome, began, ended } => {
                let error = matches!(outcome, "failed" | "unknown" | "retry").then_some(outcome);
                tracing::event!(
                    target: TARGET, Level::INFO, span = format!("step {step}"), trace = %TraceId::of_run(run, event), id = %SpanId::of_attempt(&key, attempt),
                    parent = %SpanId::of_run(run), began, ended, run = %run, step = &*step, node = &*node, attempt, outcome, error
                );
            }
        }
    }
}

/// Notes on the call's span, which is the current one, how it ended.
pub(crate) fn note_outcome(outcome: &Outcome) {
    let span = Span::current();
    span.record("outcome", outcome.word());
    match outcome {
        Outcome::Done { .. } | Outcome::Hold { .. } => {}
        Outcome::Retry { error, .. } | Outcome::Failed { error } | Outcome::Unknown { error } => {
            span.record("error", tracing::field::display(&error.code));
        }
    }
}

pub(crate) fn micros(at: Timestamp) -> i64 {
    at.as_millis().saturating_mul(1_000)
}
