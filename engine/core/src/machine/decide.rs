//! What to record and what to do next.

use super::{Migration, Reopening, Start, State, turn::Turn};
use crate::{
    Event, NewEvent, OrganisationId, RunId, StepError, Timestamp, Value,
    definition::Workflow,
    history::{ChildOutcome, Entry, Parent, StepPath},
    ports::{Outcome, RecordRef},
};
use std::{collections::BTreeMap, sync::Arc};

/// What happened to a run.
#[derive(Clone, Debug)]
pub enum Happening {
    /// It starts.
    Started(Start),
    /// A need was met, or the run was just recovered: go on from where it stands.
    Continue,
    /// An attempt ended.
    StepEnded {
        /// Which step.
        step: StepPath,
        /// Which attempt; another one's outcome is late and harmless.
        attempt: u32,
        /// How.
        outcome: Outcome,
    },
    /// A timer is due: a step's path, [`super::RUN_TIMER`] or [`super::SETTLE_TIMER`]. Too early a call is harmless.
    Due {
        /// Which timer.
        key: String,
    },
    /// An event that the correlation index found for this run.
    Event {
        /// The wait's target: a step's path, or [`super::EXIT_TARGET`] and the rule's number.
        target: String,
        /// The wait's name.
        which: String,
        /// The event.
        event: Arc<Event>,
    },
    /// What a held step waits for may be there: it asks again now. Harmless to a step that is not held.
    Woken {
        /// Which step.
        step: StepPath,
    },
    /// An event that someone meant for this wait of this run alone: neither `match` nor `if` is asked.
    Signal {
        /// The step that waits.
        step: StepPath,
        /// The wait's name.
        which: String,
        /// The event.
        event: Arc<Event>,
        /// Who.
        by: String,
    },
    /// Someone wants the run to end.
    Cancel {
        /// Who.
        by: String,
        /// Why.
        reason: Option<String>,
        /// Skips `finally` and compensation.
        force: bool,
    },
    /// Someone, or the engine, holds the run.
    Pause {
        /// Who.
        by: String,
        /// Why.
        reason: Option<String>,
    },
    /// It goes on.
    Resume {
        /// Who.
        by: String,
    },
    /// Someone takes the run up again after it failed, or goes on with a copy of one.
    Reopen(Box<Reopening>),
    /// It goes on on another version: that with which this is decided. One that does not rest stays where it is.
    Migrate(Box<Migration>),
    /// The run that a `start` step starts was admitted.
    ChildStarted {
        /// Which step.
        step: StepPath,
    },
    /// The run that a step starts was not admitted.
    ChildRefused {
        /// Which step.
        step: StepPath,
        /// Why.
        error: StepError,
    },
    /// The run that a `call` step waits for has ended.
    ChildEnded {
        /// Which step.
        step: StepPath,
        /// The child.
        run_id: RunId,
        /// How.
        outcome: ChildOutcome,
    },
    /// Someone answered a question.
    Answered {
        /// Which step.
        step: StepPath,
        /// The answer; it fits the form.
        answer: Value,
        /// Who.
        by: String,
    },
}

/// What the caller knows when it calls.
#[derive(Clone, Debug)]
pub struct Context<'a> {
    /// Whose run.
    pub organisation: OrganisationId,
    /// Engine time; moved up to the run's last `at` where it lies before.
    pub now: Timestamp,
    /// Answers to needs.
    pub known: &'a Known,
    /// The organisation's zone, an IANA name; taken when the run starts and kept by it.
    pub timezone: &'a str,
}

/// Answers to needs. Make a new one for each happening: records are live.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// Records by name; `Null` when there is none.
    pub records: BTreeMap<String, Value>,
    /// Only recorded fields are in `records` (a replay).
    pub recorded_only: bool,
    /// Variants by step path: (variant, it was already stored).
    pub variants: BTreeMap<StepPath, (String, bool)>,
}

/// What the machine must know before it can go on. What was decided before stands: get it, then call again with
/// [`Happening::Continue`].
#[derive(Clone, Debug, PartialEq)]
pub enum Need {
    /// Live records; answer each in [`Known::records`].
    Records(Vec<RecordRef>),
    /// The stored variant of a split; answer in [`Known::variants`].
    Variant {
        /// The step.
        step: StepPath,
        /// What the assignment is sticky for.
        by: String,
        /// The variant to store when there is none yet.
        proposal: String,
    },
}

/// What to do once the entries are committed (`Run` of a transactional or pure node, and `Emit`: within that commit).
#[derive(Clone, Debug)]
pub enum Action {
    /// Run a node.
    Run(super::InFlight),
    /// Set or move a timer.
    SetTimer {
        /// Its key within the run.
        key: String,
        /// When.
        due: Timestamp,
    },
    /// Drop a timer.
    ClearTimer {
        /// Its key within the run.
        key: String,
    },
    /// Listen; then look for events taken in since `since` that are already there, oldest first, and hand them in.
    OpenWait {
        /// The step's path, or [`super::EXIT_TARGET`] and the rule's number.
        target: String,
        /// The wait's name.
        which: String,
        /// What is compared.
        correlation: crate::ports::Correlation,
        /// Events from here on count; `None`: only those that come.
        since: Option<Timestamp>,
    },
    /// Stop listening.
    CloseWait {
        /// The target, all names of it.
        target: String,
    },
    /// Put an event on the bus, within the same commit.
    Emit(NewEvent),
    /// Start another run, within the same commit; then say [`Happening::ChildStarted`] or [`Happening::ChildRefused`].
    StartChild {
        /// The step that starts it. It waits for the run's end when it is a `call`.
        step: StepPath,
        /// The id that the run gets: the same, however often it is asked for.
        run_id: RunId,
        /// What it runs.
        workflow: String,
        /// Its input.
        input: Value,
    },
    /// Cancel a run that a step of this one started.
    CancelChild {
        /// The run.
        run_id: RunId,
    },
    /// Go on in a new history with the same key, within the same commit.
    ContinueAs {
        /// The id that the new run gets: the same, however often it is asked for.
        run_id: RunId,
        /// Its input.
        input: Value,
    },
    /// Tell the run that waits for this one, with [`Happening::ChildEnded`].
    TellParent {
        /// The run and its step.
        parent: Parent,
        /// How this one ended.
        outcome: ChildOutcome,
    },
    /// A call in flight is not waited for any more.
    Abandon {
        /// The step.
        step: StepPath,
    },
    /// The run has ended.
    Ended,
}

/// What the machine decided. The entries are already folded into the state.
#[derive(Clone, Debug, Default)]
pub struct Decision {
    /// To be recorded, all of one `at`.
    pub entries: Vec<Entry>,
    /// To be done.
    pub actions: Vec<Action>,
    /// What is missing to go on; `None` when the run is at rest or in flight.
    pub need: Option<Need>,
}

/// Decides. Late and repeated happenings give an empty decision.
pub fn decide(workflow: &Workflow, state: &mut State, happening: Happening, context: &Context<'_>) -> Decision {
    let at = context.now.max(state.at);
    let mut turn = Turn { workflow, state, context, at, decision: Decision::default(), stuck: false };
    if !turn.state.status.is_final() || matches!(happening, Happening::Reopen(_)) {
        turn.happen(happening);
    }
    turn.decision
}
