//! A fork: the history of a run is copied up to a point under another run's id and goes on from there (SEMANTICS.md 27). What
//! was done up to there is not done again; calls that were on their way are made anew.

use super::{
    Refusal, Reopening, Repair, State,
    fold::fold_all,
    repair::{check_input, failed_at},
    replay::replay,
};
use crate::{
    OrganisationId, RunId, Value,
    definition::{Workflow, key_of_path},
    history::{Entry, Fact, Forked, StepPath},
};

/// From where a copy goes on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Point {
    /// Of a run that failed, before the failed step did; of a living one, where it stands.
    #[default]
    Here,
    /// Behind this entry; behind the decision that it belongs to.
    After(u64),
    /// Before this step first began.
    Before(String),
}

/// What a copy shall be like.
#[derive(Clone, Debug, PartialEq)]
pub struct Fork {
    /// Who.
    pub by: String,
    /// The id that it gets.
    pub run_id: RunId,
    /// From where it goes on.
    pub point: Point,
    /// Instead of the input of the step at that point.
    pub input: Option<Value>,
    /// The version that it goes on with.
    pub version: u32,
}

/// The copied entries, and how the copy goes on. `workflow` is the version that it goes on with: it must decide the same up to
/// there.
pub fn fork(workflow: &Workflow, organisation: OrganisationId, source: RunId, entries: &[Entry], fork: &Fork) -> Result<Copied, Refusal> {
    if entries.iter().any(|entry| matches!(entry.fact, Fact::Migrated { .. })) {
        return Err(Refusal::Conflict(format!("run {source} was moved between versions, and such a run cannot be copied; start a new one")));
    }
    let (seq, step) = resolve(source, entries, &fork.point)?;
    if let Some(input) = &fork.input {
        let step = step.as_deref().ok_or_else(|| Refusal::Invalid("an input is given, and not for which step; name the step to go on from".into()))?;
        check_input(workflow.step(step).map(|step| &step.verb), step, input)?;
    }
    let mut copied: Vec<Entry> = entries.iter().take_while(|entry| entry.seq <= seq).cloned().collect();
    if let Some(Fact::RunStarted { version, parent, .. }) = copied.first_mut().map(|entry| &mut entry.fact) {
        if *version != fork.version {
            decides_the_same(workflow, organisation, source, entries, seq, fork.version)?;
        }
        *version = fork.version;
        // Whoever waits for the run waits for that one.
        *parent = None;
    }
    // Of a copy that is copied from before it was one, the first run is the source.
    let source = entries[copied.len()..]
        .iter()
        .find_map(|entry| if let Fact::Reopened { fork: Some(fork), .. } = &entry.fact { Some(fork.source) } else { None })
        .unwrap_or(source);
    let state = fold_all(workflow, source, &copied).map_err(|error| Refusal::Conflict(format!("run {source} cannot be copied: {error}")))?;
    if state.status.is_final() || state.ending.is_some() {
        return Err(Refusal::Conflict(format!("at entry {seq} run {source} was ending or had ended; go on from an earlier entry, or from a step")));
    }
    let forked = Forked { source, run_id: fork.run_id };
    let repair = Repair::Retry { input: fork.input.clone(), not_done: true };
    let reopening = Reopening::fork(workflow, &state, &fork.by, forked, step.filter(|_| fork.input.is_some()), repair);
    let reopening = reopening.ok_or_else(|| Refusal::Conflict(format!("run {source} cannot go on from entry {seq}; go on from another")))?;
    Ok(Copied { entries: copied, state, reopening })
}

/// A copy that has not gone on yet.
#[derive(Clone, Debug)]
pub struct Copied {
    /// The history up to the point.
    pub entries: Vec<Entry>,
    /// Where the run stood there.
    pub state: State,
    /// How the copy goes on.
    pub reopening: Reopening,
}

/// The last entry that is copied, and the step that comes next where one is meant.
fn resolve(source: RunId, entries: &[Entry], point: &Point) -> Result<(u64, Option<StepPath>), Refusal> {
    let last = entries.last().map_or(0, |entry| entry.seq);
    let (seq, step) = match point {
        Point::Here => match failed_at(entries) {
            Some((step, from)) => (from - 1, Some(step)),
            None => (last, None),
        },
        Point::After(seq) if (1..=last).contains(seq) => (*seq, None),
        Point::After(seq) => return Err(Refusal::Invalid(format!("run {source} has no entry {seq}; its history has entries 1 to {last}"))),
        Point::Before(step) => {
            let is_of = |entry: &&Entry| entry.step.as_deref().is_some_and(|path| path == step || key_of_path(path) == step);
            let began = entries.iter().find(is_of).ok_or_else(|| Refusal::Invalid(format!("run {source} has not come to step {step}")))?;
            (began.seq - 1, began.step.clone())
        }
    };
    let whole = |seq: &u64| !entries.get(*seq as usize).is_some_and(|next| continues(&entries[..*seq as usize], next));
    let seq = (seq.max(1)..=last).find(whole).unwrap_or(last);
    Ok((seq, step))
}

/// Whether an entry belongs to the same decision as those before it: a copy that ended between them would lose half of it.
fn continues(before: &[Entry], next: &Entry) -> bool {
    let opening = |entry: &Entry| {
        entry.step.is_none()
            && matches!(entry.fact, Fact::RunStarted { .. } | Fact::ValueRead { .. } | Fact::Bound { .. } | Fact::VarsSet { .. } | Fact::WaitOpened { .. })
    };
    if opening(next) && before.iter().all(opening) {
        return true;
    }
    let Some(last) = before.last() else { return false };
    match (&last.fact, &next.fact) {
        // What a step that is about to begin reads belongs to its beginning.
        (Fact::ValueRead { .. }, _) if last.step.is_some() => true,
        (_, Fact::Bound { .. } | Fact::WaitResolved { .. }) => last.step == next.step,
        (Fact::ChildEnded { .. }, Fact::StepFailed { .. }) | (Fact::AskOpened { .. } | Fact::AskAnswered { .. }, Fact::EventEmitted { .. }) => {
            last.step == next.step
        }
        (Fact::TimerSet { due }, Fact::TimerFired { .. }) => *due <= last.at,
        (Fact::Reopened { .. }, _) => true,
        _ => false,
    }
}

/// Whether this version would have decided as the run did, up to the entry.
fn decides_the_same(workflow: &Workflow, organisation: OrganisationId, source: RunId, entries: &[Entry], seq: u64, version: u32) -> Result<(), Refusal> {
    let report = replay(workflow, organisation, source, entries);
    match report.differences.first().filter(|difference| difference.seq <= seq) {
        None => Ok(()),
        Some(difference) => {
            let step = difference.step.as_ref().map(|step| format!(" at step {step}")).unwrap_or_default();
            Err(Refusal::Conflict(format!(
                "version {version} decides otherwise than run {source} did, from entry {}{step} on; go on from before that, or with the run's own version",
                difference.seq
            )))
        }
    }
}
