//! Runs whose timers are due soon, or are due and wait for their turn, are read before it comes: one that wakes has only its commit
//! to wait for, and where tens of thousands fall due at one moment, reading them is a good part of the work and need not be the loop's.
//!
//! What was read is used only while it is sure to be the latest. Nobody but this loop writes the runs of its shards, and each run that
//! it writes goes through its memory: whoever is read into memory otherwise is forgotten here, and all of them are with a commit whose
//! end is not known and with a shard that is lost. Whatever cannot be read, or does not fit, is left to the loop, which says why.

use crate::{
    checkpoints::{self, Resumed},
    engine::{Engine, Shared},
};
use onward_core::{
    RunId, Timestamp,
    definition::Workflow,
    machine,
    ports::{ResumedRun, RunRow, RunStatus, Store},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use tokio::sync::mpsc;

/// Runs read at once: so many are some milliseconds of a thread's time.
const PAGE: usize = 100;
/// So many transactions ahead.
const TRANSACTIONS: usize = 4;
/// Milliseconds before its timer is due a run is read: reading takes less.
const LEAD_MS: i64 = 20;
/// Timers that are looked through for the next one whose run must be read.
const LOOKED_THROUGH: usize = 100;

/// A run as it was read.
pub(crate) struct ReadAhead {
    pub(crate) row: RunRow,
    pub(crate) workflow: Arc<Workflow>,
    pub(crate) resumed: Resumed,
}

/// Which question an answer is to.
type Question = u64;

/// What was asked for, and what has come of it.
pub(crate) struct Ahead<R = ReadAhead> {
    wanted: BTreeMap<RunId, (Question, Option<R>)>,
    questions: Question,
    /// What is stored is what this loop committed last: nothing of it is under way.
    settled: bool,
    answer: mpsc::UnboundedSender<Answer<R>>,
    answers: mpsc::UnboundedReceiver<Answer<R>>,
}

/// What was found of a question, or of a part of it.
type Answer<R> = (Question, Vec<(RunId, R)>);

impl<R> Ahead<R> {
    pub(crate) fn new() -> Self {
        let (answer, answers) = mpsc::unbounded_channel();
        Self { wanted: BTreeMap::new(), questions: 0, settled: false, answer, answers }
    }
    /// A commit was confirmed, and so has every one before it ended; it changed these runs.
    pub(crate) fn committed(&mut self, changed: &BTreeSet<RunId>) {
        self.settled = true;
        if !self.wanted.is_empty() {
            self.wanted.retain(|run_id, _| !changed.contains(run_id));
        }
    }
    /// Nothing that was read, or is being read, may be used.
    pub(crate) fn forget(&mut self) {
        self.wanted.clear();
        self.settled = false;
    }
    /// The run as it was read, if it was; what comes of it later counts for nothing.
    pub(crate) fn take(&mut self, run_id: RunId) -> Option<R> {
        if self.wanted.is_empty() {
            return None;
        }
        self.hear();
        self.wanted.remove(&run_id)?.1
    }
    /// Notes those that are not asked for yet, as one question.
    fn ask(&mut self, runs: impl Iterator<Item = RunId>) -> Option<(Question, Vec<RunId>)> {
        let asked: Vec<RunId> = runs.filter(|run_id| !self.wanted.contains_key(run_id)).collect::<BTreeSet<_>>().into_iter().collect();
        if asked.is_empty() {
            return None;
        }
        self.questions += 1;
        self.wanted.extend(asked.iter().map(|run_id| (*run_id, (self.questions, None))));
        Some((self.questions, asked))
    }
    fn hear(&mut self) {
        while let Ok((question, runs)) = self.answers.try_recv() {
            for (run_id, run) in runs {
                if let Some((_, place)) = self.wanted.get_mut(&run_id).filter(|(asked, _)| *asked == question) {
                    *place = Some(run);
                }
            }
        }
    }
}

impl<S: Store> Engine<S> {
    /// Has the runs read whose timers are due, or will be in a moment, and that have their turn in the transactions after the next one.
    pub(crate) fn look_ahead(&mut self) {
        self.ahead.hear();
        if !self.ahead.settled || self.pauses.resuming {
            return;
        }
        let soon = self.now().plus_millis(LEAD_MS);
        let runs = &self.runs;
        let due = self.timers.due(soon).take(TRANSACTIONS * self.shared.limits.timer_page).filter(|run_id| !runs.contains(*run_id));
        if let Some((question, asked)) = self.ahead.ask(due) {
            let (shared, answer) = (Arc::clone(&self.shared), self.ahead.answer.clone());
            self.shared.executor.spawn(Box::pin(async move {
                for page in asked.chunks(PAGE) {
                    // Without the loop there is nobody to tell.
                    if answer.send((question, read(&shared, page).await)).is_err() {
                        return;
                    }
                }
            }));
        }
    }

    /// When the next run is to be read that is not due so soon that it was looked at.
    pub(crate) fn next_look(&self) -> Option<Timestamp> {
        let mut later = self.timers.due_after(self.now().plus_millis(LEAD_MS)).take(LOOKED_THROUGH);
        later.find(|(_, run_id)| !self.runs.contains(*run_id)).map(|(due, _)| due.plus_millis(-LEAD_MS))
    }
}

async fn read<S: Store>(shared: &Shared<S>, page: &[RunId]) -> Vec<(RunId, ReadAhead)> {
    match shared.store.resume_committed_runs(page, machine::checkpoint_revision()).await {
        Ok(runs) => runs.into_iter().flatten().filter_map(|run| resumed(shared, run)).map(|run| (run.row.id, run)).collect(),
        Err(error) => {
            tracing::debug!(%error, "runs cannot be read ahead; each is read in its turn");
            Vec::new()
        }
    }
}

fn resumed<S: Store>(shared: &Shared<S>, run: ResumedRun) -> Option<ReadAhead> {
    let row = &run.stored.row;
    // One that is paused needs a closer look.
    if run.stored.entries.is_empty() || row.status == RunStatus::Paused {
        return None;
    }
    let workflow = shared.definitions.known(row.organisation, &row.workflow, row.version)?;
    let resumed = checkpoints::resumed(&workflow, &run, &shared.nodes).ok()?;
    Some(ReadAhead { row: run.stored.row, workflow, resumed })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(number: u128) -> RunId {
        RunId(uuid::Uuid::from_u128(number))
    }

    fn asked(ahead: &mut Ahead<&'static str>, runs: &[u128]) -> Question {
        ahead.ask(runs.iter().map(|number| run(*number))).expect("some are not asked for yet").0
    }

    fn answered(ahead: &Ahead<&'static str>, question: Question, runs: &[(u128, &'static str)]) {
        ahead.answer.send((question, runs.iter().map(|(number, read)| (run(*number), *read)).collect())).expect("it is kept");
    }

    #[test]
    fn what_was_read_is_used_once() {
        let mut ahead = Ahead::new();
        let question = asked(&mut ahead, &[1, 2]);
        assert!(ahead.ask([run(1), run(2)].into_iter()).is_none(), "each is asked for once");
        answered(&ahead, question, &[(1, "one")]);
        assert_eq!((ahead.take(run(1)), ahead.take(run(1)), ahead.take(run(2))), (Some("one"), None, None));
        answered(&ahead, question, &[(2, "late")]);
        assert_eq!(ahead.take(run(2)), None, "the loop has read it itself meanwhile");
    }

    #[test]
    fn a_run_that_a_commit_changed_is_read_anew() {
        let mut ahead = Ahead::new();
        let before = asked(&mut ahead, &[1, 2]);
        answered(&ahead, before, &[(2, "two")]);
        ahead.committed(&BTreeSet::from([run(1)]));
        let after = asked(&mut ahead, &[1]);
        answered(&ahead, before, &[(1, "old")]);
        assert_eq!(ahead.take(run(2)), Some("two"));
        answered(&ahead, after, &[(1, "new")]);
        assert_eq!(ahead.take(run(1)), Some("new"));
    }

    #[test]
    fn nothing_that_was_read_before_a_doubtful_commit_is_used() {
        let mut ahead = Ahead::new();
        ahead.committed(&BTreeSet::new());
        let before = asked(&mut ahead, &[1, 2]);
        answered(&ahead, before, &[(1, "old")]);
        ahead.forget();
        assert!(!ahead.settled, "until the next commit nothing is asked for");
        answered(&ahead, before, &[(2, "old")]);
        assert_eq!((ahead.take(run(1)), ahead.take(run(2))), (None, None));
        asked(&mut ahead, &[1]);
        answered(&ahead, before, &[(1, "old")]);
        assert_eq!(ahead.take(run(1)), None, "an answer to an earlier question");
    }
}
