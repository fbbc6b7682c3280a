//! Goals of splits, told from events and outside the run (SEMANTICS.md 35): who came to what a split hopes for.

use super::{correlation, turn::identifier};
use crate::{
    Event, Timestamp, Value,
    definition::{Goal, Match},
    expression::Scope,
};
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

/// When a goal's event came in, of whom.
#[derive(Debug)]
pub struct GoalEvents<'g> {
    goal: &'g Goal,
    /// What `match` compares, where it compares plain values.
    values: BTreeMap<String, Value>,
    /// By contact; under no contact where the goal is anybody's.
    times: HashMap<Option<String>, Vec<Timestamp>>,
}

impl<'g> GoalEvents<'g> {
    /// `None` where the goal names something that only the run knows: it cannot be told from outside.
    pub fn of(goal: &'g Goal) -> Option<Self> {
        let outside = goal.rule.condition.as_ref().is_none_or(|condition| condition.roots().iter().all(|root| root == "incoming"));
        let values = match &goal.rule.matching {
            Match::Contact | Match::Any => Some(BTreeMap::new()),
            Match::Values(values) => values.iter().map(|(path, template)| Some((path.clone(), template.as_literal()?.clone()))).collect(),
        };
        Some(Self { goal, values: values.filter(|_| outside)?, times: HashMap::new() })
    }

    /// Takes an event in, where it is one that the goal hopes for.
    pub fn note(&mut self, event: &Event) {
        if event.body.kind != self.goal.rule.event || !correlation::matches(&self.values, &event.body.data) {
            return;
        }
        let passes = self.goal.rule.condition.as_ref().is_none_or(|condition| {
            let scope = Scope { incoming: Some(Arc::new(event.envelope())), now: event.taken_in_at, ..Scope::default() };
            // As in a wait: an odd event that the condition cannot take is not the one.
            condition.test(&scope).unwrap_or(false)
        });
        let whose = match self.goal.rule.matching {
            Match::Contact => identifier(&event.body.data["contact_id"]).map(Some),
            Match::Values(_) | Match::Any => Some(None),
        };
        if let Some(whose) = whose.filter(|_| passes) {
            self.times.entry(whose).or_default().push(event.taken_in_at);
        }
    }

    /// Whether somebody whose variant was chosen then came to the goal. An event that came before the choice says nothing of it.
    pub fn reached(&self, contact: Option<&str>, chosen_at: Timestamp, zone: &str) -> bool {
        let whose = match self.goal.rule.matching {
            Match::Contact if contact.is_none() => return false,
            Match::Contact => contact.map(str::to_owned),
            Match::Values(_) | Match::Any => None,
        };
        let until = self.goal.within.as_ref().map(|within| within.add_to(chosen_at, zone));
        let times = self.times.get(&whose).map_or(&[][..], Vec::as_slice);
        times.iter().any(|at| *at > chosen_at && until.is_none_or(|until| *at <= until))
    }
}
