//! What must have come of a case.

use super::{
    Placed,
    reader::{Reader, placed},
    test_file::value_at,
};
use crate::{
    Object, Value,
    definition::{Position, Span, fields, tree::Tree},
};

/// Keys of `expect`.
pub(super) const KEYS: [&str; 18] = [
    "run",
    "runs",
    "status",
    "output",
    "error",
    "exit",
    "calls",
    "no_calls",
    "variables",
    "path",
    "steps",
    "no_steps",
    "branches",
    "emitted",
    "no_events",
    "waiting_on",
    "took",
    "held",
];
/// Statuses that a run can be found in; `not_started`: there is no such run.
pub(super) const STATUSES: [&str; 8] = ["not_started", "held", "running", "waiting", "paused", "completed", "failed", "cancelled"];

/// What must have come of a case. What is left out is not looked at.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Expect {
    /// Which run is meant, from 1, in order of start.
    pub run: Option<Placed<u64>>,
    /// How many runs were started.
    pub runs: Option<Placed<u64>>,
    /// How many starts are held.
    pub held: Option<Placed<u64>>,
    /// Its status.
    pub status: Option<Placed<String>>,
    /// Its output, whole.
    pub output: Option<Placed<Value>>,
    /// Fields of its error.
    pub error: Option<Placed<Value>>,
    /// The event type that ended it early; `null`: none.
    pub exit: Option<Placed<Value>>,
    /// Fields of what it waits for.
    pub waiting_on: Option<Placed<Value>>,
    /// Its variables, those named.
    pub variables: Option<Placed<Object>>,
    /// The steps with an id that were taken, in order, all of them.
    pub path: Option<Placed<Vec<String>>>,
    /// Steps that were taken, in this order; others may lie between.
    pub steps: Vec<Placed<String>>,
    /// Steps that were not taken.
    pub no_steps: Vec<Placed<String>>,
    /// Branches and variants by step.
    pub branches: Vec<(Placed<String>, Placed<String>)>,
    /// Calls that were made.
    pub calls: Vec<ExpectedCall>,
    /// Nodes and steps that were not called; with [`Expect::no_calls_at_all`], none.
    pub no_calls: Vec<Placed<String>>,
    /// `no_calls: true`.
    pub no_calls_at_all: Option<Position>,
    /// Events that were emitted.
    pub emitted: Vec<ExpectedEvent>,
    /// Event types that were not emitted.
    pub no_events: Vec<Placed<String>>,
    /// Shorter than this, from start to end.
    pub took_under: Option<Placed<Span>>,
    /// Longer than this.
    pub took_over: Option<Placed<Span>>,
}

/// A call that must have been made.
#[derive(Clone, Debug, PartialEq)]
pub struct ExpectedCall {
    /// Which node.
    pub node: Option<Placed<String>>,
    /// Of which step.
    pub step: Option<Placed<String>>,
    /// How often; at least once when left out.
    pub times: Option<Times>,
    /// Fields of its input.
    pub with: Option<Placed<Value>>,
    /// Where it stands.
    pub position: Position,
}

/// An event that must have been emitted.
#[derive(Clone, Debug, PartialEq)]
pub struct ExpectedEvent {
    /// Its type.
    pub event: Placed<String>,
    /// How often; at least once when left out.
    pub times: Option<Times>,
    /// Fields of its data.
    pub with: Option<Placed<Value>>,
    /// Where it stands.
    pub position: Position,
}

/// How often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// At least.
    pub min: u64,
    /// At the most.
    pub max: u64,
}

impl Reader {
    pub(super) fn expect(&mut self, tree: &Tree) -> Option<Expect> {
        let entries = self.map(tree, "expect", &KEYS, "`expect`")?;
        if entries.is_empty() {
            self.problems.error(&tree.place, "bad_value", "`expect` is empty; name at least a `status`".into());
        }
        let mut expect = Expect {
            run: self.count(tree, "run"),
            runs: self.count(tree, "runs"),
            held: self.count(tree, "held"),
            output: tree.get("output").map(value_at),
            exit: tree.get("exit").map(value_at),
            waiting_on: tree.get("waiting_on").map(value_at),
            calls: self.list(tree, "calls", Self::call),
            emitted: self.list(tree, "emitted", Self::emitted),
            ..Expect::default()
        };
        if let Some(status) = tree.get("status") {
            expect.status = fields::word(&mut self.problems, status, "status", &STATUSES).map(|word| placed(word.to_owned(), status));
        }
        if let Some(error) = tree.get("error") {
            expect.error = self.expected_error(error);
        }
        if let Some(variables) = tree.get("variables") {
            expect.variables = self.object(variables, "variables").map(|object| placed(object, variables));
        }
        if let Some(path) = tree.get("path") {
            let steps = self.texts(path, "path").into_iter().map(|step| step.value).collect();
            expect.path = Some(placed(steps, path));
        }
        for (name, list) in [("steps", &mut expect.steps), ("no_steps", &mut expect.no_steps), ("no_events", &mut expect.no_events)] {
            if let Some(tree) = tree.get(name) {
                *list = self.texts(tree, name);
            }
        }
        match tree.get("no_calls") {
            Some(tree) if tree.to_value() == Value::Bool(true) => expect.no_calls_at_all = Some(tree.place.clone()),
            Some(tree) => expect.no_calls = self.texts(tree, "no_calls"),
            None => {}
        }
        if let Some(tree) = tree.get("branches") {
            expect.branches = self.branches(tree);
        }
        if let Some(took) = tree.get("took") {
            self.map(took, "took", &["under", "over"], "`took`")?;
            let mut bound = |name: &str| took.get(name).and_then(|tree| self.span(tree, name).map(|span| placed(span, tree)));
            (expect.took_under, expect.took_over) = (bound("under"), bound("over"));
        }
        Some(expect)
    }

    fn count(&mut self, tree: &Tree, name: &str) -> Option<Placed<u64>> {
        let tree = tree.get(name)?;
        self.whole(tree, name).map(|number| placed(number, tree))
    }

    fn list<T>(&mut self, tree: &Tree, name: &str, read: impl Fn(&mut Self, &Tree) -> Option<T>) -> Vec<T> {
        let Some(tree) = tree.get(name) else { return Vec::new() };
        let Some(items) = fields::list(&mut self.problems, tree, name) else { return Vec::new() };
        items.iter().filter_map(|item| read(self, item)).collect()
    }

    /// `error: CODE`, or `error: { code, message, step }`.
    fn expected_error(&mut self, tree: &Tree) -> Option<Placed<Value>> {
        if let Some(code) = tree.text() {
            self.code(code, tree)?;
            return Some(placed(serde_json::json!({ "code": code }), tree));
        }
        if tree.is_null() {
            return Some(placed(Value::Null, tree));
        }
        self.map(tree, "error", &["code", "message", "step", "details"], "an error")?;
        if let Some(code) = tree.get("code") {
            let text = self.text(code, "code")?;
            self.code(&text, code)?;
        }
        Some(value_at(tree))
    }

    fn branches(&mut self, tree: &Tree) -> Vec<(Placed<String>, Placed<String>)> {
        let Some(entries) = fields::map(&mut self.problems, tree, "branches") else { return Vec::new() };
        let mut branches = Vec::with_capacity(entries.len());
        for (key, value) in entries {
            let name = match value.to_value() {
                Value::String(text) if !text.is_empty() => text,
                Value::Number(number) => number.to_string(),
                _ => {
                    fields::wrong_type(&mut self.problems, value, &key.text, "a branch: then, else, the number of a branch, or a variant's name");
                    continue;
                }
            };
            branches.push((Placed { value: key.text.clone(), position: key.place.clone() }, placed(name, value)));
        }
        branches
    }

    fn call(&mut self, tree: &Tree) -> Option<ExpectedCall> {
        // `- message.send` alone: it was called.
        if tree.text().is_some() {
            return Some(ExpectedCall { node: self.placed_text(tree, "calls"), step: None, times: None, with: None, position: tree.place.clone() });
        }
        self.map(tree, "call", &["node", "step", "times", "with"], "a call")?;
        let node = tree.get("node").and_then(|tree| self.placed_text(tree, "node"));
        let step = tree.get("step").and_then(|tree| self.placed_text(tree, "step"));
        if node.is_none() && step.is_none() {
            self.problems.error(&tree.place, "missing_field", "a call is named by its `node`, its `step`, or both".into());
            return None;
        }
        let times = self.times(tree)?;
        Some(ExpectedCall { node, step, times, with: tree.get("with").map(value_at), position: tree.place.clone() })
    }

    fn emitted(&mut self, tree: &Tree) -> Option<ExpectedEvent> {
        if tree.text().is_some() {
            let event = placed(self.event_type(tree, "emitted")?, tree);
            return Some(ExpectedEvent { event, times: None, with: None, position: tree.place.clone() });
        }
        self.map(tree, "emitted", &["event", "times", "with"], "an emitted event")?;
        let Some(event) = tree.get("event") else {
            self.problems.error(&tree.place, "missing_field", "an emitted event is named by its `event`, its type".into());
            return None;
        };
        let event = placed(self.event_type(event, "event")?, event);
        let times = self.times(tree)?;
        Some(ExpectedEvent { event, times, with: tree.get("with").map(value_at), position: tree.place.clone() })
    }

    /// `times: 2`, or `times: { min, max }`; `None` for a mistake.
    #[expect(clippy::option_option, reason = "a mistake, or nothing given, or what was given")]
    fn times(&mut self, tree: &Tree) -> Option<Option<Times>> {
        let Some(tree) = tree.get("times") else { return Some(None) };
        if tree.map().is_none() {
            let times = self.whole(tree, "times")?;
            return Some(Some(Times { min: times, max: times }));
        }
        self.map(tree, "times", &["min", "max"], "`times`")?;
        let min = tree.get("min").map_or(Some(0), |tree| self.whole(tree, "min"))?;
        let max = tree.get("max").map_or(Some(u64::MAX), |tree| self.whole(tree, "max"))?;
        Some(Some(Times { min, max }))
    }
}
