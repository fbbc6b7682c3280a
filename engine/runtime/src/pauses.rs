//! What people hold: a step, a version, a workflow, an organisation, everything. Held, never skipped (SEMANTICS.md 29).
//!
//! Nothing is written to the runs concerned when a pause begins: there may be a hundred thousand of them, asleep. A run is
//! paused, by an entry of its own, when something happens to it meanwhile; what happened is then applied when it goes on:
//! a paused run sets its timers and looks for events again at its resume. Deadlines do not move.

use crate::{
    Duty, EngineError,
    admission::Candidate,
    batch::Batch,
    definitions::Current,
    engine::{Engine, Queued},
    live::Live,
    message::Item,
    release::Looking,
};
use onward_core::{
    ErrorCode, OrganisationId, RunId, StepError, Value,
    history::{Entry, Fact},
    machine::{self, Context, Happening, Known, Start, State},
    ports::{HELD_WITH_OTHERS, Outcome, Pause, PauseScope, Store, StoreError},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

/// Paused runs that are looked at in one transaction; few in tests, so that a handful of runs are several pages.
const RUNS_PAGE: usize = if cfg!(test) { 4 } else { 100 };
/// Milliseconds until a call that was planned before the pause is due.
const AFTER_PAUSE_MS: i64 = 1;

/// Every pause but those of whole workflows, as confirmed.
#[derive(Debug, Default)]
pub(crate) struct Pauses {
    all: BTreeMap<PauseScope, Pause>,
    /// Paused runs are being looked at: timers wait until all were.
    pub(crate) resuming: bool,
}

/// Who is asked about.
#[derive(Clone, Copy)]
pub(crate) struct Whose<'a> {
    pub(crate) organisation: OrganisationId,
    pub(crate) workflow: &'a str,
    pub(crate) version: Option<u32>,
}

impl Pauses {
    pub(crate) fn replace(&mut self, all: Vec<Pause>) {
        self.all = all.into_iter().map(|pause| (pause.scope.clone(), pause)).collect();
    }
    pub(crate) fn get(&self, scope: &PauseScope) -> Option<&Pause> {
        self.all.get(scope)
    }
    fn set(&mut self, pause: Pause, on: bool) {
        if on {
            self.all.entry(pause.scope.clone()).or_insert(pause);
        } else {
            self.all.remove(&pause.scope);
        }
    }
    /// The widest pause that holds a run.
    fn of_run(&self, whose: Whose<'_>) -> Option<&Pause> {
        if self.all.is_empty() {
            return None;
        }
        let version = whose.version.map(|version| PauseScope::Version { organisation: whose.organisation, workflow: whose.workflow.to_owned(), version });
        [Some(PauseScope::Everything), Some(PauseScope::Organisation(whose.organisation)), version].into_iter().flatten().find_map(|scope| self.all.get(&scope))
    }
    fn of_starts(&self, current: &Current) -> Option<&Pause> {
        if self.all.is_empty() {
            return None;
        }
        let (organisation, workflow, version) = (current.organisation, &current.workflow.name, current.version);
        let of_run = self.of_run(Whose { organisation, workflow, version: Some(version) });
        of_run.or_else(|| self.all.get(&PauseScope::Starts { organisation, workflow: workflow.clone(), version }))
    }
    /// The steps of a workflow that are held.
    fn steps(&self, organisation: OrganisationId, workflow: &str) -> BTreeSet<&str> {
        let from = PauseScope::Step { organisation, workflow: workflow.to_owned(), step: String::new() };
        let of_workflow = self.all.range(from..).map_while(|(scope, _)| match scope {
            PauseScope::Step { organisation: whose, workflow: of, step } if *whose == organisation && of == workflow => Some(step.as_str()),
            _ => None,
        });
        of_workflow.collect()
    }
}

impl<S: Store> Engine<S> {
    /// Why the workflow's starts are held; `None`: they are not.
    pub(crate) fn pause_of_starts(&self, current: &Current) -> Option<String> {
        let name = &current.workflow.name;
        if current.paused {
            return Some(format!("the workflow is paused; `onward workflows resume {name}` lets it go on"));
        }
        let pause = self.pauses.of_starts(current)?;
        let what = match &pause.scope {
            PauseScope::Version { version, .. } | PauseScope::Starts { version, .. } => {
                format!("version {version} is held; `onward workflows resume {name} --version {version}` lets it go on")
            }
            PauseScope::Everything => "everything is paused; `onward resume --everything` lets it go on".to_owned(),
            _ => "the organisation is paused; `onward resume` lets it go on".to_owned(),
        };
        Some(pause.reason.as_ref().map_or_else(|| what.clone(), |reason| format!("{what} ({reason})")))
    }

    /// The name of the pause that holds a run with others.
    fn holds(&self, whose: Whose<'_>) -> Option<String> {
        let kind = match self.pauses.of_run(whose) {
            Some(pause) => pause.scope.parts().0,
            None if self.shared.definitions.snapshot().current(whose.organisation, whose.workflow).is_some_and(|current| current.paused) => "workflow",
            None => return None,
        };
        Some(format!("{HELD_WITH_OTHERS}{kind}"))
    }

    pub(crate) fn holds_live(&self, live: &Live) -> Option<String> {
        self.holds(Whose { organisation: live.organisation, workflow: &live.workflow.name, version: Some(live.state.version) })
    }

    /// Pauses a run to which something happens while what it belongs to is paused. `false`: the happening is not to be handed
    /// in at all.
    pub(crate) fn pause_with_others(&mut self, batch: &mut Batch<S::Tx>, run_id: RunId, happening: &Happening, known: &Known, zone: &str) -> bool {
        let Some(live) = self.runs.get(run_id) else { return false };
        let moves = matches!(happening, Happening::StepEnded { .. } | Happening::Due { .. } | Happening::Event { .. } | Happening::Continue);
        let asked = moves || matches!(happening, Happening::Resume { .. });
        if !asked || live.state.seq == 0 || live.state.status.is_final() || (moves && live.state.paused.is_some()) {
            return true;
        }
        let by = match self.holds_live(live) {
            Some(by) => Some((by, None)),
            None => self.reaches_paused_step(live, happening, known, zone, batch.now),
        };
        let Some((by, reason)) = by else { return true };
        if !moves {
            // What holds it still stands.
            return false;
        }
        let pause = Happening::Pause { by, reason };
        self.decide(batch, run_id, pause, &Known::default(), zone).is_some()
    }

    /// Pauses a run that is about to be taken up, when what it belongs to is paused.
    pub(crate) async fn hold_before_take_up(&mut self, tx: &mut S::Tx, batch: &mut Batch<S::Tx>, run_id: RunId) -> Result<bool, StoreError> {
        let held = |engine: &Self| engine.runs.get(run_id).is_some_and(|live| live.state.paused.as_deref().is_some_and(is_held_with_others));
        if self.runs.get(run_id).is_some_and(|live| self.holds_live(live).is_some()) {
            self.happen(tx, batch, run_id, Happening::Continue).await?;
        }
        Ok(held(self))
    }

    /// Whether this happening would begin a step that is held. The machine is asked on a copy: it answers the same again.
    pub(crate) fn reaches_paused_step(
        &self,
        live: &Live,
        happening: &Happening,
        known: &Known,
        zone: &str,
        now: onward_core::Timestamp,
    ) -> Option<(String, Option<String>)> {
        let steps = self.pauses.steps(live.organisation, &live.workflow.name);
        if steps.is_empty() {
            return None;
        }
        let context = Context { organisation: live.organisation, now, known, timezone: zone };
        let step = first_begun(&live.workflow, live.state.clone(), happening.clone(), &context, &steps)?;
        Some((
            format!("{HELD_WITH_OTHERS}step"),
            Some(format!("step {step} is paused; `onward workflows resume {} --step {step}` lets it go on", live.workflow.name)),
        ))
    }

    /// Why a start is held whose first step is.
    pub(crate) fn starts_at_paused_step(&self, candidate: &Candidate, now: onward_core::Timestamp) -> Option<String> {
        let (organisation, workflow) = (candidate.organisation(), &candidate.current.workflow);
        let steps = self.pauses.steps(organisation, &workflow.name);
        if steps.is_empty() {
            return None;
        }
        let start = Start {
            version: candidate.current.version,
            key: candidate.key.clone(),
            trigger: candidate.trigger(),
            input: candidate.input.clone(),
            event: candidate.envelope(now),
            event_id: candidate.event_id(),
            seed: 0,
            depth: candidate.depth,
            parent: candidate.parent(),
            reads: BTreeMap::new(),
        };
        let known = Known::default();
        let context = Context { organisation, now, known: &known, timezone: "UTC" };
        let step = first_begun(workflow, State::new(candidate.run_id), Happening::Started(start), &context, &steps)?;
        Some(format!("its first step {step} is paused; `onward workflows resume {} --step {step}` lets it go on", workflow.name))
    }

    /// Why a person cannot let one run go on.
    pub(crate) fn refuses_resume(&self, run_id: RunId) -> Option<EngineError> {
        let live = self.runs.get(run_id)?;
        let by = self.holds_live(live)?;
        let kind = by.strip_prefix(HELD_WITH_OTHERS).unwrap_or(&by);
        let remedy = match kind {
            "workflow" => format!("`onward workflows resume {}`", live.workflow.name),
            "version" => format!("`onward workflows resume {} --version {}`", live.workflow.name, live.state.version),
            "everything" => "`onward resume --everything`".to_owned(),
            _ => "`onward resume`".to_owned(),
        };
        let what = if kind == "everything" { "everything".to_owned() } else { format!("its {kind}") };
        Some(EngineError::Conflict(format!("run {run_id} is held with others: {what} is paused; {remedy} lets them go on")))
    }

    /// Pauses or resumes; whether that changed anything.
    pub(crate) async fn change_pause(&mut self, tx: &mut S::Tx, batch: &mut Batch<S::Tx>, pause: &Pause, on: bool) -> Result<bool, StoreError> {
        let store = Arc::clone(&self.shared.store);
        let known = self.pauses.all.contains_key(&pause.scope);
        if on {
            store.add_pause(tx, &Pause { at: batch.now, ..pause.clone() }).await?;
        } else if !store.remove_pause(tx, &pause.scope).await? {
            return Ok(false);
        }
        batch.pause_changes.push((Pause { at: batch.now, ..pause.clone() }, on));
        Ok(known != on)
    }

    /// What follows a confirmed change.
    pub(crate) fn pause_changed(&mut self, pause: Pause, on: bool) {
        let of = match &pause.scope {
            PauseScope::Everything => None,
            PauseScope::Organisation(organisation) => Some((*organisation, None)),
            PauseScope::Step { organisation, workflow, .. }
            | PauseScope::Version { organisation, workflow, .. }
            | PauseScope::Starts { organisation, workflow, .. } => Some((*organisation, Some(workflow.clone()))),
        };
        self.pauses.set(pause, on);
        if !on {
            self.own.push_back(Queued { item: Item::LookAtQueues { looking: Looking { of, after: None } }, failures: 0 });
            self.resume_runs();
        }
    }

    /// Lets runs go on that nothing holds any more; until all were looked at, no timer fires, so that what fell due
    /// meanwhile is applied in order.
    pub(crate) fn resume_runs(&mut self) {
        if self.shared.duty == Duty::Command {
            // The next server looks at all of them.
            return;
        }
        self.pauses.resuming = true;
        self.own.push_front(Queued { item: Item::ResumeRuns { after: None }, failures: 0 });
    }

    /// A page of them.
    pub(crate) async fn resume_page(&mut self, tx: &mut S::Tx, batch: &mut Batch<S::Tx>, after: Option<RunId>) -> Result<(), StoreError> {
        let store = Arc::clone(&self.shared.store);
        let page = store.paused_runs(tx, after, RUNS_PAGE).await?;
        let next = if page.len() == RUNS_PAGE { page.last().map(|(run, _)| *run) } else { None };
        #[cfg(test)]
        if self.shared.limits.planted(crate::config::Plant::LastPassGoesOn) {
            batch.resumed_until = None;
        }
        // Where two passes meet, since more goes on now than when the first began, the one that is less far goes on.
        batch.resumed_until = batch.resumed_until.into_iter().chain(next).min();
        batch.resumed_page = true;
        let held = |waiting_on: &Value| waiting_on["paused_by"].as_str().is_some_and(is_held_with_others);
        let runs: Vec<RunId> = page.into_iter().filter(|(_, waiting_on)| held(waiting_on)).map(|(run, _)| run).collect();
        self.load(tx, batch, &runs).await?;
        for run_id in runs {
            let goes_on = self.runs.get(run_id).is_some_and(|live| self.holds_live(live).is_none());
            if goes_on {
                batch.happen(run_id, Happening::Resume { by: "resume".into() });
                batch.work.push_back(crate::batch::Work::TakeUp { run_id });
            }
        }
        Ok(())
    }

    /// Whether a call that is about to begin belongs to what is paused: then it is given back.
    pub(crate) fn gives_back(&mut self, call: &crate::calls::PlannedCall<S::Tx>) -> bool {
        let version = self.runs.get(call.key.run_id).map(|live| live.state.version);
        if self.holds(Whose { organisation: call.context.organisation, workflow: &call.context.workflow, version }).is_none() {
            return false;
        }
        if call.reconcile {
            // Whether an earlier process made it is as unknown as before: it is asked when the run goes on.
            self.calls.ended();
            self.calls.settle(&call.key);
        } else {
            let error = StepError::new(ErrorCode::Unavailable, "paused before the call was made; it is made when the run goes on");
            let outcome = Outcome::Retry { after_ms: Some(AFTER_PAUSE_MS), error };
            // The receiver is our own.
            drop(self.outcomes.send(Item::Outcome { key: call.key.clone(), outcome }));
        }
        true
    }
}

/// Whether this `paused_by` is of a run that is held with others.
pub(crate) fn is_held_with_others(by: &str) -> bool {
    by.starts_with(HELD_WITH_OTHERS)
}

/// The first of these steps that the happening begins.
fn first_begun(
    workflow: &onward_core::definition::Workflow,
    mut state: State,
    happening: Happening,
    context: &Context<'_>,
    steps: &BTreeSet<&str>,
) -> Option<String> {
    // A panic shows when the happening is handed in.
    let decision = catch_unwind(AssertUnwindSafe(|| machine::decide(workflow, &mut state, happening, context))).ok()?;
    let begun = decision.entries.iter().filter(|entry| begins(entry)).filter_map(|entry| entry.step.as_deref());
    begun.map(|path| path.split('#').next().unwrap_or(path)).find(|key| steps.contains(key)).map(str::to_owned)
}

/// Whether an entry says that its step begins, or is tried again.
fn begins(entry: &Entry) -> bool {
    matches!(
        entry.fact,
        Fact::StepScheduled { .. }
            | Fact::TimerSet { .. }
            | Fact::WaitOpened { .. }
            | Fact::BranchTaken { .. }
            | Fact::VariantChosen { .. }
            | Fact::VarsSet { .. }
            | Fact::EventEmitted { .. }
            | Fact::AskOpened { .. }
            | Fact::ChildStarted { .. }
            | Fact::IterationStarted { .. }
    )
}
