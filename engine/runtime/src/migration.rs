//! Moving runs to another version: planned outside the loop, run by run, and applied in commits of many (SEMANTICS.md 28).
//!
//! A plan is a function of a run's history and of the two definitions. It is applied only to a run that has not moved on since;
//! one that has is told as such, and the next request plans it anew. So a crash, or a request that is given up, leaves each run
//! either moved or where it was, and the request can be repeated.

use crate::{EngineError, EngineHandle, Guard, batch::Batch, engine::Engine, message::Item};
use onward_core::{
    OrganisationId, RunId, Shard,
    definition::Workflow,
    machine::{self, Happening, Mapping, Migration, Moved, Obstacle, State},
    ports::{Store, StoreError, StoredRun, WriteError},
};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

/// Runs that are planned, and moved, at a time.
const RUNS_AT_ONCE: usize = 100;

/// Which runs are moved, and where to.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MigrationRequest {
    /// Whose.
    pub organisation: OrganisationId,
    /// Of which workflow.
    pub workflow: String,
    /// To which version; with `undo`, the version that they were moved to.
    pub to: u32,
    /// Only runs of this version.
    pub from: Option<u32>,
    /// Steps that stand for others.
    pub mapping: Mapping,
    /// Runs that wait in these steps begin again.
    pub restart: BTreeSet<String>,
    /// Runs that wait in these steps are cancelled.
    pub cancel: BTreeSet<String>,
    /// Takes the last move back, of runs that have decided nothing since.
    pub undo: bool,
    /// Only tells what would become of them.
    pub dry_run: bool,
    /// Runs with a greater id only.
    pub after: Option<RunId>,
    /// So many runs at the most.
    pub limit: usize,
    /// Who wants it.
    pub by: String,
}

/// What became of the runs, or would.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct MigrationReport {
    /// Runs that were looked at.
    pub runs: u64,
    /// Runs that moved, began again or were cancelled; in a dry run, those that would.
    pub moved: u64,
    /// Runs that went on meanwhile; the next request looks at them again.
    pub changed: u64,
    /// The steps in which runs wait, and where they go on. A run that waits in several steps counts in each.
    pub steps: Vec<StepPlace>,
    /// Why runs stay where they are.
    pub obstacles: Vec<ObstacleCount>,
    /// There may be more runs behind this one.
    #[serde(skip)]
    pub next: Option<RunId>,
}

/// A step in which runs wait.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct StepPlace {
    /// The version that they are on.
    pub from: u32,
    /// The step.
    pub step: String,
    /// What they wait for: `event`, `timer`, `run`, `ask`, `retry` or `hold`.
    pub waits_for: &'static str,
    /// What becomes of them: `kept`, `mapped`, `restarted`, `cancelled`, `undone`, or `stays`.
    pub place: &'static str,
    /// The step in which they go on.
    pub to_step: Option<String>,
    /// How many runs.
    pub runs: u64,
}

/// A reason for which runs stay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ObstacleCount {
    /// The version that they are on.
    pub from: u32,
    /// A stable name.
    pub code: &'static str,
    /// What is in the way, and the remedy.
    pub message: String,
    /// How many runs.
    pub runs: u64,
    /// One of them.
    pub example: RunId,
}

/// What is to become of one run, as long as it stands where it stood.
#[derive(Clone, Debug)]
pub(crate) struct Move {
    run_id: RunId,
    seq: u64,
    what: What,
}

#[derive(Clone, Debug)]
enum What {
    Go(Box<Migration>, Arc<Workflow>),
    Cancel { by: String, reason: String },
}

/// What became of moves.
#[derive(Debug, Default)]
pub(crate) struct Relocated {
    pub(crate) moved: u64,
    /// Runs that other nodes own: these are asked.
    elsewhere: BTreeMap<Shard, Vec<RunId>>,
}

impl Move {
    pub(crate) fn run_id(&self) -> RunId {
        self.run_id
    }
}

impl<S: Store> EngineHandle<S> {
    /// Moves a page of runs to another version, or tells what would become of them.
    pub async fn migrate(&self, request: &MigrationRequest) -> Result<MigrationReport, EngineError> {
        self.migrate_guarded(request, &|| None).await
    }

    /// The same, with work in each transaction that moves runs: its `after` gets how many.
    pub async fn migrate_guarded(
        &self,
        request: &MigrationRequest,
        guard: &(dyn Fn() -> Option<Guard<S::Tx>> + Send + Sync),
    ) -> Result<MigrationReport, EngineError> {
        let to = self.definition(request.organisation, &request.workflow, request.to).await?;
        check(request, &to)?;
        let (on, not_on) = if request.undo { (Some(request.to), None) } else { (request.from, Some(request.to)) };
        let found = self.shared.store.runs_on_versions(request.organisation, &request.workflow, on, not_on, request.after, request.limit).await;
        let ids = found.map_err(|error| WriteError::Database(error.to_string()))?;
        let mut report = MigrationReport { next: ids.last().filter(|_| ids.len() >= request.limit).copied(), ..MigrationReport::default() };
        let mut tally = Tally::default();
        let mut programs = BTreeMap::from([(request.to, to)]);
        for page in ids.chunks(RUNS_AT_ONCE) {
            let mut moves = Vec::new();
            for run in self.histories(request.organisation, page.to_vec()).await? {
                // What has ended, or moved, since it was found.
                if run.row.status.is_final() || on.is_some_and(|on| run.row.version != on) || not_on == Some(run.row.version) {
                    continue;
                }
                report.runs += 1;
                for version in machine::versions_of(&run.entries) {
                    if let Entry::Vacant(place) = programs.entry(version) {
                        place.insert(self.definition(request.organisation, &request.workflow, version).await?);
                    }
                }
                let planned = catch_unwind(AssertUnwindSafe(|| plan(request, &programs, &run)));
                let planned = planned.unwrap_or_else(|_| Plan::refused("planning its move panicked; report this as a bug"));
                tally.add(request, &run, &planned);
                if let Ok(Going { what, .. }) = planned.outcome {
                    moves.push(Move { run_id: run.row.id, seq: run.entries.last().map_or(0, |entry| entry.seq), what });
                }
            }
            let planned = moves.len() as u64;
            let done = if request.dry_run || moves.is_empty() { planned } else { self.relocate(request, moves, guard).await? };
            report.moved += done;
            report.changed += planned.saturating_sub(done);
        }
        report.steps = tally.steps();
        report.obstacles = tally.obstacles.into_values().collect();
        Ok(report)
    }

    /// Moves runs, wherever they live; how many moved.
    async fn relocate(
        &self,
        request: &MigrationRequest,
        moves: Vec<Move>,
        guard: &(dyn Fn() -> Option<Guard<S::Tx>> + Send + Sync),
    ) -> Result<u64, EngineError> {
        let organisation = request.organisation;
        let Relocated { mut moved, elsewhere } = self.ask(|reply| Item::Migrate { organisation, moves, guard: guard(), reply }).await?;
        let request = Arc::new(request.clone());
        let asked = elsewhere.into_iter().map(|(shard, runs)| {
            let request = Arc::clone(&request);
            self.ask(move |reply| Item::MigrateOf { shard, request, runs, guard: guard(), reply })
        });
        for answer in futures_util::future::join_all(asked).await {
            moved += answer?;
        }
        Ok(moved)
    }
}

/// A mapping that names what is not there is a mistake, and not a run's obstacle.
fn check(request: &MigrationRequest, to: &Workflow) -> Result<(), EngineError> {
    let known = || to.outline.iter().map(|step| &*step.key).collect::<Vec<_>>().join(", ");
    if let Some(missing) = request.mapping.steps.values().find(|step| !to.places.contains_key(step.as_str())) {
        return Err(EngineError::InvalidInput(format!("version {} has no step {missing:?}; it has {}", request.to, known())));
    }
    let twice = request.restart.iter().find(|step| request.cancel.contains(*step) || request.mapping.steps.contains_key(*step));
    if let Some(step) = twice.or_else(|| request.cancel.iter().find(|step| request.mapping.steps.contains_key(*step))) {
        return Err(EngineError::InvalidInput(format!("say one thing only about step {step:?}: map it, or restart, or cancel")));
    }
    Ok(())
}

/// What is to become of one run.
struct Plan {
    /// The steps in which it waits, and for what.
    resting: Vec<(String, &'static str)>,
    outcome: Result<Going, Vec<Obstacle>>,
}

/// A run that does not stay.
struct Going {
    what: What,
    place: &'static str,
    /// The steps in which it then waits; none where it does not go on.
    to_steps: Vec<String>,
}

impl Plan {
    fn refused(reason: impl Into<String>) -> Self {
        Self { resting: Vec::new(), outcome: Err(busy(reason)) }
    }
}

fn busy(reason: impl Into<String>) -> Vec<Obstacle> {
    vec![Obstacle::Busy { reason: reason.into() }]
}

fn plan(request: &MigrationRequest, programs: &BTreeMap<u32, Arc<Workflow>>, run: &StoredRun) -> Plan {
    let Some(old) = programs.get(&run.row.version) else { return Plan::refused(format!("version {} is not there", run.row.version)) };
    let state = match machine::fold_all(old, run.row.id, &run.entries) {
        Ok(state) => state,
        Err(error) => return Plan::refused(format!("its history cannot be read: {error}")),
    };
    let resting = state.resting_steps();
    let outcome = match state.unrest() {
        Some(unrest) => Err(vec![unrest]),
        None if request.undo => back(programs, run, &state, &request.by),
        None => forth(request, programs, run, old, &state),
    };
    Plan { resting, outcome }
}

/// Back to the version that the run came from, as it stood there.
fn back(programs: &BTreeMap<u32, Arc<Workflow>>, run: &StoredRun, state: &State, by: &str) -> Result<Going, Vec<Obstacle>> {
    let undoable = State::undoable(&run.entries).ok_or_else(|| busy("it was not moved here, or has decided something since: move it like any other"))?;
    let (from, count) = undoable;
    let program = programs.get(&from).cloned().ok_or_else(|| busy(format!("version {from} is not there")))?;
    let folded = machine::fold_all(&program, run.row.id, &run.entries[..count]);
    let mut before = folded.map_err(|error| busy(format!("its history cannot be read: {error}")))?;
    before.paused.clone_from(&state.paused);
    Ok(go(Moved::Undone, before, program, by))
}

/// On to another version, from the beginning, or to an end.
fn forth(request: &MigrationRequest, programs: &BTreeMap<u32, Arc<Workflow>>, run: &StoredRun, old: &Workflow, state: &State) -> Result<Going, Vec<Obstacle>> {
    let resting = state.resting_steps();
    let waits_in = |said: &dyn Fn(&String) -> bool| resting.iter().map(|(step, _)| step).find(|step| said(step)).cloned();
    if let Some(step) = waits_in(&|step| request.cancel.contains(step)) {
        let reason = format!("cancelled when runs were moved to version {}: step {step} does not go on there", request.to);
        return Ok(Going { what: What::Cancel { by: request.by.clone(), reason }, place: "cancelled", to_steps: Vec::new() });
    }
    let new = programs.get(&request.to).cloned().ok_or_else(|| busy(format!("version {} is not there", request.to)))?;
    if waits_in(&|step| request.restart.contains(step)).is_some() {
        return Ok(go(Moved::Restarted, machine::begin_again(request.to, state)?, new, &request.by));
    }
    let carried = machine::carry_over(old, &new, request.to, state, &request.mapping)?;
    if waits_in(&|step| request.mapping.steps.contains_key(step)).is_some() {
        return Ok(go(Moved::Mapped, carried, new, &request.by));
    }
    machine::would_decide(old, &new, &request.mapping, run.row.organisation, run.row.id, &run.entries).map_err(|obstacle| vec![obstacle])?;
    Ok(go(Moved::Kept, carried, new, &request.by))
}

fn go(how: Moved, state: State, program: Arc<Workflow>, by: &str) -> Going {
    let place = match how {
        Moved::Kept => "kept",
        Moved::Mapped => "mapped",
        Moved::Restarted => "restarted",
        Moved::Undone => "undone",
    };
    let to_steps = state.resting_steps().into_iter().map(|(step, _)| step).collect();
    let migration = Migration { version: state.version, how, by: by.to_owned(), state };
    Going { what: What::Go(Box::new(migration), program), place, to_steps }
}

/// What many plans say together.
#[derive(Default)]
struct Tally {
    steps: BTreeMap<StepPlace, u64>,
    obstacles: BTreeMap<(u32, &'static str, String), ObstacleCount>,
}

impl Tally {
    fn add(&mut self, request: &MigrationRequest, run: &StoredRun, plan: &Plan) {
        let from = run.row.version;
        let (place, to_steps) = plan.outcome.as_ref().map_or(("stays", [].as_slice()), |going| (going.place, going.to_steps.as_slice()));
        for (number, (step, waits_for)) in plan.resting.iter().enumerate() {
            // What stands for a step: the one that the mapping names, the one of the same name, or the one in its place.
            let named = request.mapping.steps.get(step).unwrap_or(step);
            let to_step = to_steps.iter().find(|to| *to == named).or_else(|| to_steps.get(number)).cloned();
            *self.steps.entry(StepPlace { from, step: step.clone(), waits_for, place, to_step, runs: 0 }).or_default() += 1;
        }
        for obstacle in plan.outcome.as_ref().err().into_iter().flatten() {
            // Where it shows differs from run to run; what it is does not.
            let kind = match obstacle {
                Obstacle::Decides { step, reason, .. } => format!("{step:?} {reason}"),
                other => other.to_string(),
            };
            let new = || ObstacleCount { from, code: obstacle.code(), message: obstacle.to_string(), runs: 0, example: run.row.id };
            self.obstacles.entry((from, obstacle.code(), kind)).or_insert_with(new).runs += 1;
        }
    }

    fn steps(&mut self) -> Vec<StepPlace> {
        std::mem::take(&mut self.steps).into_iter().map(|(place, runs)| StepPlace { runs, ..place }).collect()
    }
}

impl<S: Store> Engine<S> {
    /// Plans the move of runs that live here as they stand now, and applies it; how many moved.
    pub(crate) async fn plan_and_migrate(
        &mut self,
        tx: &mut S::Tx,
        batch: &mut Batch<S::Tx>,
        request: &MigrationRequest,
        runs: &[RunId],
    ) -> Result<Result<u64, EngineError>, StoreError> {
        let store = Arc::clone(&self.shared.store);
        self.load(tx, batch, runs).await?;
        let mut programs = BTreeMap::new();
        let mut moves = Vec::new();
        for run in store.load_runs(tx, runs).await?.into_iter().flatten() {
            let (row, to) = (&run.row, request.to);
            let asked = if request.undo { row.version == to } else { row.version != to && request.from.is_none_or(|from| from == row.version) };
            if row.organisation != request.organisation || row.workflow != request.workflow || row.status.is_final() || !asked {
                continue;
            }
            for version in machine::versions_of(&run.entries).into_iter().chain([to]) {
                if let Entry::Vacant(place) = programs.entry(version) {
                    match self.program(request.organisation, &request.workflow, version).await? {
                        Ok(program) => {
                            place.insert(program);
                        }
                        Err(reason) => return Ok(Err(EngineError::Conflict(reason))),
                    }
                }
            }
            let planned = catch_unwind(AssertUnwindSafe(|| plan(request, &programs, &run)));
            if let Ok(Plan { outcome: Ok(Going { what, .. }), .. }) = planned {
                moves.push(Move { run_id: row.id, seq: run.entries.last().map_or(0, |entry| entry.seq), what });
            }
        }
        Ok(Ok(self.migrate_runs(tx, batch, request.organisation, &moves).await?.moved))
    }

    /// Applies what was planned to the runs that still stand where they stood.
    pub(crate) async fn migrate_runs(
        &mut self,
        tx: &mut S::Tx,
        batch: &mut Batch<S::Tx>,
        organisation: OrganisationId,
        moves: &[Move],
    ) -> Result<Relocated, StoreError> {
        let mut relocated = Relocated::default();
        for Move { run_id, seq, what } in moves {
            if let Some((_, shard)) = batch.foreign.get(run_id).filter(|(whose, _)| *whose == organisation) {
                relocated.elsewhere.entry(*shard).or_default().push(*run_id);
                continue;
            }
            let Some(live) = self.runs.get_mut(*run_id).filter(|live| live.organisation == organisation) else { continue };
            if live.state.seq != *seq || live.state.unrest().is_some() {
                continue;
            }
            relocated.moved += 1;
            // A run that was held with others of its version may go on there.
            batch.resume_runs |= live.state.paused.is_some();
            let happening = match what {
                What::Cancel { by, reason } => Happening::Cancel { by: by.clone(), reason: Some(reason.clone()), force: false },
                What::Go(migration, program) => {
                    live.workflow = Arc::clone(program);
                    // Should this transaction not be confirmed, the run is loaded again with the version that it was on.
                    batch.touched.insert(*run_id);
                    Happening::Migrate(migration.clone())
                }
            };
            self.happen(tx, batch, *run_id, happening).await?;
        }
        Ok(relocated)
    }
}
