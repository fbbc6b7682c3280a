//! Why a run does not move: exactly, from what is recorded, and from nothing else.
//!
//! | the run | reasons, in this order |
//! | --- | --- |
//! | has ended | `ended`, alone |
//! | nobody works on | `unowned`, then the others |
//! | is paused, or belongs to what is | `paused`, one for each pause that must be lifted, then what it would wait for |
//! | was not started yet | `start` |
//! | is ending while calls are out | `settle`, and the calls |
//! | waits | one for each step in progress: `event, ask, timer, retry, hold, run, step` |
//! | has nothing in progress | `working`: its next step is being decided |

mod reason;
#[cfg(test)]
mod tests;

pub use reason::{Awaited, Reason};

use super::{
    leaf::{Leaf, Phase, UNDO},
    state::State,
};
use crate::{
    NodeId, RunId, StepError, Timestamp,
    history::{Entry, Fact, StepPath},
    ports::{HELD_WITH_OTHERS, HeldQueue, HeldStart, Pause, PauseScope, RunRow, RunStatus},
};

/// Steps in progress that are told; of more, how many.
pub const STEPS_TOLD: usize = 50;

/// What is recorded about one run, read at one moment.
#[derive(Clone, Debug)]
pub struct Facts<'a> {
    /// Its derived row.
    pub row: &'a RunRow,
    /// The fold of its history; `None`: it has none yet, or it cannot be folded.
    pub state: Option<&'a State>,
    /// Its history.
    pub entries: &'a [Entry],
    /// Whatever is paused, of whomever.
    pub pauses: &'a [Pause],
    /// Its workflow is paused: by whom and when, as far as that is known.
    pub workflow_paused: Option<WorkflowPaused>,
    /// Its held start.
    pub held: Option<HeldPlace<'a>>,
    /// Who owns its shard.
    pub owner: Owner,
    /// Engine time.
    pub now: Timestamp,
}

/// Who paused a whole workflow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WorkflowPaused {
    /// By whom.
    pub by: Option<String>,
    /// When.
    pub at: Option<Timestamp>,
    /// Why.
    pub reason: Option<String>,
}

/// A held start among others.
#[derive(Clone, Debug)]
pub struct HeldPlace<'a> {
    /// It.
    pub start: &'a HeldStart,
    /// Starts of its queue that go before it.
    pub before: u64,
    /// The first of those, in order.
    pub ahead: Vec<RunId>,
    /// Runs that have what it waits for: the key, or a permit of the limit.
    pub holders: Vec<RunId>,
}

/// Who owns a shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The node, if any.
    pub node: Option<NodeId>,
    /// Until when its lease lasts.
    pub until: Timestamp,
    /// The node is a command that leaves the runs' work to the next server.
    pub command: bool,
}

/// The reasons, and how many steps in progress are not told.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing {
    /// As the run stands.
    pub status: RunStatus,
    /// Why it does not move.
    pub reasons: Vec<Reason>,
    /// Steps in progress besides those that are told.
    pub more: usize,
}

/// Why the run does not move.
pub fn why(facts: &Facts<'_>) -> Standing {
    let status = facts.state.map_or(facts.row.status, |state| state.status);
    if status.is_final() {
        return Standing { status, reasons: vec![ended(facts, status)], more: 0 };
    }
    let mut reasons = Vec::new();
    reasons.extend(unowned(facts));
    reasons.extend(paused(facts));
    if let Some(held) = &facts.held {
        reasons.push(start(held));
        return Standing { status, reasons, more: 0 };
    }
    let Some(state) = facts.state else {
        return Standing { status, reasons, more: 0 };
    };
    let in_progress = in_progress(facts, state);
    let more = in_progress.len().saturating_sub(STEPS_TOLD);
    reasons.extend(in_progress.into_iter().take(STEPS_TOLD));
    if reasons.is_empty() {
        reasons.push(Reason::Working { since: state.at });
    }
    Standing { status, reasons, more }
}

fn ended(facts: &Facts<'_>, status: RunStatus) -> Reason {
    let row = facts.row;
    let (at, exit, error) = match facts.state {
        Some(state) => (Some(state.at), state.exit.clone(), state.error.clone()),
        None => (row.ended_at, row.exit.clone(), row.error.clone()),
    };
    let reason = facts.entries.iter().rev().find_map(|entry| match &entry.fact {
        Fact::RunCancelled { reason } => reason.clone(),
        _ => None,
    });
    Reason::Ended { status, at, exit, error, reason }
}

/// A lease that has run out is as good as none: whoever has it writes nothing more under it, unless it prolongs it first.
fn unowned(facts: &Facts<'_>) -> Option<Reason> {
    let Owner { node, until, command } = facts.owner;
    let lapsed = node.is_some() && until <= facts.now;
    (command || node.is_none() || lapsed).then_some(Reason::Unowned {
        shard: facts.row.shard,
        node: if command { None } else { node },
        since: (lapsed && !command).then_some(until),
        command,
    })
}

/// Every pause that must be lifted before the run goes on, its own first, then from the widest to the narrowest.
fn paused(facts: &Facts<'_>) -> Vec<Reason> {
    let mut reasons = Vec::new();
    let own = facts.state.and_then(|state| state.paused.as_deref());
    let entry = own.and_then(|_| {
        facts.entries.iter().rev().find_map(|entry| match &entry.fact {
            Fact::Paused { reason, .. } => Some((entry.at, reason.clone())),
            _ => None,
        })
    });
    let (at, why) = entry.map_or((None, None), |(at, reason)| (Some(at), reason));
    let with_others = own.and_then(|by| by.strip_prefix(HELD_WITH_OTHERS));
    if let (Some(by), None) = (own, with_others) {
        let scope = if matches!(by, "engine" | "diverged") { "engine" } else { "run" };
        let resume = Some(format!("onward runs resume {}", facts.row.id));
        reasons.push(Reason::Paused { scope, by: Some(by.to_owned()), at, reason: why.clone(), resume });
    }
    let quarantined = facts.row.waiting_on.pointer("/paused/reason").and_then(crate::Value::as_str);
    if let (None, Some(reason)) = (facts.state, quarantined) {
        reasons.push(Reason::Paused { scope: "engine", by: Some("engine".into()), at: None, reason: Some(reason.to_owned()), resume: None });
    }
    let held_at_step = if with_others == Some("step") { why.as_deref() } else { None };
    let mut lifted = with_others.is_some();
    for pause in facts.pauses.iter().filter(|pause| holds(&pause.scope, facts, held_at_step)) {
        let scope = pause.scope.parts().0;
        lifted &= Some(scope) != with_others;
        reasons.push(Reason::Paused {
            scope,
            by: Some(pause.by.clone()),
            at: Some(pause.at),
            reason: pause.reason.clone(),
            resume: Some(remedy(&pause.scope)),
        });
    }
    if let Some(WorkflowPaused { by, at, reason }) = facts.workflow_paused.clone() {
        lifted &= with_others != Some("workflow");
        reasons.push(Reason::Paused { scope: "workflow", by, at, reason, resume: Some(format!("onward workflows resume {}", facts.row.workflow)) });
    }
    if lifted {
        // What held it is lifted, and it has not had its turn yet.
        reasons.push(Reason::Resuming { since: at });
    }
    reasons
}

/// Whether a pause holds the run where it stands.
fn holds(scope: &PauseScope, facts: &Facts<'_>, held_at_step: Option<&str>) -> bool {
    let row = facts.row;
    let version = facts.state.map_or(row.version, |state| state.version);
    let ours = scope.organisation().is_none_or(|whose| whose == row.organisation);
    ours && match scope {
        PauseScope::Everything | PauseScope::Organisation(_) => true,
        PauseScope::Version { workflow, version: of, .. } => *workflow == row.workflow && *of == version,
        PauseScope::Starts { workflow, version: of, .. } => facts.held.is_some() && *workflow == row.workflow && *of == version,
        PauseScope::Step { workflow, step, .. } => {
            let told = facts.held.as_ref().filter(|held| matches!(held.start.queue, HeldQueue::Paused { .. })).map(|held| held.start.reason.as_str());
            *workflow == row.workflow && held_at_step.or(told).is_some_and(|reason| reason.contains(&format!("step {step} is paused")))
        }
    }
}

/// The command that lifts a pause.
fn remedy(scope: &PauseScope) -> String {
    match scope {
        PauseScope::Everything => "onward resume --everything".into(),
        PauseScope::Organisation(_) => "onward resume".into(),
        PauseScope::Step { workflow, step, .. } => format!("onward workflows resume {workflow} --step {step}"),
        PauseScope::Version { workflow, version, .. } | PauseScope::Starts { workflow, version, .. } => {
            format!("onward workflows resume {workflow} --version {version}")
        }
    }
}

fn start(held: &HeldPlace<'_>) -> Reason {
    let HeldPlace { start, before, ahead, holders } = held;
    let (name, key) = start.queue.parts();
    Reason::Start {
        held_by: start.queue.kind(),
        name: name.to_owned(),
        key: key.to_owned(),
        place: before + 1,
        ahead: ahead.clone(),
        holders: holders.clone(),
        priority: start.priority,
        since: start.held_at,
        until: start.not_before,
        reason: start.reason.clone(),
    }
}

/// What the run waits for, a reason for each step in progress, in order of their paths.
fn in_progress(facts: &Facts<'_>, state: &State) -> Vec<Reason> {
    let mut reasons = Vec::new();
    let out = state.leaves.iter().filter(|(path, leaf)| leaf.is_in_flight() && !path.starts_with(UNDO)).count();
    if let Some(ending) = &state.ending
        && (out > 0 || !state.detached.is_empty() || state.leaves.is_empty())
    {
        reasons.push(Reason::Settle { since: ending.at, until: ending.settles_at(), calls: out + state.detached.len() });
    }
    reasons.extend(state.leaves.iter().map(|(path, leaf)| of_leaf(facts, path, leaf)));
    reasons
}

fn of_leaf(facts: &Facts<'_>, path: &StepPath, leaf: &Leaf) -> Reason {
    let step = path.to_string();
    let began = |kind: fn(&Fact) -> bool| since(facts.entries, path, kind);
    match leaf {
        Leaf::Sleep { due } => Reason::Timer { step, since: began(|fact| matches!(fact, Fact::TimerSet { .. })), until: *due },
        Leaf::Wait { waits, deadline, .. } => Reason::Event {
            step,
            events: waits.iter().map(|(name, wait)| Awaited { name: name.clone(), wait: wait.clone() }).collect(),
            since: began(|fact| matches!(fact, Fact::WaitOpened { .. })),
            until: *deadline,
        },
        Leaf::Child { workflow, run_id, .. } => {
            Reason::Run { step, workflow: workflow.clone(), run_id: *run_id, since: began(|fact| matches!(fact, Fact::ChildStarted { .. })) }
        }
        Leaf::Ask { question, deadline, .. } => Reason::Ask {
            step,
            who: question["who"].clone(),
            title: question["title"].as_str().unwrap_or_default().to_owned(),
            since: began(|fact| matches!(fact, Fact::AskOpened { .. })),
            until: *deadline,
        },
        Leaf::Node(progress) => {
            let node = progress.node.to_string();
            match &progress.phase {
                Phase::InFlight | Phase::Again { .. } => Reason::Step {
                    step,
                    node,
                    attempt: progress.attempt,
                    since: began(|fact| matches!(fact, Fact::StepScheduled { .. })),
                    timeout_ms: progress.timeout_ms,
                },
                Phase::Retry { due, code } => {
                    let error = last_error(facts.entries, path).unwrap_or_else(|| StepError::new(code.clone(), ""));
                    Reason::Retry {
                        step,
                        node,
                        attempt: progress.attempt + 1,
                        since: began(|fact| matches!(fact, Fact::RetryScheduled { .. })),
                        until: *due,
                        error,
                    }
                }
                Phase::Held { until, reason } => {
                    Reason::Hold { step, node, since: began(|fact| matches!(fact, Fact::Held { .. })), until: *until, reason: reason.clone() }
                }
            }
        }
    }
}

/// The last entry of this kind about the step; a compensation's attempts stand under its own path, or under the step's.
fn since(entries: &[Entry], path: &StepPath, kind: fn(&Fact) -> bool) -> Option<Timestamp> {
    let of = |wanted: &str| entries.iter().rev().find(|entry| entry.step.as_deref() == Some(wanted) && kind(&entry.fact)).map(|entry| entry.at);
    of(path).or_else(|| {
        let step = path.strip_prefix(UNDO)?;
        entries.iter().rev().find(|entry| entry.step.as_deref() == Some(step) && matches!(entry.fact, Fact::CompensationStarted { .. })).map(|entry| entry.at)
    })
}

fn last_error(entries: &[Entry], path: &StepPath) -> Option<StepError> {
    entries.iter().rev().filter(|entry| entry.step.as_ref() == Some(path)).find_map(|entry| match &entry.fact {
        Fact::RetryScheduled { error, .. } => Some(error.clone()),
        _ => None,
    })
}
