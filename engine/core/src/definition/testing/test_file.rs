//! `NAME.test.yaml`: cases that are played in virtual time.

use super::{
    Begin, EventDraft, Expect, Placed, Read, Setting,
    reader::{Reader, SETTING_KEYS, placed},
};
use crate::{
    Object, Value,
    definition::{
        Position, Span, fields,
        tree::{self, Key, Tree},
    },
    limits,
};

/// Keys at the top of a test file, besides those of a setting.
pub(super) const TOP_KEYS: [&str; 3] = ["workflow", "workflows", "cases"];
/// Keys of a case, besides those of a setting.
pub(super) const CASE_KEYS: [&str; 8] = ["name", "event", "input", "schedule", "webhook", "then", "for", "expect"];
/// How a case may begin.
pub(super) const OPENINGS: [&str; 4] = ["event", "input", "schedule", "webhook"];
/// Times that schedules may fire in one case.
pub(super) const FIRES: u64 = 1_000;
/// What may happen later.
pub(super) const LATER_KINDS: [&str; 7] = ["event", "webhook", "answer", "records", "cancel", "pause", "resume"];

/// A test file.
#[derive(Clone, Debug, PartialEq)]
pub struct TestFile {
    /// The workflow's file, relative to this one.
    pub workflow: Placed<String>,
    /// Files of other workflows that live beside it: called, or started by what it emits.
    pub workflows: Vec<Placed<String>>,
    /// What all cases take as given.
    pub setting: Setting,
    /// The cases, in file order.
    pub cases: Vec<Case>,
}

/// A case.
#[derive(Clone, Debug, PartialEq)]
pub struct Case {
    /// Unique in the file.
    pub name: String,
    /// Where it stands.
    pub position: Position,
    /// What starts the run.
    pub begin: Opening,
    /// What it takes as given, over the file's.
    pub setting: Setting,
    /// What comes later.
    pub then: Vec<Later>,
    /// How long it is watched; `None`: until nothing moves any more.
    pub watched_for: Option<Span>,
    /// What must have come of it.
    pub expect: Expect,
}

/// How a case begins.
#[derive(Clone, Debug, PartialEq)]
pub enum Opening {
    /// By an event, or by hand.
    Begin(Begin),
    /// By the workflow's own schedules, as time passes.
    Schedule {
        /// How often they fire in all.
        fires: u64,
    },
    /// By a delivery to a webhook of the workflow.
    Webhook(Delivery),
}

/// What somebody posts to a webhook.
#[derive(Clone, Debug, PartialEq)]
pub struct Delivery {
    /// The webhook's path; `None`: the only one that the workflow has.
    pub path: Option<Placed<String>>,
    /// The body: what `event.data` holds.
    pub body: Value,
    /// The delivery's name: a second one of that name has no effect.
    pub id: Option<String>,
}

/// Something that comes from outside while the run lives.
#[derive(Clone, Debug, PartialEq)]
pub struct Later {
    /// How long after the one before it, or after the start.
    pub after: Option<Span>,
    /// What.
    pub kind: LaterKind,
    /// Where it stands.
    pub position: Position,
}

/// What comes.
#[derive(Clone, Debug, PartialEq)]
pub enum LaterKind {
    /// An event.
    Event(EventDraft),
    /// A delivery to a webhook of the workflow that is tested.
    Webhook(Delivery),
    /// A person's answer to an `ask`.
    Answer {
        /// The step that asks; `None`: the only one that does.
        step: Option<Placed<String>>,
        /// What is answered.
        answer: Value,
        /// Who answers.
        by: String,
    },
    /// Fields of live records change.
    Records(Object),
    /// Someone cancels the first living run.
    Cancel(Option<String>),
    /// Someone pauses it.
    Pause,
    /// It goes on.
    Resume,
}

impl TestFile {
    /// Reads a file's text. Never panics, whatever the text.
    pub fn parse(source: &str) -> Read<Self> {
        let mut reader = Reader::default();
        let value = tree::parse(source, &mut reader.problems).and_then(|tree| reader.test_file(&tree));
        let value = value.filter(|_| !reader.problems.has_errors());
        Read { value, problems: reader.problems.finish() }
    }
}

impl Reader {
    fn test_file(&mut self, tree: &Tree) -> Option<TestFile> {
        let known: Vec<&str> = TOP_KEYS.iter().chain(&SETTING_KEYS).copied().collect();
        self.map(tree, "test file", &known, "a test file")?;
        let workflow = if let Some(tree) = tree.get("workflow") {
            self.placed_text(tree, "workflow")
        } else {
            self.problems.error(&tree.place, "missing_field", "a test file needs `workflow`, the file that it tests".into());
            None
        };
        let workflows = tree.get("workflows").map(|tree| self.texts(tree, "workflows")).unwrap_or_default();
        let setting = self.setting(tree);
        let Some(list) = tree.get("cases") else {
            self.problems.error(&tree.place, "missing_field", "a test file needs `cases`".into());
            return None;
        };
        let items = fields::list(&mut self.problems, list, "cases")?;
        if items.is_empty() {
            self.problems.error(&list.place, "bad_value", "`cases` is empty".into());
        }
        if items.len() > limits::TEST_CASES {
            self.problems.error(&list.place, "too_large", format!("a test file has at most {} cases; this one has {}", limits::TEST_CASES, items.len()));
            return None;
        }
        let cases: Vec<Case> = items.iter().filter_map(|item| self.case(item)).collect();
        for (index, case) in cases.iter().enumerate() {
            if let Some(first) = cases[..index].iter().find(|other| other.name == case.name) {
                let message = format!("the case {:?} is there twice; the first one is on line {}", case.name, first.position.line);
                self.problems.error(&case.position, "duplicate_case", message);
            }
        }
        Some(TestFile { workflow: workflow?, workflows, setting, cases })
    }

    fn case(&mut self, tree: &Tree) -> Option<Case> {
        let known: Vec<&str> = CASE_KEYS.iter().chain(&SETTING_KEYS).copied().collect();
        self.map(tree, "case", &known, "a case")?;
        let name = if let Some(tree) = tree.get("name") {
            self.text(tree, "name")
        } else {
            self.problems.error(&tree.place, "missing_field", "a case needs a `name` that says what it shows".into());
            None
        };
        let begin = self.opening(tree);
        let setting = self.setting(tree);
        let then = tree.get("then").map(|tree| self.laters(tree)).unwrap_or_default();
        let watched_for = tree.get("for").and_then(|tree| self.span(tree, "for"));
        let expect = if let Some(tree) = tree.get("expect") {
            self.expect(tree)
        } else {
            self.problems.error(&tree.place, "missing_field", "a case needs `expect`: what must have come of it".into());
            None
        };
        Some(Case { name: name?, position: tree.place.clone(), begin: begin?, setting, then, watched_for, expect: expect? })
    }

    /// Exactly one of [`OPENINGS`].
    fn opening(&mut self, tree: &Tree) -> Option<Opening> {
        let mut given = OPENINGS.into_iter().filter_map(|key| tree.get(key).map(|value| (key, value)));
        let Some((key, value)) = given.next() else {
            let message = "a case needs `event: { type, data }`, `input`, `schedule` or `webhook`: what starts the run";
            self.problems.error(&tree.place, "missing_field", message.into());
            return None;
        };
        if let Some((second, value)) = given.next() {
            self.problems.error(&value.place, "bad_start", format!("a case begins in one way: with `{key}` or with `{second}`, not with both"));
            return None;
        }
        match key {
            "event" => self.event(value, "event").map(|event| Opening::Begin(Begin::Event(event))),
            "input" => Some(Opening::Begin(Begin::Input(value.to_value()))),
            "webhook" => self.delivery(value).map(Opening::Webhook),
            _ => self.firings(value),
        }
    }

    /// `schedule: { fires: 3 }`; `schedule: {}` is one time.
    fn firings(&mut self, tree: &Tree) -> Option<Opening> {
        self.map(tree, "schedule", &["fires"], "`schedule` of a case")?;
        let fires = match tree.get("fires") {
            Some(tree) => self.whole(tree, "fires")?,
            None => 1,
        };
        if !(1..=FIRES).contains(&fires) {
            self.problems.error(&tree.place, "bad_value", format!("`fires` is a number from 1 to {FIRES}"));
            return None;
        }
        Some(Opening::Schedule { fires })
    }

    /// `webhook: { path, body, id }`.
    fn delivery(&mut self, tree: &Tree) -> Option<Delivery> {
        self.map(tree, "webhook", &["path", "body", "id"], "`webhook` of a case")?;
        let path = match tree.get("path") {
            Some(tree) => Some(self.placed_text(tree, "path")?),
            None => None,
        };
        let id = match tree.get("id") {
            Some(tree) => Some(self.text(tree, "id")?),
            None => None,
        };
        let body = tree.get("body").map_or_else(|| Value::Object(Object::new()), Tree::to_value);
        Some(Delivery { path, body, id })
    }

    fn laters(&mut self, tree: &Tree) -> Vec<Later> {
        let Some(items) = fields::list(&mut self.problems, tree, "then") else { return Vec::new() };
        items.iter().filter_map(|item| self.later(item)).collect()
    }

    fn later(&mut self, tree: &Tree) -> Option<Later> {
        let known: Vec<&str> = ["after"].iter().chain(&LATER_KINDS).copied().collect();
        let entries = self.map(tree, "then", &known, "what comes later")?;
        let after = tree.get("after").and_then(|tree| self.span(tree, "after"));
        let kinds: Vec<&(Key, Tree)> = entries.iter().filter(|(key, _)| LATER_KINDS.contains(&key.text.as_str())).collect();
        let [(key, value)] = kinds.as_slice() else {
            let message = format!("each entry of `then` is one of {}", LATER_KINDS.join(", "));
            self.problems.error(&tree.place, "missing_field", message);
            return None;
        };
        let kind = match key.text.as_str() {
            "event" => LaterKind::Event(self.event(value, "event")?),
            "webhook" => LaterKind::Webhook(self.delivery(value)?),
            "answer" => self.answer(value)?,
            "records" => LaterKind::Records(self.records(value)),
            "cancel" => LaterKind::Cancel(value.text().map(str::to_owned)),
            "pause" => LaterKind::Pause,
            _ => LaterKind::Resume,
        };
        Some(Later { after, kind, position: tree.place.clone() })
    }

    fn answer(&mut self, tree: &Tree) -> Option<LaterKind> {
        self.map(tree, "answer", &["step", "answer", "by"], "an answer")?;
        let step = tree.get("step").and_then(|tree| self.placed_text(tree, "step"));
        let by = match tree.get("by") {
            Some(tree) => self.text(tree, "by")?,
            None => "test".to_owned(),
        };
        let Some(answer) = tree.get("answer") else {
            self.problems.error(&tree.place, "missing_field", "an answer needs `answer`: what the person says, such as approve".into());
            return None;
        };
        Some(LaterKind::Answer { step, answer: answer.to_value(), by })
    }
}

/// A case's or file's place, for messages about the whole of it.
impl Case {
    /// Where a key of the case stands, or the case where it has none.
    pub fn place_of<'c, T>(&'c self, placed: Option<&'c Placed<T>>) -> &'c Position {
        placed.map_or(&self.position, |placed| &placed.position)
    }
}

/// A value where it stands.
pub(super) fn value_at(tree: &Tree) -> Placed<Value> {
    placed(tree.to_value(), tree)
}
