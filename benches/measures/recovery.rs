//! Taking up a run of 60,000 steps: from its first entry, and from its checkpoint. In this process, from a database in a file.

use super::{
    Bench,
    machine::{Nodes, organisation, program, run},
};
use crate::{Result, clock, report::Figure};
use onward_core::{OrganisationId, Shard};
use onward_core::{
    Timestamp, Value,
    definition::Workflow,
    history::Entry,
    machine::{Context, Happening, Known, Start, State, checkpoint_revision, decide, fold_all, fold_from},
    ports::{Checkpoint, Outcome, ResumedRun, RunStatus, RunWrite, Store as _, StoredRun},
};
use onward_database::{Database, SystemIds};
use onward_store::SqlStore;
use serde_json::json;
use std::{collections::BTreeMap, sync::Arc};

/// Steps of the run: three entries a pass of a `repeat`, so that it stays below the most that a history may have.
const STEPS: usize = 60_000;
/// Entries of one commit, as of a busy run; and those behind the last checkpoint, on the average.
const COMMIT: usize = 2;
const BEHIND: usize = 500;

/// With and without a checkpoint, for a loop whose state is small, one over a list of as many items, and a script.
pub(super) async fn measure(bench: &mut Bench) -> Result<()> {
    let nodes = Nodes::new();
    let steps = bench.settings.scaled(STEPS);
    let folder = tempfile::tempdir_in(&bench.settings.folder)?;
    let url = format!("sqlite://{}", folder.path().join("recovery.db").display());
    let store = SqlStore::new(Database::open(&url, Arc::new(SystemIds::new())).await?);
    for (number, ([from_the_first, from_the_checkpoint, writing], source, input)) in sources(steps).into_iter().enumerate() {
        let workflow = program(&source, &nodes)?;
        let far = far_run(&workflow, number, input)?;
        far.write(&store).await?;
        let entries = far.history.len();
        let settings = json!({ "entries": entries, "checkpoint_bytes": far.content.len() });
        let (mut whole, mut checkpoint, mut written) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..bench.settings.runs {
            far.keep(&store, 0).await?;
            whole.push(far.take_up(&store, &workflow).await?);
            written.push(far.keep(&store, checkpoint_revision()).await?);
            checkpoint.push(far.take_up(&store, &workflow).await?);
        }
        for (name, measured) in [(from_the_first, whole), (from_the_checkpoint, checkpoint), (writing, written)] {
            bench.report.add(Figure::new(name, "ms", measured).with(settings.clone()));
        }
    }
    Ok(())
}

/// Names of the figures, file and input of each run.
fn sources(steps: usize) -> Vec<([&'static str; 3], String, Value)> {
    let node = "{ id: call, do: debug.echo, with: { number: 1, text: a text of the usual length } }";
    let calls = steps.min(onward_core::limits::SCRIPT_CALLS - 1);
    vec![
        (
            ["recover_repeat_whole_ms", "recover_repeat_ms", "checkpoint_repeat_ms"],
            format!("name: far\non: [{{ manual: {{}} }}]\nsteps:\n  - {{ id: all, repeat: {{ times: {steps}, max: {steps}, steps: [{node}] }} }}\n"),
            json!({}),
        ),
        (
            ["recover_for_each_whole_ms", "recover_for_each_ms", "checkpoint_for_each_ms"],
            format!("name: far\non: [{{ manual: {{}} }}]\nsteps:\n  - id: all\n    for_each: '{{{{ input.items }}}}'\n    steps: [{node}]\n"),
            json!({ "items": (0..steps).map(|item| format!("item {item}")).collect::<Vec<_>>() }),
        ),
        (
            ["recover_script_whole_ms", "recover_script_ms", "checkpoint_script_ms"],
            format!("//! name: far\nfor number in 0..{calls} {{ step(\"debug.echo\", #{{ number: number, text: \"a text of the usual length\" }}); }}"),
            json!({}),
        ),
    ]
}

/// A run on its last steps.
struct Far {
    history: Vec<Entry>,
    state: State,
    content: String,
    seq: u64,
    /// What the store keeps besides the history.
    row: onward_core::ports::RunRow,
}

/// Plays a run nearly to its end, and writes its state down a little before.
fn far_run(workflow: &Workflow, number: usize, input: Value) -> Result<Far> {
    let (known, mut state, mut history) = (Known::default(), State::new(run(number)), Vec::new());
    let mut now = Timestamp::from_millis(1_800_000_000_000);
    let event = json!({ "specversion": "1.0", "id": "event", "source": "/benchmark", "type": "manual.started", "data": {} });
    let mut happening = Happening::Started(Start {
        version: 1,
        key: "key".into(),
        trigger: None,
        input,
        event,
        event_id: None,
        seed: 1,
        depth: 0,
        parent: None,
        reads: BTreeMap::new(),
    });
    let (mut states, mut last) = (std::collections::VecDeque::new(), None);
    loop {
        let decision = decide(workflow, &mut state, happening, &Context { organisation: organisation(), now, known: &known, timezone: "UTC" });
        history.extend(decision.entries);
        let Some(call) = state.in_flight().pop() else { break };
        // The states of the last commits: copies share what did not change.
        states.push_back(state.clone());
        if states.len() > BEHIND / COMMIT {
            states.pop_front();
        }
        last = Some(state.clone());
        now = now.plus_millis(1);
        happening = Happening::StepEnded { step: call.step, attempt: call.attempt, outcome: Outcome::done(json!({ "number": 1 })) };
    }
    let (Some(last), Some(kept)) = (last.filter(|_| state.status == RunStatus::Completed), states.pop_front()) else {
        return Err(format!("the run is {:?}: {:?}", state.status, state.error).into());
    };
    history.truncate(usize::try_from(last.seq)?);
    let row = last.row(organisation(), Shard(0));
    Ok(Far { history, content: serde_json::to_string(&kept)?, seq: kept.seq, state: last, row })
}

impl Far {
    async fn write(&self, store: &SqlStore) -> Result<()> {
        let mut tx = store.begin(Timestamp::default()).await?;
        let mut chunks: Vec<Vec<Entry>> = Vec::new();
        for entry in &self.history {
            match chunks.last_mut() {
                Some(chunk) if chunk.last().is_some_and(|last| last.at == entry.at) => chunk.push(entry.clone()),
                _ => chunks.push(vec![entry.clone()]),
            }
        }
        for part in chunks.chunks(1_000) {
            let write = |(place, entries): (usize, &Vec<Entry>)| RunWrite {
                organisation: organisation(),
                run_id: self.state.run_id,
                shard: Shard(0),
                entries: entries.clone(),
                personal: false,
                row: (place == 0).then(|| self.row.clone()),
                timers_set: Vec::new(),
                timers_cleared: Vec::new(),
                waits_opened: Vec::new(),
                waits_closed: Vec::new(),
                inbox_applied: Vec::new(),
            };
            store.write_runs(&mut tx, &part.iter().enumerate().map(write).collect::<Vec<_>>()).await?;
        }
        Ok(store.commit(tx).await?)
    }

    /// Keeps the checkpoint under a revision; how many milliseconds its writing takes, the state's included.
    async fn keep(&self, store: &SqlStore, revision: u32) -> Result<f64> {
        let begun = clock::now();
        let content = if revision == 0 { String::new() } else { serde_json::to_string(&self.state)? };
        let written = begun.elapsed();
        let checkpoint = |content| Checkpoint { organisation: organisation(), run_id: self.state.run_id, seq: self.seq, revision, content };
        drop(content);
        let mut tx = store.begin(Timestamp::default()).await?;
        let begun = clock::now();
        store.keep_checkpoints(&mut tx, &[checkpoint(self.content.clone())]).await?;
        let kept = begun.elapsed();
        store.commit(tx).await?;
        Ok((written + kept).as_secs_f64() * 1_000.0)
    }

    /// Takes the run up as the engine does; how many milliseconds that takes.
    async fn take_up(&self, store: &SqlStore, workflow: &Workflow) -> Result<f64> {
        let mut tx = store.begin(Timestamp::default()).await?;
        let begun = clock::now();
        let found = store.resume_runs(&mut tx, &[self.state.run_id], checkpoint_revision()).await?.pop().ok_or("the run is gone")?;
        let ResumedRun { stored: StoredRun { row, entries }, checkpoint } = found.map_err(|(_, error)| error)?;
        let state = match checkpoint {
            Some(checkpoint) => fold_from(workflow, row.id, row.version, serde_json::from_str(&checkpoint.content)?, &entries)?,
            None => fold_all(workflow, row.id, &entries)?,
        };
        let taken = begun.elapsed();
        store.rollback(tx).await;
        if state.seq != self.state.seq || OrganisationId::clone(&row.organisation) != organisation() {
            return Err("another run was taken up".into());
        }
        Ok(taken.as_secs_f64() * 1_000.0)
    }
}
