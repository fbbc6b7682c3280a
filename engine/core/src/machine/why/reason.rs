//! A reason: as fields for programs, and as a sentence for people.

use crate::{NodeId, RunId, Shard, StepError, Timestamp, Value, history::OpenMatch, ports::RunStatus};
use serde::Serialize;

/// One event that a step waits for.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Awaited {
    /// The wait's name; `event` where it has none of its own.
    pub name: String,
    /// Type and match values.
    #[serde(flatten)]
    pub wait: OpenMatch,
}

/// Why a run does not move.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Reason {
    /// It has ended.
    Ended {
        /// How.
        status: RunStatus,
        /// When.
        at: Option<Timestamp>,
        /// The event type of the `exit_on` that ended it.
        exit: Option<String>,
        /// Why it failed.
        error: Option<StepError>,
        /// Why it was cancelled.
        reason: Option<String>,
    },
    /// No server works on its shard.
    Unowned {
        /// The shard.
        shard: Shard,
        /// Who owned it last.
        node: Option<NodeId>,
        /// Since when nobody does.
        since: Option<Timestamp>,
        /// Only this command is at the database.
        command: bool,
    },
    /// Something that it belongs to is paused, or it is itself.
    Paused {
        /// `run, step, version, starts, workflow, organisation, everything`, or `engine`: the engine did it.
        scope: &'static str,
        /// By whom.
        by: Option<String>,
        /// When.
        at: Option<Timestamp>,
        /// Why.
        reason: Option<String>,
        /// The command that lifts it.
        resume: Option<String>,
    },
    /// What held it is lifted; its turn comes.
    Resuming {
        /// When it was paused.
        since: Option<Timestamp>,
    },
    /// Its start is held.
    Start {
        /// `key, concurrency, rate, debounce, paused, person`.
        held_by: &'static str,
        /// The workflow, or the limit.
        name: String,
        /// The key that is counted apart.
        key: String,
        /// Its place in the queue, from 1.
        place: u64,
        /// The first of those that go before it.
        ahead: Vec<RunId>,
        /// Runs that have what it waits for.
        holders: Vec<RunId>,
        /// 1 goes first, 10 last.
        priority: u8,
        /// When it was first held.
        since: Timestamp,
        /// Not before.
        until: Option<Timestamp>,
        /// In words, with what releases it.
        reason: String,
    },
    /// It ends, and calls are still out.
    Settle {
        /// When it began to end.
        since: Timestamp,
        /// When it does not wait for them any more.
        until: Timestamp,
        /// How many.
        calls: usize,
    },
    /// A step waits for an event.
    Event {
        /// The step.
        step: String,
        /// Any one of these.
        events: Vec<Awaited>,
        /// Since when.
        since: Option<Timestamp>,
        /// When it goes on without one.
        until: Option<Timestamp>,
    },
    /// A step waits for a person's answer.
    Ask {
        /// The step.
        step: String,
        /// `{ role }`, `{ user }` or `{ contact }`.
        who: Value,
        /// The question.
        title: String,
        /// Since when.
        since: Option<Timestamp>,
        /// When it goes on without one.
        until: Option<Timestamp>,
    },
    /// A step sleeps.
    Timer {
        /// The step.
        step: String,
        /// Since when.
        since: Option<Timestamp>,
        /// When it is due.
        until: Timestamp,
    },
    /// An attempt failed, and the next one has its time.
    Retry {
        /// The step.
        step: String,
        /// Its node.
        node: String,
        /// The next attempt's number.
        attempt: u32,
        /// When the last one failed.
        since: Option<Timestamp>,
        /// When the next one begins.
        until: Timestamp,
        /// Why the last one failed.
        error: StepError,
    },
    /// What a step does may not be done yet: outside the conversation window, in quiet hours.
    Hold {
        /// The step.
        step: String,
        /// Its node.
        node: String,
        /// Since when.
        since: Option<Timestamp>,
        /// When it is tried again; `None`: when something changes.
        until: Option<Timestamp>,
        /// Why not yet.
        reason: String,
    },
    /// A step waits for another run.
    Run {
        /// The step.
        step: String,
        /// The other run's workflow.
        workflow: String,
        /// The other run.
        run_id: RunId,
        /// Since when.
        since: Option<Timestamp>,
    },
    /// A step is at work.
    Step {
        /// The step.
        step: String,
        /// Its node.
        node: String,
        /// From 1.
        attempt: u32,
        /// Since when.
        since: Option<Timestamp>,
        /// What bounds the attempt.
        timeout_ms: Option<i64>,
    },
    /// Nothing is in progress: its next step is being decided.
    Working {
        /// Its last entry.
        since: Timestamp,
    },
}

impl Reason {
    /// Its fields, and the sentence as `text`.
    pub fn to_value(&self) -> Value {
        let mut value = serde_json::to_value(self).unwrap_or_default();
        if let (Self::Retry { error, .. } | Self::Ended { error: Some(error), .. }, Some(object)) = (self, value.as_object_mut()) {
            object.insert("error".into(), error.to_value());
        }
        if let Some(object) = value.as_object_mut() {
            object.insert("text".into(), self.text().into());
        }
        value
    }

    /// A sentence. Moments are RFC 3339, UTC.
    pub fn text(&self) -> String {
        match self {
            Self::Ended { status, at, exit, error, reason } => {
                let at = at.map_or_else(String::new, |at| format!(" at {at}"));
                let why = match (exit, error, reason) {
                    (Some(exit), ..) => format!(": {exit} came, and its `exit_on` names it"),
                    (_, Some(error), _) => {
                        let step = error.step.as_ref().map_or_else(String::new, |step| format!(" at step {step}"));
                        format!("{step}: {}: {}", error.code, error.message)
                    }
                    (.., Some(reason)) => format!(": {reason}"),
                    _ => String::new(),
                };
                format!("It has ended: {}{at}{why}.", status.as_str())
            }
            Self::Unowned { command: true, shard, .. } => format!("No server works on this database (its shard is {}); start `onward serve`.", shard.0),
            Self::Unowned { shard, node: None, .. } => format!("No node owns its shard {}; a server takes it within seconds, if one runs.", shard.0),
            Self::Unowned { shard, node: Some(node), since, .. } => {
                let since = since.map_or_else(String::new, |since| format!(" since {since}"));
                format!("The lease of node {node} on its shard {} has run out{since}; another takes it within seconds, if one runs.", shard.0)
            }
            Self::Paused { scope, by, at, reason, resume } => {
                let what = match *scope {
                    "run" => "The run is paused",
                    "engine" => "The engine has paused the run",
                    "everything" => "Everything on this server is paused",
                    "organisation" => "The organisation is paused",
                    "starts" => "New starts of its version are held",
                    "version" => "Its version is paused",
                    "step" => "The step that it has come to is paused",
                    _ => "Its workflow is paused",
                };
                let by = by.as_ref().filter(|_| *scope != "engine").map_or_else(String::new, |by| format!(" by {by}"));
                let at = at.map_or_else(String::new, |at| format!(" since {at}"));
                let reason = reason.as_ref().map_or_else(String::new, |reason| format!(": {}", reason.trim_end_matches('.')));
                let resume = resume.as_ref().map_or_else(String::new, |resume| format!(" `{resume}` lets it go on."));
                format!("{what}{by}{at}{reason}.{resume}")
            }
            Self::Resuming { .. } => "What held it is lifted; it goes on in its turn.".into(),
            Self::Start { place, ahead, holders, reason, .. } => {
                let before = match (place, ahead.first()) {
                    (1, _) | (_, None) => String::new(),
                    (place, Some(first)) => format!(" It is number {place} in its queue; {first} goes first."),
                };
                let holders = listed(holders);
                let holders = if holders.is_empty() { holders } else { format!(" Before it: {holders}.") };
                format!("It has not started: {}.{before}{holders}", reason.trim_end_matches('.'))
            }
            Self::Settle { until, calls, .. } => match calls {
                0 => format!("It is ending; what is left is awaited until {until} at the latest."),
                1 => format!("It is ending; one call in flight is awaited until {until} at the latest."),
                calls => format!("It is ending; {calls} calls in flight are awaited until {until} at the latest."),
            },
            Self::Event { step, events, until, .. } => {
                let events: Vec<String> = events.iter().map(awaited).collect();
                format!("Step {step} waits for {}{}.", events.join(", or "), or_until(*until))
            }
            Self::Ask { step, who, title, until, .. } => {
                let who = who.as_object().and_then(|who| who.iter().next()).map_or_else(
                    || "somebody".to_owned(),
                    |(kind, name)| match name.as_str() {
                        Some(name) => format!("{kind} {name}"),
                        None => kind.clone(),
                    },
                );
                format!("Step {step} asks {who}: \"{title}\"{}.", or_until(*until))
            }
            Self::Timer { step, until, .. } => format!("Step {step} sleeps until {until}."),
            Self::Retry { step, node, attempt, until, error, .. } => {
                format!(
                    "Step {step} tries {node} again at {until} (attempt {attempt}); the last attempt failed: {}: {}.",
                    error.code,
                    error.message.trim_end_matches('.')
                )
            }
            Self::Hold { step, node, until, reason, .. } => {
                let until = until.map_or_else(|| "until something changes".to_owned(), |until| format!("until {until}"));
                format!("Step {step} holds {node} back {until}: {}.", reason.trim_end_matches('.'))
            }
            Self::Run { step, workflow, run_id, .. } => format!("Step {step} waits for run {run_id} of {workflow} to end."),
            Self::Step { step, node, attempt, since, timeout_ms } => {
                let since = since.map_or_else(String::new, |since| format!(" since {since}"));
                let bound = timeout_ms.map_or_else(String::new, |timeout| format!(", at most {timeout} ms"));
                format!("Step {step} is at work: {node}, attempt {attempt}{since}{bound}.")
            }
            Self::Working { since } => format!("It is at work; its next step is being decided since {since}."),
        }
    }
}

fn listed(runs: &[RunId]) -> String {
    runs.iter().map(RunId::to_string).collect::<Vec<_>>().join(", ")
}

fn or_until(until: Option<Timestamp>) -> String {
    until.map_or_else(|| ", for as long as it takes".to_owned(), |until| format!(", until {until} at the latest"))
}

fn awaited(awaited: &Awaited) -> String {
    let OpenMatch { event, values } = &awaited.wait;
    if values.is_empty() {
        return format!("any {event}");
    }
    let values: Vec<String> = values.iter().map(|(path, value)| format!("{path} = {value}")).collect();
    format!("{event} with {}", values.join(" and "))
}
