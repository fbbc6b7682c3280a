//! DESIGN.md's promises, checked against what is stored, what clients were told, and the outside's ledger.

use super::{
    driver::{Log, told},
    workflows::{RATED_MAX, RATED_PER_MS, SCHEDULED, SHARED_MAX},
    world::World,
};
use crate::checkpoints::from_checkpoint;
use futures_util::FutureExt as _;
use onward_core::{
    RunId, Timestamp, Value,
    definition::Workflow,
    history::{Entry, Fact},
    machine::{self, State},
    ports::{RunRow, RunStatus, Store as _, StoredRun},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    sync::Arc,
};

struct Stored {
    row: RunRow,
    history: Vec<Entry>,
}

impl Stored {
    /// Where its own history begins: behind what was copied from another run.
    fn copied(&self) -> usize {
        let fork = self.history.iter().rposition(|entry| matches!(entry.fact, Fact::Reopened { fork: Some(_), .. }));
        fork.map_or(0, |fork| fork + 1)
    }
}

fn stored(world: &World) -> Result<Vec<Stored>, String> {
    let memory = world.store.inner();
    memory
        .committed_runs()
        .into_iter()
        .map(|row| {
            let history = memory.committed_history(row.id).map_err(|error| format!("the history of {} cannot be read: {error}", row.id))?;
            Ok(Stored { row, history })
        })
        // What is held has not begun, and what ended before it began has nothing to check.
        .filter(|run| run.as_ref().map_or(true, |run| !run.history.is_empty()))
        .collect()
}

/// Every run that somebody may have been told of.
fn known(world: &World) -> BTreeSet<RunId> {
    world.store.inner().committed_runs().into_iter().map(|run| run.id).collect()
}

/// What must hold at any moment, right after a crash included.
pub(super) fn always(world: &World, log: &Log) -> Result<(), String> {
    let runs = stored(world)?;
    let definitions = &world.definitions;
    let registry = world.registry();
    nothing_is_early(world, &runs)?;
    for run in &runs {
        histories_are_whole(world, run)?;
        timers_are_never_early(run)?;
        if !world.has_grown(run.row.id, run.history.len()) {
            continue;
        }
        let program = |number| {
            // The memory store never waits; nobody else may go on meanwhile.
            let version = world.store.inner().version(run.row.organisation, &run.row.workflow, number).now_or_never();
            let version = version.and_then(Result::ok).flatten().ok_or_else(|| format!("{} {number} has no version", run.row.workflow))?;
            definitions.compiled(&version, &registry)
        };
        let versions = machine::versions_of(&run.history).into_iter().map(|number| Ok((number, program(number)?)));
        let versions: BTreeMap<u32, Arc<Workflow>> = versions.collect::<Result<_, String>>()?;
        let workflow =
            versions.get(&run.row.version).ok_or_else(|| format!("run {} is on version {} and was never moved there", run.row.id, run.row.version))?;
        let state = machine::fold_all(workflow, run.row.id, &run.history).map_err(|error| format!("run {} does not fold: {error}", run.row.id))?;
        let row = RunRow { last_seq: run.row.last_seq, ..crate::batch::derived_row(&state, run.row.organisation, run.row.shard) };
        if row != run.row {
            return Err(format!("derived rows follow from history: stored {:#?}\nfolded {row:#?}", run.row));
        }
        checkpoint_leads_there(world, run, workflow, &state)?;
        let report = machine::replay(&versions, run.row.organisation, run.row.id, &run.history);
        if !report.same {
            return Err(format!(
                "a run's decisions are a function of its definition and history (promise 4): {} {}: {:#?}\n{}",
                run.row.workflow,
                run.row.id,
                report,
                shown(&run.history)
            ));
        }
    }
    acknowledged_is_stored(world, &runs, log)?;
    waits_hear(world, &runs)?;
    one_effect_of_each_event(&runs)?;
    outside(world, &runs)?;
    due_times(&runs)?;
    keys(world, &runs)?;
    limits(world, &runs)
}

/// From its checkpoint a run comes to the same state as from its first entry; one that has ended has none.
fn checkpoint_leads_there(world: &World, run: &Stored, workflow: &Workflow, folded: &State) -> Result<(), String> {
    let Some(checkpoint) = world.store.inner().committed_checkpoint(run.row.id) else { return Ok(()) };
    if folded.status.is_final() {
        return Err(format!("a run that has ended keeps no checkpoint: {} {} of entry {}", run.row.workflow, run.row.id, checkpoint.seq));
    }
    let behind = run.history.iter().filter(|entry| entry.seq >= checkpoint.seq).cloned().collect();
    let stored = StoredRun { row: run.row.clone(), entries: behind };
    let about =
        |reason: String| format!("a checkpoint is the fold of its history: {} {} from entry {}: {reason}", run.row.workflow, run.row.id, checkpoint.seq);
    let resumed = from_checkpoint(workflow, &stored, &checkpoint, &world.registry()).map_err(about)?;
    let written = |state: &State| serde_json::to_value(state).map_err(|error| error.to_string());
    if written(&resumed.state)? != written(folded)? {
        return Err(about(format!("{:#?}\n{folded:#?}", resumed.state)));
    }
    Ok(())
}

/// No two nodes own a shard under one epoch, and nobody appends to runs of a shard that is another's (promise 6).
pub(super) fn ownership(world: &World) -> Result<(), String> {
    world.store.broken_ownership().map_or(Ok(()), Err)
}

/// Milliseconds by which two nodes' estimates of the database's clock may differ when one of them had to wait for its answer.
const ESTIMATE_MS: i64 = 3_000;

/// SEMANTICS.md 3, 11 and 12: no event that came in time is missed. Only of a wait whose whole story is in its run's own history.
fn waits_hear(world: &World, runs: &[Stored]) -> Result<(), String> {
    let doubt_ms = world.store.stepped_ms() + if world.take_all { 0 } else { ESTIMATE_MS };
    let answers: Vec<_> = world.store.inner().committed_events().into_iter().filter(|event| event.body.kind == "answer").collect();
    for run in runs.iter().filter(|run| run.row.workflow == "wait") {
        let of = |step: &str| run.history.iter().filter(move |entry| entry.step.as_deref() == Some(step)).collect::<Vec<_>>();
        let retold = |entry: &Entry| matches!(entry.fact, Fact::Reopened { .. } | Fact::Migrated { .. });
        let timed_out = of("answer").into_iter().find_map(|entry| if let Fact::WaitTimedOut { due } = &entry.fact { Some(*due) } else { None });
        let (Some(due), Some(since)) = (timed_out, of("first").first().map(|entry| entry.at)) else { continue };
        if run.history.iter().any(retold) {
            continue;
        }
        let key = event_data(run).map(|data| data["k"].clone()).unwrap_or_default();
        let from = if world.take_all { since } else { since.plus_millis(doubt_ms) };
        let missed = answers.iter().find(|event| event.body.data["k"] == key && event.taken_in_at > from && event.taken_in_at <= due.plus_millis(-doubt_ms));
        if let Some(event) = missed {
            return Err(format!(
                "a wait hears what comes in from the step before it until its time-out (SEMANTICS.md 3, 11, 12): event {} of {} is within {since} and {due} of {}\n{}",
                event.event_id,
                event.taken_in_at,
                run.row.id,
                shown(&run.history)
            ));
        }
    }
    Ok(())
}

/// Each due time of a schedule starts one run, none before it, and with `run_all` none is left out.
fn due_times(runs: &[Stored]) -> Result<(), String> {
    for workflow in SCHEDULED {
        let mut due: Vec<Timestamp> = Vec::new();
        for run in runs.iter().filter(|run| run.row.workflow == *workflow) {
            let text = event_data(run).and_then(|data| data["due"].as_str()).unwrap_or_default();
            let moment = text.parse().map_err(|_| format!("a run of {workflow} was started by no due time: {text:?}"))?;
            if run.row.started_at < moment {
                return Err(format!("a due time is early: {workflow} started at {} and was due at {moment}", run.row.started_at));
            }
            due.push(moment);
        }
        due.sort_unstable();
        if let Some([twice, ..]) = due.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(format!("a due time takes effect once (promise 2): {workflow} at {twice}"));
        }
        let left_out = due.windows(2).find(|pair| *workflow == "nightly" && pair[1].millis_since(pair[0]) != 86_400_000);
        if let Some([before, after, ..]) = left_out {
            return Err(format!("no due time is left out: {workflow} fired at {before} and then at {after}"));
        }
    }
    Ok(())
}

fn histories_are_whole(world: &World, run: &Stored) -> Result<(), String> {
    let now = world.latest();
    let mut last = None;
    for (place, entry) in run.history.iter().enumerate() {
        if entry.seq != place as u64 + 1 || last.is_some_and(|last| entry.at < last) {
            return Err(format!("history of {} is not in order at entry {}", run.row.id, entry.seq));
        }
        if entry.at > now {
            return Err(format!("entry {} of {} {} is early: it is of {}, and it is {now}", entry.seq, run.row.workflow, run.row.id, entry.at));
        }
        last = Some(entry.at);
    }
    Ok(())
}

/// What a step does outside happens after its history says that it was scheduled, and so after every timer before it.
fn nothing_is_early(world: &World, runs: &[Stored]) -> Result<(), String> {
    let mut scheduled = BTreeMap::new();
    for run in runs {
        for entry in &run.history {
            if let (Fact::StepScheduled { .. }, Some(step)) = (&entry.fact, &entry.step) {
                scheduled.entry((run.row.id.to_string(), step.to_string())).or_insert(entry.at);
            }
        }
    }
    for effect in world.ledger.effects().into_values().flatten() {
        let Some(at) = scheduled.get(&(effect.run.clone(), effect.step.clone())) else {
            return Err(format!("an effect is early: {} of {} happened and is not scheduled", effect.step, effect.run));
        };
        if effect.at.plus_millis(world.store.stepped_ms()) < *at {
            return Err(format!("an effect is early: {} of {} happened at {} and was scheduled at {at}", effect.step, effect.run, effect.at));
        }
    }
    Ok(())
}

fn timers_are_never_early(run: &Stored) -> Result<(), String> {
    let mut retries: BTreeMap<&str, onward_core::Timestamp> = BTreeMap::new();
    for entry in &run.history {
        let step = entry.step.as_deref().unwrap_or("");
        let due = match &entry.fact {
            Fact::TimerFired { due } | Fact::WaitTimedOut { due } => Some(*due),
            Fact::RetryScheduled { due, .. } | Fact::Held { until: Some(due), .. } => {
                retries.insert(step, *due);
                None
            }
            Fact::StepScheduled { .. } => retries.remove(step),
            _ => None,
        };
        if let Some(due) = due
            && entry.at < due
        {
            return Err(format!("a timer is never early (promise 5): {} of {} at {}, due {due}", entry.fact.kind(), run.row.id, entry.at));
        }
    }
    Ok(())
}

/// Promises 1 and 2, from the side of those who were told.
fn acknowledged_is_stored(world: &World, runs: &[Stored], log: &Log) -> Result<(), String> {
    let known = known(world);
    let by_event: BTreeMap<_, Vec<&Stored>> = runs.iter().fold(BTreeMap::new(), |mut all, run| {
        if let Some(event) = run.row.event_id.filter(|_| run.copied() == 0) {
            all.entry(event).or_insert_with(Vec::new).push(run);
        }
        all
    });
    told(log, |told| {
        for run in &told.started {
            if !known.contains(run) {
                return Err(format!("run {run} was acknowledged and is not stored (promise 1)"));
            }
        }
        for (identity, answers) in &told.events {
            let ids: BTreeSet<_> = answers.iter().map(|(_, answer)| answer.event_id).collect();
            if ids.len() != 1 {
                return Err(format!("event {identity:?} takes effect once (promise 2): it was acknowledged as {ids:?}"));
            }
            if answers.iter().filter(|(_, answer)| !answer.duplicate).count() > 1 {
                return Err(format!("event {identity:?} takes effect once (promise 2): it was new more than once"));
            }
            for (kind, answer) in answers.iter().filter(|(_, answer)| !answer.duplicate) {
                let always_starts = ["go.chain", "go.wait", "go.any", "go.exit", "go.emit", "go.loop", "go.fail", "go.messages", "go.long"];
                // While something is paused, the start is held under the id that was told.
                let held = answer.run_ids.iter().any(|run| known.contains(run) && !runs.iter().any(|stored| stored.row.id == *run));
                if always_starts.contains(&kind.as_str())
                    && !held
                    && by_event.get(&answer.event_id).is_none_or(|started| started.len() != 1 || answer.run_ids != [started[0].row.id])
                {
                    return Err(format!(
                        "event {identity:?} of type {kind} was acknowledged with runs {:?}; stored are {:?}",
                        answer.run_ids,
                        by_event.get(&answer.event_id).map(|runs| runs.iter().map(|run| run.row.id).collect::<Vec<_>>())
                    ));
                }
            }
        }
        Ok(())
    })
}

/// Promise 2, from the side of what is stored.
fn one_effect_of_each_event(runs: &[Stored]) -> Result<(), String> {
    let mut starts: BTreeMap<(String, String, String), RunId> = BTreeMap::new();
    for run in runs.iter().filter(|run| run.row.event_id.is_some() && run.copied() == 0) {
        let Some(Fact::RunStarted { event, .. }) = run.history.first().map(|entry| &entry.fact) else { continue };
        let text = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
        if let Some(other) = starts.insert((run.row.workflow.clone(), text("source"), text("id")), run.row.id) {
            return Err(format!("event {} takes effect once (promise 2): it started {other} and {} of {}", text("id"), run.row.id, run.row.workflow));
        }
    }
    Ok(())
}

/// Promise 3, and SEMANTICS.md 15 and 16.
fn outside(world: &World, runs: &[Stored]) -> Result<(), String> {
    let effects = world.ledger.effects();
    for ((node, key), effects) in &effects {
        let at_most_once = matches!(node.as_str(), "test.send" | "test.message" | "test.pay");
        if at_most_once && effects.len() > 1 {
            return Err(format!("an at-most-once step never happens twice (promise 3): {node} {key}: {effects:#?}"));
        }
        let places: BTreeSet<_> = effects.iter().map(|effect| (&effect.run, &effect.step)).collect();
        if places.len() > 1 {
            return Err(format!("an idempotency key belongs to one step: {node} {key}: {places:?}"));
        }
    }
    for ((node, key), inputs) in world.ledger.calls() {
        if inputs.windows(2).any(|pair| pair[0] != pair[1]) {
            return Err(format!("every attempt sends the same input (promise 3): {node} {key}: {inputs:?}"));
        }
    }
    let effected: BTreeSet<(&str, &str)> = effects.values().flatten().map(|effect| (effect.run.as_str(), effect.step.as_str())).collect();
    // By what was stored and not by the runs that it starts: while everything is paused, those are held.
    let mut counted: BTreeMap<(String, String, String), usize> = BTreeMap::new();
    for event in world.store.inner().committed_events() {
        if matches!(event.body.kind.as_str(), "counted" | "finished") {
            let text = |name: &str| event.body.data[name].as_str().unwrap_or_default().to_owned();
            *counted.entry((text("run"), text("step"), text("kind"))).or_default() += 1;
        }
    }
    for run in runs {
        let id = run.row.id.to_string();
        let own = &run.history[run.copied()..];
        let nodes: BTreeMap<&str, &str> = own
            .iter()
            .filter_map(|entry| match (&entry.fact, &entry.step) {
                (Fact::StepScheduled { node, .. }, Some(step)) => Some((&**step, node.as_str())),
                _ => None,
            })
            .collect();
        for (step, node) in nodes {
            let completed = own.iter().filter(|entry| entry.step.as_deref() == Some(step) && matches!(entry.fact, Fact::StepCompleted { .. })).count();
            let count = |kind: &str| counted.get(&(id.clone(), step.to_owned(), kind.to_owned())).copied().unwrap_or(0);
            match node {
                "test.count" if count("counted") != completed => {
                    return Err(format!(
                        "a transactional step takes effect exactly once (promise 3): {step} of {id} completed {completed} times and wrote {}\n{}",
                        count("counted"),
                        shown(&run.history)
                    ));
                }
                // A call that was under way when its run was cancelled at once still ends, and `finish` hears how: what was sent stays known.
                "test.message" if count("finished") != completed && !(completed == 0 && count("finished") == 1 && is_given_up(own, step)) => {
                    return Err(format!(
                        "`finish` is committed with the step's end: {step} of {id} completed {completed} times and finished {}\n{}",
                        count("finished"),
                        shown(&run.history)
                    ));
                }
                _ if node.starts_with("test.") && node != "test.count" && completed > 0 && !effected.contains(&(id.as_str(), step)) => {
                    return Err(format!("an external step takes effect at least once (promise 3): {step} of {id} completed and nothing happened outside"));
                }
                _ => {}
            }
        }
    }
    Ok(())
}

/// SEMANTICS.md 22: runs of one key.
fn keys(world: &World, runs: &[Stored]) -> Result<(), String> {
    let mut by_key: BTreeMap<(&str, &str), Vec<&Stored>> = BTreeMap::new();
    for run in runs.iter().filter(|run| matches!(run.row.workflow.as_str(), "single" | "queued" | "restart")) {
        by_key.entry((&run.row.workflow, &run.row.key)).or_default().push(run);
    }
    for ((workflow, key), mut runs) in by_key {
        runs.sort_by_key(|run| (run.row.started_at, run.row.ended_at.is_none(), run.row.ended_at, run.row.id));
        for pair in runs.windows(2) {
            if pair[0].row.ended_at.is_none_or(|ended| ended.plus_millis(-world.store.stepped_ms()) > pair[1].row.started_at) {
                return Err(format!("of {workflow} {key} one run lives at a time: {:#?} and {:#?}", pair[0].row, pair[1].row));
            }
        }
        if workflow == "queued" && world.store.stepped_ms() == 0 && !runs.is_sorted_by_key(|run| run.row.event_id) {
            return Err(format!("queued runs of {key} start in order of intake"));
        }
    }
    Ok(())
}

/// SEMANTICS.md 24: no limit is ever exceeded, whatever crashed meanwhile.
fn limits(world: &World, runs: &[Stored]) -> Result<(), String> {
    let of = |names: &[&str]| runs.iter().filter(|run| names.contains(&run.row.workflow.as_str())).map(|run| &run.row).collect::<Vec<_>>();
    let shared = of(&["shared-a", "shared-b"]);
    for run in &shared {
        let ended = |other: &RunRow| other.ended_at.is_none_or(|ended| ended.plus_millis(-world.store.stepped_ms()) > run.started_at);
        let at_work = shared.iter().filter(|other| other.started_at <= run.started_at && ended(other)).count();
        if at_work > SHARED_MAX {
            return Err(format!("a concurrency limit is never exceeded: {at_work} runs were at work when {} began", run.id));
        }
    }
    let alive = shared.iter().filter(|run| !run.status.is_final()).count();
    let permits: Vec<_> = world.store.inner().committed_permits().into_iter().filter(|(_, limit, _)| limit.name == "shared:desk").collect();
    if permits.len() < alive || permits.len() > SHARED_MAX {
        return Err(format!("every run at work holds its permit: {alive} runs, {permits:?}"));
    }
    let rated = of(&["rated"]);
    for run in &rated {
        let until = run.started_at.plus_millis(RATED_PER_MS);
        let within = rated.iter().filter(|other| other.started_at >= run.started_at && other.started_at < until).count();
        if within > RATED_MAX {
            return Err(format!("a rate is never exceeded: {within} runs began in the hour from {}", run.started_at));
        }
    }
    Ok(())
}

/// What must hold once everything has ended. Gives all that is stored.
pub(super) fn at_the_end(world: &World, log: &Log) -> Result<String, String> {
    let runs = stored(world)?;
    if let Some(run) = runs.iter().find(|run| !run.row.status.is_final()) {
        return Err(format!("every run ends: {} of {} does not", run.row.id, run.row.workflow));
    }
    let known = known(world);
    let told_of: Vec<RunId> = told(log, |told| told.events.values().flatten().flat_map(|(_, answer)| answer.run_ids.clone()).collect());
    if let Some(lost) = told_of.iter().find(|run| !known.contains(run)) {
        return Err(format!("run {lost} was acknowledged, perhaps as held, and never came (promise 1)"));
    }
    let handled: BTreeSet<String> =
        runs.iter().filter(|run| run.row.workflow == "failed").filter_map(|run| Some(event_data(run)?["run_id"].as_str()?.to_owned())).collect();
    for run in runs.iter().filter(|run| run.row.status == RunStatus::Failed) {
        let by_failure = run.row.workflow == "failed";
        if handled.contains(&run.row.id.to_string()) == by_failure {
            return Err(format!("run.failed starts what handles it, once and never for itself: {} of {}", run.row.id, run.row.workflow));
        }
    }
    let mut text = String::new();
    for run in &runs {
        let _ = writeln!(text, "{} {} {}", run.row.id, run.row.workflow, shown(&run.history));
    }
    Ok(text)
}

fn event_data(run: &Stored) -> Option<&Value> {
    match &run.history.first()?.fact {
        Fact::RunStarted { event, .. } => event.get("data"),
        _ => None,
    }
}

fn shown(history: &[Entry]) -> String {
    history.iter().map(|entry| serde_json::to_string(entry).unwrap_or_default() + "\n").collect()
}

/// Whether a step was cancelled with its run at once, and its call, if it was under way, left to itself.
fn is_given_up(history: &[Entry], step: &str) -> bool {
    let at_once = |entry: &Entry| matches!(entry.fact, Fact::CancelRequested { force: true, .. });
    history.iter().any(at_once) && history.iter().any(|entry| entry.step.as_deref() == Some(step) && matches!(entry.fact, Fact::StepCancelled { .. }))
}
