//! What a re-execution came to, beside what was recorded.

use super::{
    super::{
        CallDifference, Difference, Report,
        replay::{ended_as, shown},
    },
    WhatIf, ends, same_decision,
};
use crate::{
    Value,
    history::{Entry, Fact},
};

impl WhatIf<'_> {
    /// The first difference, and the calls that are more or fewer.
    pub(super) fn report(self) -> Report {
        let difference = (0..self.record.entries.len().max(self.made.len())).find_map(|index| {
            let (was, would) = (self.record.entries.get(index), self.made.get(index));
            match (was, would) {
                (Some(was), Some(would)) if same_decision(was, would) => None,
                // The record simply has not come further than this.
                (None, Some(_)) if !self.record.entries.last().is_some_and(ends) => None,
                _ => Some(Difference {
                    seq: was.or(would).map_or(0, |entry| entry.seq),
                    step: would.or(was).and_then(|entry| entry.step.as_deref().map(str::to_owned)),
                    was: was.map(shown).unwrap_or_default(),
                    would: would.map(shown).unwrap_or_default(),
                }),
            }
        });
        let (was, would) = (calls(&self.record.entries), calls(&self.made));
        let added = without(&would, &was);
        let missing = without(&was, &would);
        Report {
            same: difference.is_none() && added.is_empty() && missing.is_empty() && self.unknown.is_none(),
            differences: difference.into_iter().collect(),
            added,
            missing,
            assumed_from: self.assumed_from,
            status: ended_as(&self.record.entries),
            would_status: ended_as(&self.made).filter(|_| self.unknown.is_none()),
            unknown: self.unknown,
        }
    }
}

fn calls(entries: &[Entry]) -> Vec<CallDifference> {
    entries
        .iter()
        .filter_map(|entry| match (&entry.fact, &entry.step) {
            (Fact::StepScheduled { node, input: Some(input), .. }, Some(step)) => {
                Some(CallDifference { step: step.to_string(), node: node.clone(), input: Value::clone(input) })
            }
            _ => None,
        })
        .collect()
}

/// The calls that `lacking` lacks, counting repetitions.
fn without(calls: &[CallDifference], lacking: &[CallDifference]) -> Vec<CallDifference> {
    let mut left: Vec<&CallDifference> = lacking.iter().collect();
    calls
        .iter()
        .filter(|call| match left.iter().position(|other| other == call) {
            Some(index) => {
                left.swap_remove(index);
                false
            }
            None => true,
        })
        .cloned()
        .collect()
}
