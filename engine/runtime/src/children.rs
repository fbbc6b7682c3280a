//! Runs that steps of other runs start: `call` waits for the child's end, `start` only for its admission.

use crate::{
    admission::{Origin, Request, Verdict},
    batch::{Batch, Work},
    engine::Engine,
    rollout::ByHand,
};
use onward_core::{
    ErrorCode, OrganisationId, RunId, StepError, Value,
    history::{ChildOutcome, Parent},
    machine::{self, Admission, Happening},
    ports::{Store, StoreError},
};
use std::sync::Arc;

/// A run that a step asks for.
#[derive(Clone, Debug)]
pub(crate) struct Child {
    pub(crate) organisation: OrganisationId,
    /// The step that asks.
    pub(crate) parent: Parent,
    /// The id that it gets: the same whenever it is asked for.
    pub(crate) run_id: RunId,
    pub(crate) workflow: String,
    pub(crate) input: Value,
    /// Causes in a row that led to it.
    pub(crate) depth: u16,
}

impl<S: Store> Engine<S> {
    /// Starts the run that a step asks for, unless the step was cancelled meanwhile; tells the step what became of it.
    pub(crate) async fn start_child(&mut self, tx: &mut S::Tx, batch: &mut Batch<S::Tx>, child: Child) -> Result<(), StoreError> {
        let parent = child.parent.clone();
        let stands = |live: &crate::live::Live| live.state.children().iter().any(|open| open.step == parent.step && open.run_id == child.run_id);
        if !self.runs.get(parent.run_id).is_some_and(stands) {
            return Ok(());
        }
        if let Some(happening) = self.ask_for_child(tx, batch, child).await? {
            batch.work.push_front(Work::Happen { run_id: parent.run_id, happening });
        }
        Ok(())
    }

    /// Starts the run that a step of a run of another shard asks for.
    pub(crate) async fn start_announced_child(&mut self, tx: &mut S::Tx, batch: &mut Batch<S::Tx>, child: Child) -> Result<(), StoreError> {
        let (parent, run_id) = (child.parent.clone(), child.run_id);
        let Some(happening) = self.ask_for_child(tx, batch, child).await? else { return Ok(()) };
        if let Happening::ChildRefused { error, .. } = &happening {
            self.end_announced(tx, run_id, &error.message.clone()).await?;
        }
        batch.happen(parent.run_id, happening);
        Ok(())
    }

    /// Asks for a child; gives what its parent is told. `None`: the owner of the child's shard will say.
    async fn ask_for_child(&mut self, tx: &mut S::Tx, batch: &mut Batch<S::Tx>, child: Child) -> Result<Option<Happening>, StoreError> {
        let parent = child.parent.clone();
        let refuse = |code, message: String| Happening::ChildRefused { step: Arc::clone(&parent.step), error: StepError::new(code, message) };
        let start = ByHand { input: &child.input, key: None, run_id: Some(child.run_id) };
        Ok(match self.admit_input(tx, batch, child.organisation, &child.workflow, start).await? {
            None => Some(refuse(ErrorCode::NotFound, format!("there is no published workflow {:?}", child.workflow))),
            Some((current, admission)) => match admission {
                Admission::Yes { input, key, reads, gates } => {
                    let origin = Origin::Run { run_id: child.run_id, parent: parent.clone() };
                    let request = Request { current, origin, input, key, reads, gates, depth: child.depth, run_id: None };
                    match self.request_start(tx, batch, request).await? {
                        Verdict::Started(_) | Verdict::Held { .. } => Some(Happening::ChildStarted { step: Arc::clone(&parent.step) }),
                        Verdict::Elsewhere(_) => None,
                        Verdict::Refused(reason) | Verdict::TooMany(reason) => {
                            Some(refuse(ErrorCode::Conflict, format!("workflow {:?} was not started: {reason}", child.workflow)))
                        }
                    }
                }
                Admission::Error(message) => Some(refuse(ErrorCode::InvalidInput, message)),
                Admission::No | Admission::Need(_) => {
                    Some(refuse(ErrorCode::InvalidInput, format!("workflow {:?} does not start with this input", child.workflow)))
                }
            },
        })
    }

    /// Cancels a run that a step started. One that is still held is taken out of its queue.
    pub(crate) async fn cancel_child(&mut self, tx: &mut S::Tx, batch: &mut Batch<S::Tx>, parent: RunId, run_id: RunId) -> Result<(), StoreError> {
        let Some(organisation) = self.runs.get(parent).map(|live| live.organisation) else { return Ok(()) };
        let store = Arc::clone(&self.shared.store);
        let reason = format!("run {parent}, which waits for it, is ending");
        self.load(tx, batch, &[run_id]).await?;
        let is_foreign = batch.foreign.contains_key(&run_id);
        if !is_foreign && let Some(held) = store.held_start(tx, organisation, run_id).await? {
            return self.end_held(tx, batch, held, &reason).await;
        }
        if is_foreign || self.runs.get(run_id).is_some() {
            batch.happen(run_id, Happening::Cancel { by: "parent".into(), reason: Some(reason), force: false });
            return Ok(());
        }
        let step = self.runs.get(parent).and_then(|live| live.state.children().into_iter().find(|child| child.run_id == run_id)).map(|child| child.step);
        if let Some(step) = step {
            batch.happen(parent, Happening::ChildEnded { step, run_id, outcome: ChildOutcome::Cancelled {} });
        }
        Ok(())
    }

    /// After a crash: every child that a run waits for is there, or is asked for again.
    pub(crate) async fn ask_for_children(&mut self, tx: &mut S::Tx, batch: &mut Batch<S::Tx>, run_id: RunId) -> Result<(), StoreError> {
        let Some(live) = self.runs.get(run_id) else { return Ok(()) };
        let (organisation, depth, children) = (live.organisation, live.state.depth.saturating_add(1), live.state.children());
        let store = Arc::clone(&self.shared.store);
        for child in children {
            if self.runs.get(child.run_id).is_some() {
                continue;
            }
            // Whether it is there is asked; the end of a long history is enough.
            if store.resume_runs(tx, &[child.run_id], machine::checkpoint_revision()).await?.into_iter().flatten().next().is_some() {
                continue;
            }
            if store.held_start(tx, organisation, child.run_id).await?.is_some() {
                continue;
            }
            let parent = Parent { run_id, step: child.step };
            batch.work.push_back(Work::StartChild(Box::new(Child {
                organisation,
                parent,
                run_id: child.run_id,
                workflow: child.workflow,
                input: child.input,
                depth,
            })));
        }
        Ok(())
    }
}
