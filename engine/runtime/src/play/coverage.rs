//! Which steps and branches cases went through.

use super::judge::key_of;
use onward_core::{
    RunId,
    definition::{Block, Step, Verb, Workflow},
    history::{Entry, Fact},
    machine,
};
use serde::Serialize;
use std::collections::BTreeSet;

/// The branch of a wait that ended without an event.
pub(super) const TIMED_OUT: &str = "timed_out";

/// What cases went through, by the keys of one workflow.
#[derive(Clone, Debug, Default)]
pub struct Coverage {
    steps: BTreeSet<String>,
    branches: BTreeSet<(String, String)>,
    /// Lines and columns at which a script called durable functions.
    sites: BTreeSet<(u32, u32)>,
}

/// Something that no case went through.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Gap {
    /// The step's line in the workflow file.
    pub line: u32,
    /// The step; of a script the durable function that is called there.
    pub step: String,
    /// The branch, or the outcome of a wait; `None`: the step itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
}

impl Coverage {
    /// Adds what a run of the workflow went through.
    pub fn add(&mut self, workflow: &Workflow, run_id: RunId, history: &[Entry]) {
        if workflow.script.is_some() {
            // A history that does not fold is a fault, and told as one.
            self.sites.extend(machine::sites_reached(workflow, run_id, history).unwrap_or_default());
            return;
        }
        for entry in history {
            let Some(path) = entry.step.as_deref() else { continue };
            let key = key_of(path);
            match &entry.fact {
                Fact::StepSkipped { .. } | Fact::StepCancelled { .. } => continue,
                Fact::BranchTaken { branch } => self.branch(key, branch),
                Fact::VariantChosen { variant, .. } => self.branch(key, variant),
                Fact::WaitResolved { which, .. } => self.branch(key, which),
                Fact::WaitTimedOut { .. } => self.branch(key, TIMED_OUT),
                _ => {}
            }
            if !self.steps.contains(key) {
                self.steps.insert(key.to_owned());
            }
        }
    }

    /// Adds what other cases went through.
    pub fn merge(&mut self, other: &Self) {
        self.steps.extend(other.steps.iter().cloned());
        self.branches.extend(other.branches.iter().cloned());
        self.sites.extend(&other.sites);
    }

    fn branch(&mut self, step: &str, branch: &str) {
        self.branches.insert((step.to_owned(), branch.to_owned()));
    }

    /// Counts and gaps: `{ steps: { covered, all }, branches: { covered, all }, uncovered: […] }`.
    pub fn report(&self, workflow: &Workflow) -> CoverageReport {
        let mut report = CoverageReport::default();
        for site in workflow.script.iter().flat_map(|script| script.program.sites()) {
            let reached = self.sites.contains(&(site.line, site.column));
            report.steps.all += 1;
            report.steps.covered += usize::from(reached);
            if !reached {
                report.uncovered.push(Gap { line: site.line, step: site.function.clone(), branch: None });
            }
        }
        workflow.steps.each_step(&mut |step| {
            let mut gap = |branch: Option<&str>| {
                report.uncovered.push(Gap { line: step.position.line, step: step.key.to_string(), branch: branch.map(str::to_owned) });
            };
            let reached = self.steps.contains(&*step.key);
            report.steps.all += 1;
            report.steps.covered += usize::from(reached);
            if !reached {
                gap(None);
            }
            for branch in outcomes(&step.verb, step.timeout.is_some()) {
                let covered = self.branches.contains(&(step.key.to_string(), branch.clone()));
                report.branches.all += 1;
                report.branches.covered += usize::from(covered);
                // Of a step that was not reached, the step itself is enough said.
                if !covered && reached {
                    gap(Some(&branch));
                }
            }
        });
        report
    }
}

/// How much of a workflow its cases went through.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CoverageReport {
    /// Steps; of a script the places where it calls durable functions.
    pub steps: Covered,
    /// Branches, variants and outcomes of waits.
    pub branches: Covered,
    /// What no case went through, in file order.
    pub uncovered: Vec<Gap>,
}

/// So many of so many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Covered {
    /// Gone through.
    pub covered: usize,
    /// There are.
    pub all: usize,
}

/// The branch that an entry tells of.
pub(super) fn branch_in(fact: &Fact) -> Option<&str> {
    match fact {
        Fact::BranchTaken { branch } => Some(branch),
        Fact::VariantChosen { variant, .. } => Some(variant),
        _ => None,
    }
}

/// The step after `key`: the first of the branch that it took, else its next sibling, else what follows the step around it.
pub(super) fn following<'w>(block: &'w Block, key: &str, branch: Option<&str>, after: Option<&'w Step>) -> Option<&'w Step> {
    for (index, step) in block.steps.iter().enumerate() {
        let next = block.steps.get(index + 1).or(after);
        if &*step.key == key {
            let inside = branch.and_then(|branch| step.verb.branches().iter().position(|name| name == branch));
            let first = inside.and_then(|place| step.verb.blocks().get(place).and_then(|block| block.steps.first()));
            return first.or(next);
        }
        if let Some(found) = step.verb.blocks().into_iter().find_map(|inner| following(inner, key, branch, next)) {
            return Some(found);
        }
    }
    None
}

pub(super) fn outcomes(verb: &Verb, times_out: bool) -> Vec<String> {
    match verb {
        Verb::WaitFor { waits, .. } => waits.iter().map(|(name, _)| name.clone()).chain(times_out.then(|| TIMED_OUT.to_owned())).collect(),
        other => other.branches(),
    }
}
