//! What each message does within the transaction.

use crate::{
    EngineError, Guard, Ingested, StartRequest,
    admission::ByHandStart,
    batch::{Arriving, Batch, Published, Work},
    definitions::{self, Current, Standing},
    engine::{Engine, Queued},
    message::{Answer, Command, Item},
    migration::{MigrationRequest, Move, Relocated},
    remote::Ask,
    steps::keep,
};
use futures_util::FutureExt;
use onward_core::{
    OrganisationId, RunId, Value,
    definition::{Problem, Severity, TriggerKind, Workflow},
    machine::{self, Happening},
    ports::{Body, RunStatus, Store, StoreError, Transaction, WriteError},
};
use serde::Serialize;
use std::{panic::AssertUnwindSafe, sync::Arc};
use tracing::Span;

impl<S: Store> Engine<S> {
    /// The runs that the messages name: loaded together, in as few reads as possible.
    pub(crate) fn addressed(batch: &mut Batch<S::Tx>, items: &[Queued<S>]) -> Vec<RunId> {
        let mut runs = Vec::new();
        for queued in items {
            match &queued.item {
                Item::Outcome { key, .. } => runs.push(key.run_id),
                Item::Due { timers } => runs.extend(timers.iter().map(|timer| timer.run_id)),
                Item::TakeUp { runs: taken_up } => runs.extend(taken_up),
                Item::Migrate { moves, .. } => runs.extend(moves.iter().map(Move::run_id)),
                Item::Control { run_id, command, .. } => {
                    if matches!(command, Command::Resume { .. }) {
                        batch.resumed.insert(*run_id);
                    }
                    runs.push(*run_id);
                }
                Item::Mend { run_id, .. } => runs.push(*run_id),
                _ => {}
            }
        }
        runs
    }

    /// Takes one message in. Its answer is given after the commit.
    pub(crate) async fn handle(&mut self, tx: &mut S::Tx, batch: &mut Batch<S::Tx>, index: usize, item: &mut Item<S::Tx>) -> Result<Answer, StoreError> {
        batch.request = match item {
            Item::Write { request, .. } | Item::Ingest { request, .. } => request.clone(),
            _ => Span::none(),
        };
        Ok(match item {
            Item::Write { body, .. } => Answer::Write(self.run_body(tx, batch, body).await?),
            Item::Ingest { events, addressee, guard, .. } => {
                if let Err(error) = self.guard_before(tx, batch, guard.as_mut()).await? {
                    return Ok(Answer::Ingest(Err(error.into())));
                }
                if let Some(reason) = self.overflows(tx, batch, events).await? {
                    return Ok(Answer::Ingest(Err(EngineError::TooMany(reason))));
                }
                for (place, event) in events.iter().enumerate() {
                    batch.arriving.push(Arriving {
                        event: event.clone(),
                        told: Some((index, place)),
                        addressee: addressee.clone(),
                        request: batch.request.clone(),
                    });
                }
                Answer::Ingest(Ok(Vec::new()))
            }
            Item::Start { request, guard, .. } => {
                if let Err(error) = self.guard_before(tx, batch, guard.as_mut()).await? {
                    return Ok(Answer::Start(Err(error.into())));
                }
                match self.start_by_hand(tx, batch, request, None).await? {
                    ByHandStart::Answered(result) => Answer::Start(result),
                    ByHandStart::Elsewhere { shard, run_id } => {
                        let StartRequest { organisation, workflow, input, key } = request.clone();
                        self.ask_owner(tx, batch, organisation, shard, run_id, &Ask::Start { workflow, input, key, run_id }).await?
                    }
                }
            }
            Item::Control { organisation, run_id, command, guard, .. } => {
                if let Err(error) = self.guard_before(tx, batch, guard.as_mut()).await? {
                    return Ok(Answer::Control(Err(error.into())));
                }
                if let Some((_, shard)) = batch.foreign.get(run_id).copied().filter(|(whose, _)| whose == organisation) {
                    return self.ask_owner(tx, batch, *organisation, shard, *run_id, &Ask::of_command(command)).await;
                }
                self.begin_if_announced(tx, batch, *run_id).await?;
                Answer::Control(match self.control_held(tx, batch, *organisation, *run_id, command).await? {
                    Some(answer) => answer,
                    None => self.control(batch, *organisation, *run_id, command),
                })
            }
            Item::Mend { organisation, run_id, mending, guard, .. } => {
                if let Err(error) = self.guard_before(tx, batch, guard.as_mut()).await? {
                    return Ok(Answer::Mend(Err(error.into())));
                }
                if let Some((_, shard)) = batch.foreign.get(run_id).copied().filter(|(whose, _)| whose == organisation) {
                    return self.ask_owner(tx, batch, *organisation, shard, *run_id, &Ask::of_mending(mending)).await;
                }
                self.begin_if_announced(tx, batch, *run_id).await?;
                Answer::Mend(self.mend(tx, batch, *organisation, *run_id, mending).await?)
            }
            Item::Publish { organisation, workflow, .. } => {
                let workflow = Arc::clone(workflow);
                Answer::Publish(self.publish_version(tx, batch, *organisation, &workflow).await?)
            }
            Item::SetCurrent { organisation, workflow, version, .. } => {
                Answer::SetCurrent(self.set_current(tx, batch, *organisation, workflow, *version).await?)
            }
            Item::SetPaused { organisation, workflow, paused, .. } => Answer::SetCurrent(self.set_paused(tx, batch, *organisation, workflow, *paused).await?),
            Item::SetPause { pause, on, .. } => Answer::SetPause(self.change_pause(tx, batch, pause, *on).await?),
            Item::Migrate { organisation, moves, .. } => Answer::Migrate(self.migrate_runs(tx, batch, *organisation, moves).await?),
            Item::MigrateOf { shard, request, runs, .. } => {
                if let Some(first) = runs.first().filter(|_| !self.leases.own(*shard)) {
                    let ask = Ask::Migrate { request: MigrationRequest::clone(request), runs: runs.clone() };
                    return self.ask_owner(tx, batch, request.organisation, *shard, *first, &ask).await;
                }
                Answer::MigrateOf(self.plan_and_migrate(tx, batch, request, runs).await?)
            }
            Item::ResumeRuns { after } => {
                self.resume_page(tx, batch, *after).await?;
                Answer::Done
            }
            Item::LookAtQueues { looking } => {
                self.look_at_queues(tx, batch, looking).await?;
                Answer::Done
            }
            Item::Release { turns } => {
                self.release_turns(tx, batch, turns).await?;
                Answer::Done
            }
            Item::BurstsEnd => {
                self.end_bursts(tx, batch).await?;
                Answer::Done
            }
            Item::Load { organisation, runs, .. } => {
                let store = Arc::clone(&self.shared.store);
                let loaded = store.load_runs(tx, runs).await?;
                Answer::Load(loaded.into_iter().flatten().filter(|run| run.row.organisation == *organisation).collect())
            }
            Item::Outcome { key, outcome } => {
                batch.work.push_back(Work::Ended { key: key.clone(), outcome: outcome.clone() });
                Answer::Done
            }
            Item::Due { timers } => {
                // Before a deadline fires, what waits for the run is applied (SEMANTICS.md 12); in company it was, before anything.
                if self.inbox_waits && !self.is_in_company() {
                    self.empty_the_inbox(tx, batch).await?;
                }
                for timer in timers.iter() {
                    self.due(tx, batch, timer).await?;
                }
                Answer::Done
            }
            Item::Schedules { keys } => {
                self.fire_schedules(tx, batch, keys).await?;
                Answer::Done
            }
            Item::Inbox => {
                self.apply_inbox(tx, batch).await?;
                batch.more_inbox |= self.inbox_waits;
                Answer::Done
            }
            Item::Replies => {
                self.take_replies(tx, batch).await?;
                Answer::Done
            }
            Item::TakeUp { runs } => {
                for run_id in runs.iter() {
                    batch.work.push_back(Work::TakeUp { run_id: *run_id });
                }
                Answer::Done
            }
        })
    }

    /// Does all work there is, and all that it causes within this transaction.
    pub(crate) async fn settle(&mut self, tx: &mut S::Tx, batch: &mut Batch<S::Tx>) -> Result<(), StoreError> {
        loop {
            while let Some(work) = batch.work.pop_front() {
                match work {
                    Work::Happen { run_id, happening } => self.happen(tx, batch, run_id, happening).await?,
                    Work::Ended { key, outcome } => self.call_ended(tx, batch, key, outcome).await?,
                    Work::Run { run_id, call } => self.run_standing_step(tx, batch, run_id, *call).await?,
                    Work::StartChild(child) => self.start_child(tx, batch, *child).await?,
                    Work::CancelChild { parent, run_id } => self.cancel_child(tx, batch, parent, run_id).await?,
                    Work::TakeUp { run_id } => self.take_up(tx, batch, run_id).await?,
                    Work::Release { organisation, queue } => self.release_some(tx, batch, organisation, &queue).await?,
                }
            }
            let ended = std::mem::take(&mut batch.ended);
            self.give_permits_back(tx, batch, &ended).await?;
            if !batch.ended_on_trial.is_empty() {
                self.count_ends(tx, batch).await?;
            }
            self.tell_of_questions(tx, batch).await?;
            if !batch.work.is_empty() {
                continue;
            }
            if batch.arriving.is_empty() {
                return Ok(());
            }
            let arriving = std::mem::take(&mut batch.arriving);
            self.take_in(tx, batch, arriving).await?;
        }
    }

    /// Fills in what was only known once all work was done, and lets guards store their answers.
    pub(crate) async fn complete_answers(
        &mut self,
        tx: &mut S::Tx,
        batch: &mut Batch<S::Tx>,
        items: &mut [Queued<S>],
        answers: &mut [Answer],
    ) -> Result<(), StoreError> {
        for (index, (queued, answer)) in items.iter_mut().zip(answers).enumerate() {
            match (&mut queued.item, answer) {
                (Item::Ingest { events, guard, .. }, Answer::Ingest(Ok(ingested))) => {
                    *ingested = (0..events.len()).filter_map(|place| batch.ingested.remove(&(index, place))).collect();
                    guard_after(tx, guard.as_mut(), ingested).await?;
                }
                (Item::Start { guard, .. }, Answer::Start(Ok(started))) => guard_after(tx, guard.as_mut(), started).await?,
                (Item::Control { run_id, guard, .. }, Answer::Control(Ok(status))) => {
                    if let Some(live) = self.runs.get(*run_id).filter(|live| live.state.seq > 0) {
                        *status = live.state.status;
                    }
                    guard_after(tx, guard.as_mut(), status).await?;
                }
                (Item::SetPause { guard, .. }, Answer::SetPause(true)) => guard_after(tx, guard.as_mut(), &true).await?,
                (Item::Migrate { guard, .. }, Answer::Migrate(Relocated { moved, .. })) | (Item::MigrateOf { guard, .. }, Answer::MigrateOf(Ok(moved)))
                    if *moved > 0 =>
                {
                    guard_after(tx, guard.as_mut(), moved).await?;
                }
                (Item::Mend { guard, .. }, Answer::Mend(Ok(mended))) => {
                    if let Some(live) = self.runs.get(mended.run_id) {
                        mended.status = live.state.status;
                    }
                    guard_after(tx, guard.as_mut(), mended).await?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Runs a room's write under a savepoint of its own; what it emits is taken in within this transaction.
    async fn run_body(&mut self, tx: &mut S::Tx, batch: &mut Batch<S::Tx>, body: &mut Body<S::Tx>) -> Result<Result<(), WriteError>, StoreError> {
        let store = Arc::clone(&self.shared.store);
        store.savepoint(tx).await?;
        let result = match AssertUnwindSafe(async { body(tx).await }).catch_unwind().await {
            Ok(result) => result,
            Err(_) => Err(WriteError::Database("the write panicked; report this as a bug".into())),
        };
        if result.is_ok() {
            if let Err(reason) = keep(&*store, tx).await? {
                return Ok(Err(WriteError::Database(reason)));
            }
            collect_outbox(tx, batch, None);
        } else {
            store.rollback_to_savepoint(tx).await?;
        }
        Ok(result)
    }

    async fn guard_before(&mut self, tx: &mut S::Tx, batch: &mut Batch<S::Tx>, guard: Option<&mut Guard<S::Tx>>) -> Result<Result<(), WriteError>, StoreError> {
        match guard {
            Some(guard) => self.run_body(tx, batch, &mut guard.before).await,
            None => Ok(Ok(())),
        }
    }

    pub(crate) fn control(
        &mut self,
        batch: &mut Batch<S::Tx>,
        organisation: OrganisationId,
        run_id: RunId,
        command: &Command,
    ) -> Result<RunStatus, EngineError> {
        let unreadable = batch.unreadable.contains_key(&run_id);
        let Some(live) = self.runs.get(run_id).filter(|live| live.organisation == organisation) else {
            let unbegun = batch.unbegun.get(&run_id).filter(|(whose, _)| *whose == organisation);
            return Err(if let Some((_, status)) = unbegun {
                EngineError::Conflict(format!("run {run_id} has ended before it began ({}); nothing can happen to it any more", status.as_str()))
            } else if unreadable {
                EngineError::Conflict(format!("run {run_id} is paused by the engine: its history cannot be read"))
            } else {
                EngineError::NotFound { what: format!("run {run_id}") }
            });
        };
        let status = live.state.status;
        if matches!(command, Command::Resume { .. })
            && let Some(refusal) = self.refuses_resume(run_id)
        {
            return Err(refusal);
        }
        if status.is_final() {
            return Err(EngineError::Conflict(format!("run {run_id} has ended ({}); nothing can happen to it any more", status.as_str())));
        }
        if let Command::Answer { step, answer, .. } = command {
            let Some((_, question)) = live.state.questions().into_iter().find(|(asked, _)| *asked == step) else {
                return Err(EngineError::Conflict(format!("step {step} of run {run_id} asks nothing now; it may have been answered already")));
            };
            if status == RunStatus::Paused {
                return Err(EngineError::Conflict(format!("run {run_id} is paused; resume it, then answer")));
            }
            machine::check_answer(question, answer).map_err(EngineError::InvalidInput)?;
        }
        batch.happen(
            run_id,
            match command.clone() {
                Command::Cancel { by, reason, force } => Happening::Cancel { by, reason, force },
                Command::Pause { by, reason } => Happening::Pause { by, reason },
                Command::Resume { by } => Happening::Resume { by },
                Command::Answer { step, answer, by } => Happening::Answered { step, answer, by },
            },
        );
        if matches!(command, Command::Resume { .. }) {
            batch.work.push_back(Work::TakeUp { run_id });
        }
        Ok(status)
    }

    async fn set_current(
        &mut self,
        tx: &mut S::Tx,
        batch: &mut Batch<S::Tx>,
        organisation: OrganisationId,
        workflow: &str,
        version: Option<u32>,
    ) -> Result<Result<(), EngineError>, StoreError> {
        let store = Arc::clone(&self.shared.store);
        let current = match version {
            None => None,
            Some(number) => {
                let Some(published) = store.version(organisation, workflow, number).await? else {
                    return Ok(Err(EngineError::NotFound { what: format!("version {number} of workflow {workflow:?}") }));
                };
                match self.shared.definitions.compiled(&published, &self.shared.nodes) {
                    Ok(program) => Some(Current::whole(organisation, number, published.paused, program)),
                    Err(reason) => {
                        return Ok(Err(EngineError::Conflict(format!("version {number} of workflow {workflow:?} does not compile any more: {reason}"))));
                    }
                }
            }
        };
        if let Some(Err(error)) = current.as_ref().map(|current| self.paths_are_free(organisation, &current.workflow)) {
            return Ok(Err(error));
        }
        store.set_current(tx, organisation, workflow, version).await?;
        if let Some(version) = version {
            self.lift_hold(tx, batch, organisation, workflow, version).await?;
        }
        self.end_trial(batch, organisation, workflow);
        self.make_current(tx, batch, organisation, workflow, current.map(Standing::whole)).await?;
        Ok(Ok(()))
    }

    async fn set_paused(
        &mut self,
        tx: &mut S::Tx,
        batch: &mut Batch<S::Tx>,
        organisation: OrganisationId,
        workflow: &str,
        paused: bool,
    ) -> Result<Result<(), EngineError>, StoreError> {
        let store = Arc::clone(&self.shared.store);
        if !store.set_paused(tx, organisation, workflow, paused).await? {
            return Ok(Err(EngineError::NotFound { what: format!("workflow {workflow:?}") }));
        }
        if let Some(standing) = self.shared.definitions.snapshot().standing(organisation, workflow) {
            self.make_current(tx, batch, organisation, workflow, Some(standing.paused(paused))).await?;
            batch.resume_runs |= !paused;
        }
        Ok(Ok(()))
    }

    /// An address leads to one workflow of its organisation.
    pub(crate) fn paths_are_free(&self, organisation: OrganisationId, workflow: &Workflow) -> Result<(), EngineError> {
        let snapshot = self.shared.definitions.snapshot();
        for trigger in &workflow.triggers {
            let TriggerKind::Webhook(webhook) = &trigger.on else { continue };
            let Some((other, _)) = snapshot.webhook(organisation, &webhook.path).filter(|(other, _)| other.workflow.name != workflow.name) else { continue };
            let problem = Problem {
                severity: Severity::Error,
                code: "duplicate_path".into(),
                message: format!("the path \"{}\" is taken by workflow {}; write another one", webhook.path, other.workflow.name),
                line: trigger.position.line,
                column: trigger.position.column,
                pointer: trigger.position.pointer.clone(),
                suggestion: None,
            };
            return Err(EngineError::Invalid { problems: vec![problem] });
        }
        Ok(())
    }

    /// Notes what the routing table will say after the commit, and the paths under which events must be found; writes where
    /// the schedules stand.
    pub(crate) async fn make_current(
        &mut self,
        tx: &mut S::Tx,
        batch: &mut Batch<S::Tx>,
        organisation: OrganisationId,
        workflow: &str,
        standing: Option<Standing>,
    ) -> Result<(), StoreError> {
        for current in standing.iter().flat_map(Standing::versions) {
            let shapes = definitions::shapes_of(&current.workflow).into_iter().map(|(event, paths)| (organisation, event, paths));
            let added = self.learn_shapes(shapes);
            batch.shapes_added.extend(added);
        }
        self.derive_schedules(tx, batch, organisation, workflow, standing.as_ref().map(|standing| &*standing.current)).await?;
        batch.published.push(Published { organisation, workflow: workflow.to_owned(), standing });
        Ok(())
    }
}

pub(crate) async fn guard_after<T: Transaction>(tx: &mut T, guard: Option<&mut Guard<T>>, answer: &impl Serialize) -> Result<(), StoreError> {
    let Some(guard) = guard else { return Ok(()) };
    let answer: Value = serde_json::to_value(answer).unwrap_or_default();
    let work = AssertUnwindSafe(async { (guard.after)(tx, &answer).await }).catch_unwind().await;
    match work {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(StoreError::Failed(format!("the answer could not be stored: {error}"))),
        Err(_) => Err(StoreError::Failed("storing the answer panicked".into())),
    }
}

/// Takes what a body or a node emitted and announced. What a run emits is one cause deeper than the run.
pub(crate) fn collect_outbox<T: Transaction>(tx: &mut T, batch: &mut Batch<T>, cause: Option<(RunId, u16)>) {
    let outbox = std::mem::take(tx.outbox());
    batch.changes.extend(outbox.changes);
    batch.settings_changed.extend(outbox.settings_changed);
    for wake in outbox.wakes {
        batch.happen(wake.run_id, Happening::Woken { step: wake.step });
    }
    for given in outbox.answers {
        batch.happen(given.run_id, Happening::Answered { step: given.step, answer: given.answer, by: given.by });
    }
    for mut event in outbox.events {
        if let Some((run_id, depth)) = cause {
            event.cause.get_or_insert(run_id);
            event.depth = event.depth.max(depth.saturating_add(1));
        }
        let request = if cause.is_none() { batch.request.clone() } else { Span::none() };
        batch.arriving.push(Arriving { event, told: None, addressee: None, request });
    }
}

/// What a caller is told of an event.
pub(crate) fn ingested(event_id: onward_core::EventId, duplicate: bool, run_ids: Vec<RunId>) -> Ingested {
    Ingested { event_id, duplicate, run_ids }
}
