//! What a simulation assumes: replies of nodes, and what people do, by share.

use super::{
    EventDraft, Placed, Read, Setting,
    reader::{Reader, SETTING_KEYS, placed},
};
use crate::{
    Value,
    definition::{
        fields,
        tree::{self, Tree},
    },
};

/// Keys of a scenario, besides those of a setting.
pub(super) const KEYS: [&str; 2] = ["answers", "vary"];

/// A scenario.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scenario {
    /// Replies, records, the zone, the start.
    pub setting: Setting,
    /// What people do while a step waits for them, by the step's id.
    pub answers: Vec<(Placed<String>, Vec<Answer>)>,
    /// How one synthetic contact differs from the next: fields of the event's data, by path.
    pub vary_data: Vec<(String, Shares)>,
    /// Fields of the contact's record.
    pub vary_contact: Vec<(String, Shares)>,
}

/// Values and their shares, relative to each other.
pub type Shares = Vec<(Value, f64)>;

/// One way to answer. What the shares of a step leave to 100 does not answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// Of 100.
    pub share: f64,
    /// After how many milliseconds at the least.
    pub after_ms: i64,
    /// And at the most.
    pub until_ms: i64,
    /// The event; without a type, the one that the step waits for first. What the wait matches on is filled in.
    pub event: EventDraft,
}

impl Scenario {
    /// Reads a file's text. Never panics, whatever the text.
    pub fn parse(source: &str) -> Read<Self> {
        let mut reader = Reader::default();
        let value = tree::parse(source, &mut reader.problems).and_then(|tree| reader.scenario(&tree));
        let value = value.filter(|_| !reader.problems.has_errors());
        Read { value, problems: reader.problems.finish() }
    }
}

impl Reader {
    fn scenario(&mut self, tree: &Tree) -> Option<Scenario> {
        let known: Vec<&str> = KEYS.iter().chain(&SETTING_KEYS).copied().collect();
        self.map(tree, "scenario", &known, "a scenario")?;
        let setting = self.setting(tree);
        let mut scenario = Scenario { setting, ..Scenario::default() };
        if let Some(tree) = tree.get("answers") {
            for (key, value) in fields::map(&mut self.problems, tree, "answers")? {
                let answers = self.answers(value, &key.text);
                scenario.answers.push((Placed { value: key.text.clone(), position: key.place.clone() }, answers));
            }
        }
        if let Some(tree) = tree.get("vary") {
            self.map(tree, "vary", &["data", "contact"], "`vary`")?;
            scenario.vary_data = tree.get("data").map(|tree| self.varied(tree, "data")).unwrap_or_default();
            scenario.vary_contact = tree.get("contact").map(|tree| self.varied(tree, "contact")).unwrap_or_default();
        }
        Some(scenario)
    }

    fn answers(&mut self, tree: &Tree, step: &str) -> Vec<Answer> {
        let Some(items) = fields::list(&mut self.problems, tree, step) else { return Vec::new() };
        let answers: Vec<Answer> = items.iter().filter_map(|item| self.one_answer(item)).collect();
        let sum: f64 = answers.iter().map(|answer| answer.share).sum();
        if sum > 100.0 + 1e-9 {
            self.problems.error(&tree.place, "bad_value", format!("the shares of {step} sum up to {sum}; they are parts of 100, and the rest does not answer"));
        }
        answers
    }

    fn one_answer(&mut self, tree: &Tree) -> Option<Answer> {
        self.map(tree, "answer", &["share", "after", "type", "source", "subject", "data"], "an answer")?;
        let share = self.share(tree, &tree.place)?;
        let (after_ms, until_ms) = match tree.get("after") {
            Some(tree) => self.between(tree)?,
            None => (0, 0),
        };
        let mut event = self.event_facts(tree)?;
        if let Some(kind) = tree.get("type") {
            event.kind = self.event_type(kind, "type")?;
        }
        Some(Answer { share, after_ms, until_ms, event })
    }

    /// `after: 2h`, or `after: { from: 5m, to: 6h }`: any moment between, each as likely.
    fn between(&mut self, tree: &Tree) -> Option<(i64, i64)> {
        if tree.map().is_none() {
            let span = self.span(tree, "after")?.fixed_millis().unwrap_or_default();
            return Some((span, span));
        }
        self.map(tree, "after", &["from", "to"], "`after`")?;
        let mut end = |name: &str| tree.get(name).map_or(Some(0), |tree| self.span(tree, name).map(|span| span.fixed_millis().unwrap_or_default()));
        let (from, to) = (end("from")?, end("to")?);
        if to < from {
            self.problems.error(&tree.place, "bad_duration", "`to` is shorter than `from`".into());
            return None;
        }
        Some((from, to))
    }

    /// `PATH: { VALUE: SHARE }`, or `PATH: [{ value, share }]`.
    fn varied(&mut self, tree: &Tree, name: &str) -> Vec<(String, Shares)> {
        let Some(entries) = fields::map(&mut self.problems, tree, name) else { return Vec::new() };
        let mut varied = Vec::with_capacity(entries.len());
        for (key, value) in entries {
            let shares: Option<Shares> = if let Some(items) = value.list() {
                items.iter().map(|item| Some((item.get("value").map(Tree::to_value)?, self.share(item, &item.place)?))).collect()
            } else if let Some(items) = value.map() {
                items
                    .iter()
                    .map(|(key, share)| Some((Value::from(key.text.as_str()), fields::number(&mut self.problems, share, &key.text, 0.0, 1e6)?)))
                    .collect()
            } else {
                None
            };
            match shares {
                Some(shares) if shares.iter().any(|(_, share)| *share > 0.0) => varied.push((key.text.clone(), shares)),
                _ => {
                    let place = placed((), value).position;
                    self.problems.error(&place, "bad_value", format!("`{}` needs values with shares, such as {{ whatsapp: 70, web: 30 }}", key.text));
                }
            }
        }
        varied
    }
}
