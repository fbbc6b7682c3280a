//! One event, or one start by hand, played through a workflow.

use super::{Call, Emitted, Previews, Recorder, Refused, Stage, Starts, World, scripted::Scripted};
use crate::replay::is_message;
use onward_core::{
    RunId, StepError, Timestamp, Value,
    definition::{Span, testing::Scenario},
    history::Entry,
    machine::State,
    ports::{Outcome, RunStatus},
};
use serde::Serialize;

/// What is played.
pub struct TimelineSetup<'s> {
    /// The workflows; the first one is what is simulated. Zone and start of the scenario are put over it.
    pub stage: Stage,
    /// What starts it.
    pub starts: Starts,
    /// What the outside says.
    pub scenario: &'s Scenario,
    /// How long it is watched; `None`: until nothing moves any more.
    pub watched_for: Option<Span>,
    /// What nodes without a mock give.
    pub previews: &'s dyn Previews,
}

/// What came of it.
#[derive(Clone, Debug, Serialize)]
pub struct Timeline {
    /// The runs, in order of start, each with its history.
    pub runs: Vec<TimelineRun>,
    /// The calls that would be made, attempt by attempt.
    pub calls: Vec<Call>,
    /// Of these, the messages that would be sent: one for each that went through.
    pub messages: Vec<Call>,
    /// The events that would be put on the bus.
    pub emitted: Vec<Emitted>,
    /// Starts that did not become runs, and why.
    pub refused: Vec<Refused>,
    /// How many starts are held.
    pub held: usize,
    /// The moment at which nothing moved any more, or the end of watching.
    pub now: Timestamp,
    /// It goes round and round and was given up.
    pub given_up: bool,
    /// What went wrong with the machine itself; a bug.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<String>,
}

/// A run of a timeline.
#[derive(Clone, Debug, Serialize)]
pub struct TimelineRun {
    /// The same in every play of the same seed.
    pub run_id: RunId,
    /// What it runs.
    pub workflow: String,
    /// What it is about.
    pub key: String,
    /// Its status when it was left.
    pub status: RunStatus,
    /// Its input.
    pub input: Value,
    /// Its output.
    pub output: Value,
    /// Why it failed.
    pub error: Option<StepError>,
    /// The event type that ended it early.
    pub exit: Option<String>,
    /// What it waits for.
    pub waiting_on: Value,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Its history.
    pub history: Vec<Entry>,
}

impl TimelineRun {
    fn of(state: &State, history: Vec<Entry>) -> Self {
        Self {
            run_id: state.run_id,
            workflow: state.workflow.to_string(),
            key: state.key.to_string(),
            status: state.status,
            input: (*state.input).clone(),
            output: state.output.clone(),
            error: state.error.clone(),
            exit: state.exit.clone(),
            waiting_on: state.waiting_on(),
            started_at: state.started_at,
            ended_at: state.status.is_final().then_some(state.at),
            history,
        }
    }
}

/// Plays it.
pub fn timeline(setup: &TimelineSetup<'_>) -> Timeline {
    let mut stage = setup.stage.clone();
    stage.keep_histories = true;
    settle(&mut stage, setup.scenario);
    let outside = Scripted::new(&setup.scenario.setting, setup.previews).with_answers(&setup.scenario.answers);
    let mut world = World::new(&stage, outside, Recorder::default());
    setup.starts.begin(&mut world, Value::clone);
    world.play_out(setup.watched_for.as_ref().map(|span| span.add_to(stage.starts_at, &stage.timezone)));
    let (held, now, given_up) = (world.held(), world.now(), world.is_given_up());
    let messages = world.watch.calls.iter().filter(|call| is_sent(setup.previews, call)).cloned().collect();
    let runs = world.runs.into_iter().map(|run| TimelineRun::of(&run.state, run.history));
    Timeline {
        runs: runs.collect(),
        calls: world.watch.calls,
        messages,
        emitted: world.watch.emitted,
        refused: world.watch.refused,
        held,
        now,
        given_up,
        faults: world.faults,
    }
}

/// Puts a scenario's zone and start into the stage.
pub(super) fn settle(stage: &mut Stage, scenario: &Scenario) {
    if let Some(timezone) = &scenario.setting.timezone {
        stage.timezone.clone_from(timezone);
    }
    if let Some(now) = scenario.setting.now {
        stage.starts_at = now;
    }
}

/// Whether a call is a message that went out.
fn is_sent(previews: &dyn Previews, call: &Call) -> bool {
    let done = matches!(&call.outcome, Outcome::Done { output } if output.get("message_id") != Some(&Value::Null));
    done && is_message(previews, &call.node)
}

/// A length of time for people: its two largest units.
pub(super) fn length(millis: i64) -> String {
    let units = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];
    let mut left = millis.max(0);
    let mut parts = Vec::new();
    for (unit, size) in units {
        if left >= size && parts.len() < 2 {
            parts.push(format!("{}{unit}", left / size));
            left %= size;
        }
    }
    if parts.is_empty() { "0s".into() } else { parts.join(" ") }
}
