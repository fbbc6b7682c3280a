//! What-if over recorded runs: the histories come from the store, the rest is pure.

use crate::play::Previews;
use onward_core::{
    RunId, Value,
    definition::Workflow,
    history::{Entry, Fact},
    machine::{self, Report},
    ports::{Effect, RunStatus, StoredRun},
};
use serde::Serialize;
use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
};

/// Runs whose ids a summary names.
const NAMED: usize = 20;

/// What another definition would have done with one recorded run.
#[derive(Clone, Debug, Serialize)]
pub struct RunReport {
    /// The run.
    pub run_id: RunId,
    /// The comparison.
    #[serde(flatten)]
    pub report: Report,
}

/// Re-executes each history on a definition: on its own one it must be the same, on another one the differences are what
/// would have gone differently. Touches nothing outside (SEMANTICS.md 20).
///
/// `example` gives a node's example output, for calls that the record does not know.
pub fn what_if(runs: &[StoredRun], against: &Workflow, example: &dyn Fn(&str) -> Option<Value>) -> Vec<RunReport> {
    runs.iter()
        .map(|run| {
            let report = catch_unwind(AssertUnwindSafe(|| machine::replay_against(against, run.row.organisation, run.row.id, &run.entries, example)));
            let unknown = || Report { unknown: Some("the replay panicked; report this as a bug".into()), ..Report::default() };
            RunReport { run_id: run.row.id, report: report.unwrap_or_else(|_| unknown()) }
        })
        .collect()
}

/// What many reports say together: what a person wants to know before an edit is published.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Summary {
    /// Runs that were executed again.
    pub runs: u64,
    /// Of these, with the same decisions.
    pub same: u64,
    /// With other ones.
    pub different: u64,
    /// Whose end nobody can know: a value is neither recorded nor can be assumed.
    pub unknown: u64,
    /// Where values are assumed somewhere (a node's example).
    pub assumed: u64,
    /// Messages.
    pub messages: Change,
    /// Calls by node, where their number changes.
    pub calls: BTreeMap<String, Change>,
    /// Runs by how they ended and would have ended.
    pub statuses: BTreeMap<String, Change>,
    /// Runs that would fail and did not: how many.
    pub would_fail: u64,
    /// The first of them.
    pub would_fail_runs: Vec<RunId>,
    /// Runs that failed and would not.
    pub would_not_fail: u64,
    /// One sentence.
    pub text: String,
}

/// A number as it was and as it would be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Change {
    /// As recorded.
    pub was: u64,
    /// As it would be.
    pub would: u64,
}

impl Summary {
    /// Adds one run's history and report.
    pub fn add(&mut self, entries: &[Entry], run: &RunReport, previews: &dyn Previews) {
        let report = &run.report;
        self.runs += 1;
        if report.unknown.is_some() {
            self.unknown += 1;
        } else if report.same {
            self.same += 1;
        } else {
            self.different += 1;
        }
        self.assumed += u64::from(report.assumed_from.is_some());
        for entry in entries {
            if let Fact::StepScheduled { node, input: Some(_), .. } = &entry.fact {
                self.called(node, 1, 1, previews);
            }
        }
        for call in &report.added {
            self.called(&call.node, 0, 1, previews);
        }
        for call in &report.missing {
            self.called(&call.node, 0, -1, previews);
        }
        let word = |status: Option<RunStatus>| status.map_or("alive", RunStatus::as_str).to_owned();
        self.statuses.entry(word(report.status)).or_default().was += 1;
        let would = if report.unknown.is_some() { "unknown".to_owned() } else { word(report.would_status) };
        self.statuses.entry(would).or_default().would += 1;
        let failed = |status: Option<RunStatus>| status == Some(RunStatus::Failed);
        if failed(report.would_status) && !failed(report.status) {
            self.would_fail += 1;
            if self.would_fail_runs.len() < NAMED {
                self.would_fail_runs.push(run.run_id);
            }
        }
        self.would_not_fail += u64::from(failed(report.status) && !failed(report.would_status) && report.unknown.is_none());
    }

    fn called(&mut self, node: &str, was: u64, would: i64, previews: &dyn Previews) {
        let changed = |change: &mut Change| {
            change.was += was;
            change.would = change.would.saturating_add_signed(would);
        };
        match self.calls.get_mut(node) {
            Some(change) => changed(change),
            None => changed(self.calls.entry(node.to_owned()).or_default()),
        }
        if is_message(previews, node) {
            changed(&mut self.messages);
        }
    }

    /// Drops what does not change, and says it all in one sentence.
    #[must_use]
    pub fn finished(mut self) -> Self {
        self.calls.retain(|_, change| change.was != change.would);
        let mut parts = Vec::new();
        let (was, would) = (self.messages.was, self.messages.would);
        if was != would {
            let (number, word) = if would < was { (was - would, "fewer") } else { (would - was, "more") };
            parts.push(format!("{} {word} {}", grouped(number), if number == 1 { "message" } else { "messages" }));
        }
        let mut runs = |number: u64, what: &str| {
            if number > 0 {
                parts.push(format!("{} {} {what}", grouped(number), if number == 1 { "run" } else { "runs" }));
            }
        };
        runs(self.would_fail, "would fail that did not");
        runs(self.would_not_fail, "would not fail that did");
        runs(self.different, "would go otherwise");
        runs(self.unknown, "cannot be told to their end");
        let told = if parts.is_empty() { "nothing would change".to_owned() } else { parts.join(", ") };
        self.text = format!("over the last {}: {told}", if self.runs == 1 { "run".to_owned() } else { format!("{} runs", grouped(self.runs)) });
        self
    }
}

/// Whether a node sends messages: of the category Messaging, with an effect on the outside.
pub(crate) fn is_message(previews: &dyn Previews, node: &str) -> bool {
    previews.node(node).is_some_and(|node| node.category == "Messaging" && matches!(node.effect, Effect::AtMostOnce | Effect::External))
}

/// `1,234,567`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_thousands() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
    }

    #[test]
    fn a_summary_is_a_sentence() {
        let quiet = Summary { runs: 1, same: 1, ..Summary::default() }.finished();
        assert_eq!(quiet.text, "over the last run: nothing would change");
        let summary = Summary { runs: 1_000, different: 214, would_fail: 3, messages: Change { was: 2_000, would: 1_786 }, ..Summary::default() };
        assert_eq!(summary.finished().text, "over the last 1,000 runs: 214 fewer messages, 3 runs would fail that did not, 214 runs would go otherwise");
    }
}
