//! Versions on trial: a new version takes a share of the starts until it is promoted or taken back, or held because too many
//! of its runs failed (LANGUAGE.md, "Flow control").
//!
//! While a version is on trial, the version before it stays the current one. Failures are counted in memory; what they come to
//! is written with the commit that ends the runs, one row however many of them, and only until as many are counted as the
//! file asks for.

use crate::{
    Current, EngineError,
    batch::{Batch, Published},
    definitions::Standing,
    engine::Engine,
};
use onward_core::{
    EventId, NewEvent, OrganisationId, RunId, Shard, Value,
    definition::{LANGUAGE_REVISION, Workflow},
    machine::{self, Admission},
    ports::{InboxMessage, Pause, PauseScope, RolloutState, RunStatus, Store, StoreError, Transaction as _},
};
use std::{collections::BTreeMap, sync::Arc};

/// The event that tells that a version is held.
pub const ROLLOUT_HELD: &str = "rollout.held";
/// Who pauses a version's runs when it is held.
const BY: &str = "rollout";

/// The versions on trial, as confirmed.
#[derive(Debug, Default)]
pub(crate) struct Rollouts {
    all: BTreeMap<(OrganisationId, String), RolloutState>,
    /// They, and which versions take starts, are to be read again: a commit of unknown outcome may have changed them.
    pub(crate) unread: bool,
}

/// A run of some version that ended by itself.
#[derive(Debug)]
pub(crate) struct EndedRun {
    pub(crate) organisation: OrganisationId,
    pub(crate) workflow: Arc<str>,
    pub(crate) version: u32,
    pub(crate) failed: bool,
}

impl Rollouts {
    pub(crate) fn replace(&mut self, all: Vec<RolloutState>) {
        self.all = all.into_iter().map(|state| ((state.organisation, state.workflow.clone()), state)).collect();
    }
    pub(crate) fn of(&self, organisation: OrganisationId, workflow: &str) -> Option<&RolloutState> {
        if self.all.is_empty() { None } else { self.all.get(&(organisation, workflow.to_owned())) }
    }
    pub(crate) fn apply(&mut self, changes: BTreeMap<(OrganisationId, String), Option<RolloutState>>) {
        for (key, change) in changes {
            match change {
                Some(state) => drop(self.all.insert(key, state)),
                None => drop(self.all.remove(&key)),
            }
        }
    }
    /// What is to be counted of a run's end; nothing, while no version of its workflow is on trial. A run that somebody
    /// cancelled says nothing about its version.
    pub(crate) fn ended(&self, organisation: OrganisationId, workflow: &Arc<str>, version: u32, status: RunStatus) -> Option<EndedRun> {
        let state = self.of(organisation, workflow)?;
        let counts = state.version == version && state.held_at.is_none() && status != RunStatus::Cancelled;
        counts.then(|| EndedRun { organisation, workflow: Arc::clone(workflow), version, failed: status == RunStatus::Failed })
    }
}

/// What decides which version a start is of: its key; without one, the event that starts it, or the run.
pub(crate) fn lot(key: Option<&str>, event: Option<EventId>, run: RunId) -> String {
    match (key, event) {
        (Some(key), _) => crate::admission::bounded_key(key),
        (None, Some(event)) => event.to_string(),
        (None, None) => run.to_string(),
    }
}

impl<S: Store> Engine<S> {
    /// Publishes a version: it becomes the current one, or goes on trial beside it. Whatever was on trial before is no more.
    pub(crate) async fn publish_version(
        &mut self,
        tx: &mut S::Tx,
        batch: &mut Batch<S::Tx>,
        organisation: OrganisationId,
        workflow: &Arc<Workflow>,
    ) -> Result<Result<u32, EngineError>, StoreError> {
        if let Err(error) = self.paths_are_free(organisation, workflow) {
            return Ok(Err(error));
        }
        let store = Arc::clone(&self.shared.store);
        let name = workflow.name.as_str();
        if let Some(trial) = self.rollouts.of(organisation, name).map(|state| state.version)
            && store.version(organisation, name, trial).await?.is_some_and(|published| published.digest == workflow.digest)
        {
            return Ok(Ok(trial));
        }
        let before = self.shared.definitions.snapshot().current(organisation, name).cloned();
        let published = store.publish(tx, organisation, name, &workflow.source, &workflow.digest, LANGUAGE_REVISION).await?;
        let new = Current::whole(organisation, published.version, published.paused, Arc::clone(workflow));
        let standing = match before.filter(|before| workflow.rollout.is_some() && before.version != published.version) {
            None => {
                self.end_trial(batch, organisation, name);
                Standing::whole(new)
            }
            Some(before) => {
                store.set_current(tx, organisation, name, Some(before.version)).await?;
                let state =
                    RolloutState { organisation, workflow: name.to_owned(), version: published.version, since: batch.now, ended: 0, failed: 0, held_at: None };
                batch.rollouts.insert((organisation, name.to_owned()), Some(state));
                Standing::on_trial(Current::clone(&before), new)
            }
        };
        self.make_current(tx, batch, organisation, name, Some(standing)).await?;
        Ok(Ok(published.version))
    }

    /// A trial ends without a verdict of its own: another version became current, or the one on trial did.
    pub(crate) fn end_trial(&mut self, batch: &mut Batch<S::Tx>, organisation: OrganisationId, workflow: &str) {
        if self.rollouts.of(organisation, workflow).is_some() {
            batch.rollouts.insert((organisation, workflow.to_owned()), None);
        }
    }

    /// Lets the runs of a version go on that was held, and takes all starts now.
    pub(crate) async fn lift_hold(
        &mut self,
        tx: &mut S::Tx,
        batch: &mut Batch<S::Tx>,
        organisation: OrganisationId,
        workflow: &str,
        version: u32,
    ) -> Result<(), StoreError> {
        let held = self.rollouts.of(organisation, workflow).is_some_and(|state| state.version == version && state.held_at.is_some());
        let scope = PauseScope::Version { organisation, workflow: workflow.to_owned(), version };
        if let Some(pause) = self.pauses.get(&scope).filter(|pause| held && pause.by == BY).cloned() {
            self.change_pause(tx, batch, &pause, false).await?;
        }
        Ok(())
    }

    /// Counts the runs that ended in this transaction, and holds a version of which too many failed.
    pub(crate) async fn count_ends(&mut self, tx: &mut S::Tx, batch: &mut Batch<S::Tx>) -> Result<(), StoreError> {
        for end in std::mem::take(&mut batch.ended_on_trial) {
            let key = (end.organisation, end.workflow.to_string());
            let home = Shard::of(end.organisation, &end.workflow, "");
            if self.is_in_company() && !self.leases.own(home) {
                // One node counts for all.
                let EndedRun { organisation, workflow, version, failed } = end;
                let message = InboxMessage::TrialEnded { workflow: workflow.to_string(), version, failed };
                let cause = tx.fresh_id().to_string();
                self.address(tx, batch, organisation, home, None, &cause, &message).await?;
                continue;
            }
            let state = match batch.rollouts.get(&key) {
                Some(changed) => changed.clone(),
                None => self.rollouts.of(end.organisation, &end.workflow).cloned(),
            };
            let snapshot = self.shared.definitions.snapshot();
            let (Some(mut state), Some(trial)) = (state, snapshot.on_trial(end.organisation, &end.workflow)) else { continue };
            let Some(hold_if) = trial.workflow.rollout.and_then(|rollout| rollout.hold_if) else { continue };
            if state.version != end.version || state.held_at.is_some() || state.ended >= hold_if.of {
                continue;
            }
            state.ended += 1;
            state.failed += u32::from(end.failed);
            if hold_if.is_passed(state.failed) {
                state.held_at = Some(batch.now);
                let reason = format!(
                    "version {} was on trial, and {} of its first {} runs failed: more than {}% of {}",
                    state.version,
                    state.failed,
                    state.ended,
                    hold_if.failed * 100.0,
                    hold_if.of
                );
                self.hold_version(tx, batch, &state, &reason).await?;
            }
            batch.rollouts.insert(key, Some(state));
        }
        Ok(())
    }

    /// The runs of the version are paused where they stand, its starts go to the current version, and an event tells of it.
    async fn hold_version(&mut self, tx: &mut S::Tx, batch: &mut Batch<S::Tx>, state: &RolloutState, reason: &str) -> Result<(), StoreError> {
        let RolloutState { organisation, workflow, version, ended, failed, .. } = state;
        tracing::error!(%organisation, workflow, version, ended, failed, "a version on trial is held: too many of its runs failed");
        metrics::counter!("onward_rollouts_held_total").increment(1);
        let scope = PauseScope::Version { organisation: *organisation, workflow: workflow.clone(), version: *version };
        let pause = Pause { scope, at: batch.now, by: BY.into(), reason: Some(reason.to_owned()) };
        self.change_pause(tx, batch, &pause, true).await?;
        let data = serde_json::json!({ "workflow": workflow, "version": version, "ended": ended, "failed": failed, "reason": reason });
        let mut event = NewEvent::new(*organisation, ROLLOUT_HELD, format!("workflows/{workflow}"), data).with_id(format!("{ROLLOUT_HELD}/{version}"));
        event.subject = Some(workflow.clone());
        batch.arriving.push(crate::batch::Arriving { event, told: None, addressee: None, request: tracing::Span::none() });
        let current = self.shared.definitions.snapshot().current(*organisation, workflow).cloned();
        let standing = current.map(|current| Standing::whole(Current::clone(&current)));
        batch.published.push(Published { organisation: *organisation, workflow: workflow.clone(), standing });
        Ok(())
    }

    /// Asks the versions that may take a start without a trigger: the one that its key falls to, and what it says. `None`: no
    /// version takes starts.
    pub(crate) async fn admit_input(
        &mut self,
        tx: &mut S::Tx,
        batch: &mut Batch<S::Tx>,
        organisation: OrganisationId,
        workflow: &str,
        start: ByHand<'_>,
    ) -> Result<Option<(Arc<Current>, Admission)>, StoreError> {
        let snapshot = self.shared.definitions.snapshot();
        let versions: Vec<Arc<Current>> = snapshot.versions(organisation, workflow).cloned().collect();
        let chance = match start.run_id {
            Some(run_id) => run_id,
            None if versions.len() > 1 => RunId(tx.fresh_id()),
            None => RunId(uuid::Uuid::nil()),
        };
        let mut refused = None;
        for current in versions {
            let program = Arc::clone(&current.workflow);
            let admission = self.admit(tx, batch, organisation, |asked| machine::admit_input(&program, start.input, asked)).await?;
            if let Admission::Yes { key, .. } = &admission {
                if current.takes(&lot(start.key.or(key.as_deref()), None, chance)) {
                    return Ok(Some((current, admission)));
                }
            } else {
                // The one on trial is asked first: what it says counts for the keys that the other one leaves to it.
                refused.get_or_insert((current, admission));
            }
        }
        Ok(refused)
    }
}

/// A start without a trigger.
#[derive(Clone, Copy)]
pub(crate) struct ByHand<'a> {
    pub(crate) input: &'a Value,
    /// Instead of the definition's key.
    pub(crate) key: Option<&'a str>,
    /// The run that it becomes, where that is known.
    pub(crate) run_id: Option<RunId>,
}
