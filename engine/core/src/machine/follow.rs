//! Whether another version would have come to where a run stands: its record is followed on that version, decision by decision.
//!
//! What was done is done: inputs, texts and times may be otherwise there. What counts is the way: which steps began, in which
//! order, which branches, variants and passes were taken.

use super::{
    Context, Happening, Known, Mapping, Moved, Need, Obstacle, State, decide,
    fold::fold,
    migrate::carry_over,
    replay::{happening_of, start_of, timezone_of},
    state::Opening,
};
use crate::{
    OrganisationId, RunId, Timestamp,
    definition::Workflow,
    expression::RecordReads,
    history::{Entry, Fact},
};
use std::collections::BTreeMap;

/// Asks whether a version makes the decisions that a run's record tells of, once steps are called as the mapping says. `old` is the
/// version that the run is on: of a run that came from another one before, only what it did on `old` is followed.
pub fn would_decide(old: &Workflow, new: &Workflow, mapping: &Mapping, organisation: OrganisationId, run_id: RunId, entries: &[Entry]) -> Result<(), Obstacle> {
    let moved = entries.iter().enumerate().rev().find_map(|(place, entry)| match entry.fact {
        Fact::Migrated { how, .. } => Some((place, how)),
        _ => None,
    });
    let renamed: Vec<Entry> = entries.iter().map(|entry| mapping.renamed(entry)).collect();
    let mut follower = Follower { new, organisation, recorded: &renamed, position: 0, state: State::new(run_id) };
    match moved {
        None => {
            let start = renamed.first().and_then(|first| start_of(first, renamed.get(1))).ok_or_else(|| follower.differs("its record has no beginning"))?;
            follower.decide(Happening::Started(start))?;
        }
        Some((place, how)) => {
            let folded = super::fold_all(old, run_id, &entries[..=place]).map_err(|error| follower.differs(&error.to_string()))?;
            follower.position = place + 1;
            if how == Moved::Restarted {
                follower.state = folded;
                follower.state.opening = Opening::Bindings;
                follower.decide(Happening::Continue)?;
            } else {
                let carried = carry_over(old, new, folded.version, &folded, mapping);
                follower.state = carried.map_err(|mut obstacles| obstacles.remove(0))?;
            }
        }
    }
    follower.follow()
}

struct Follower<'a> {
    new: &'a Workflow,
    organisation: OrganisationId,
    recorded: &'a [Entry],
    /// How many recorded entries were followed.
    position: usize,
    state: State,
}

impl Follower<'_> {
    fn differs(&self, reason: &str) -> Obstacle {
        let entry = self.recorded.get(self.position).or(self.recorded.last());
        Obstacle::Decides {
            seq: entry.map_or(1, |entry| entry.seq),
            step: entry.and_then(|entry| entry.step.as_deref()).map(str::to_owned),
            reason: reason.to_owned(),
        }
    }

    fn follow(&mut self) -> Result<(), Obstacle> {
        loop {
            self.pass_over();
            if self.position >= self.recorded.len() {
                return Ok(());
            }
            let Some(happening) = happening_of(&self.recorded[self.position..], &self.state) else {
                return Err(self.differs("what happened there cannot be followed"));
            };
            let before = self.position;
            self.decide(happening)?;
            if self.position == before {
                return Err(self.differs("nothing comes of it"));
            }
        }
    }

    /// Hands a happening in, and holds what comes of it against the record. The state then is what the record makes of it.
    fn decide(&mut self, happening: Happening) -> Result<(), Obstacle> {
        let mut known = Known { recorded_only: true, ..Known::default() };
        let timezone = timezone_of(self.recorded);
        let mut happening = happening;
        loop {
            let now = self.recorded.get(self.position).or(self.recorded.last()).map_or(Timestamp::MIN, |entry| entry.at);
            let context = Context { organisation: self.organisation, now, known: &known, timezone: &timezone };
            let mut tried = self.state.clone();
            let decision = decide(self.new, &mut tried, happening, &context);
            for made in decision.entries.iter().filter(|entry| !is_aside(entry)) {
                self.pass_over();
                let Some(recorded) = self.recorded.get(self.position) else {
                    return Err(self.differs(&format!("it goes on with {}", shown(made))));
                };
                if !alike(recorded, made) {
                    return Err(self.differs(&format!("{} instead of {}", shown(made), shown(recorded))));
                }
                self.take()?;
            }
            self.state.take_transient(tried);
            match decision.need {
                None => return Ok(()),
                Some(need) => known = self.meet(need, known),
            }
            happening = Happening::Continue;
        }
    }

    /// Passes over what says nothing of the way.
    fn pass_over(&mut self) {
        while self.recorded.get(self.position).is_some_and(is_aside) {
            let entry = &self.recorded[self.position];
            // Exit rules have their places in the file, and the other version may have others.
            (self.state.seq, self.state.at) = (entry.seq, entry.at);
            self.position += 1;
        }
    }

    fn take(&mut self) -> Result<(), Obstacle> {
        if let Err(error) = fold(self.new, &mut self.state, &self.recorded[self.position]) {
            return Err(self.differs(&error.reason));
        }
        self.position += 1;
        Ok(())
    }

    fn meet(&self, need: Need, mut known: Known) -> Known {
        let next = &self.recorded[self.position..];
        match need {
            Need::Records(asked) => {
                let values = match next.first().map(|entry| &entry.fact) {
                    Some(Fact::ValueRead { values }) => values.clone(),
                    _ => BTreeMap::new(),
                };
                let reads = RecordReads::recorded(&values);
                for record in asked {
                    let value = reads.known.get(&record.name).cloned().unwrap_or_else(|| crate::Value::Object(crate::Object::new()));
                    known.records.insert(record.name, value);
                }
            }
            Need::Variant { step, proposal, .. } => {
                let answer = next.iter().find_map(|entry| match &entry.fact {
                    Fact::VariantChosen { variant, sticky, .. } if entry.step.as_ref() == Some(&step) => Some((variant.clone(), *sticky)),
                    _ => None,
                });
                known.variants.insert(step, answer.unwrap_or((proposal, false)));
            }
        }
        known
    }
}

/// Whether an entry says nothing of the way: what was read, and which exits listen.
fn is_aside(entry: &Entry) -> bool {
    match entry.fact {
        Fact::ValueRead { .. } | Fact::Checkpointed {} => true,
        Fact::WaitOpened { .. } => entry.step.is_none(),
        _ => false,
    }
}

/// Whether two entries take the same way.
fn alike(recorded: &Entry, made: &Entry) -> bool {
    if recorded.step != made.step {
        return false;
    }
    match (&recorded.fact, &made.fact) {
        (Fact::StepScheduled { node, .. }, Fact::StepScheduled { node: other, .. }) => node == other,
        (Fact::StepFailed { continued, .. }, Fact::StepFailed { continued: other, .. }) => continued == other,
        (Fact::WaitOpened { waits, .. }, Fact::WaitOpened { waits: others, .. }) => {
            let events = |waits: &BTreeMap<String, crate::history::OpenMatch>| -> Vec<(String, String)> {
                waits.iter().map(|(name, wait)| (name.clone(), wait.event.clone())).collect()
            };
            events(waits) == events(others)
        }
        (Fact::BranchTaken { branch }, Fact::BranchTaken { branch: other }) => branch == other,
        (Fact::VariantChosen { variant, .. }, Fact::VariantChosen { variant: other, .. }) => variant == other,
        (Fact::IterationStarted { index, items, times }, Fact::IterationStarted { index: other_index, items: other_items, times: other_times }) => {
            let length = |items: &Option<crate::Value>| items.as_ref().and_then(crate::Value::as_array).map(Vec::len);
            (index, length(items), times) == (other_index, length(other_items), other_times)
        }
        (Fact::ChildStarted { workflow, .. }, Fact::ChildStarted { workflow: other, .. }) => workflow == other,
        (Fact::EventEmitted { event, .. }, Fact::EventEmitted { event: other, .. }) => event == other,
        (Fact::Bound { record, id }, Fact::Bound { record: other, id: other_id }) => (record, id) == (other, other_id),
        (was, made) => was.kind() == made.kind(),
    }
}

fn shown(entry: &Entry) -> String {
    let kind = entry.fact.kind();
    let what = match &entry.fact {
        Fact::BranchTaken { branch } => format!("{kind} {branch}"),
        Fact::VariantChosen { variant, .. } => format!("{kind} {variant}"),
        _ => kind.to_owned(),
    };
    entry.step.as_ref().map_or_else(|| what.clone(), |step| format!("{what} at {step}"))
}
