//! What nodes give in place of their effect.

use super::{Placed, reader::Reader};
use crate::{
    ErrorCode, StepError, Value,
    definition::{
        fields,
        tree::{Key, Node, Tree},
    },
};

/// The words that make a map a reply of a kind, and not a plain output.
pub(super) const FORMS: [&str; 6] = ["output", "error", "retry_after", "outcome", "hold", "one_of"];

/// What a node, or the node of one step, gives.
#[derive(Clone, Debug, PartialEq)]
pub struct Mock {
    /// A node's id, or a step's; a step's counts before its node's.
    pub target: Placed<String>,
    /// For successive calls, in order; the last one counts for all calls after it. Not empty.
    pub replies: Vec<Reply>,
}

/// One reply.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    /// What it says.
    pub kind: ReplyKind,
    /// How long the call takes, in milliseconds.
    pub takes_ms: i64,
}

/// What a reply says.
#[derive(Clone, Debug, PartialEq)]
pub enum ReplyKind {
    /// It worked.
    Output(Value),
    /// It failed.
    Error(StepError),
    /// The other side asks to come again after so many milliseconds.
    RetryAfter(i64),
    /// Nobody can know whether it happened.
    Unknown,
    /// Not now: for so many milliseconds, or until something changes.
    Hold {
        /// How long.
        for_ms: Option<i64>,
        /// Why.
        reason: String,
    },
    /// One of these, by share.
    OneOf(Vec<(f64, Reply)>),
}

impl Reply {
    fn at_once(kind: ReplyKind) -> Self {
        Self { kind, takes_ms: 0 }
    }
}

impl Reader {
    pub(super) fn mock(&mut self, key: &Key, tree: &Tree) -> Option<Mock> {
        let target = Placed { value: key.text.clone(), position: key.place.clone() };
        let replies = match &tree.node {
            Node::List(items) if items.is_empty() => {
                self.problems.error(&tree.place, "bad_value", "the list of replies is empty; an output that is a list is written `{ output: [...] }`".into());
                return None;
            }
            Node::List(items) => items.iter().map(|item| self.reply(item)).collect::<Option<Vec<_>>>()?,
            _ => vec![self.reply(tree)?],
        };
        Some(Mock { target, replies })
    }

    fn reply(&mut self, tree: &Tree) -> Option<Reply> {
        let Some(entries) = tree.map().filter(|entries| is_form(entries)) else {
            return Some(Reply::at_once(ReplyKind::Output(tree.to_value())));
        };
        let takes_ms = match tree.get("takes") {
            Some(tree) => self.millis(tree, "takes")?,
            None => 0,
        };
        let (form, value) = entries.iter().find(|(key, _)| FORMS.contains(&key.text.as_str())).map(|(key, value)| (key.text.as_str(), value))?;
        let kind = match form {
            "output" => ReplyKind::Output(value.to_value()),
            "error" => ReplyKind::Error(self.error(value)?),
            "retry_after" => ReplyKind::RetryAfter(self.millis(value, "retry_after")?),
            "outcome" => {
                fields::word(&mut self.problems, value, "outcome", &["unknown"])?;
                ReplyKind::Unknown
            }
            "hold" => self.hold(value)?,
            _ => ReplyKind::OneOf(self.one_of(value)?),
        };
        Some(Reply { kind, takes_ms })
    }

    fn millis(&mut self, tree: &Tree, name: &str) -> Option<i64> {
        let span = self.span(tree, name)?;
        let millis = span.fixed_millis();
        if millis.is_none() {
            self.problems.error(&tree.place, "bad_duration", format!("`{name}` must be a fixed length such as 30s; {} counts by the calendar", span.text));
        }
        millis
    }

    /// `error: CODE`, or `error: { code, message, details }`.
    fn error(&mut self, tree: &Tree) -> Option<StepError> {
        if let Some(code) = tree.text() {
            return Some(StepError::new(self.code(code, tree)?, "the mock says so"));
        }
        self.map(tree, "error", &["code", "message", "details"], "an error")?;
        let Some(code_tree) = tree.get("code") else {
            self.problems.error(&tree.place, "missing_field", "an error needs a `code`, such as timeout or declined".into());
            return None;
        };
        let text = self.text(code_tree, "code")?;
        let code = self.code(&text, code_tree)?;
        let message = match tree.get("message") {
            Some(tree) => self.text(tree, "message")?,
            None => "the mock says so".to_owned(),
        };
        Some(StepError::new(code, message).with_details(tree.get("details").map(Tree::to_value).unwrap_or_default()))
    }

    /// A code that the language knows, or a provider's own, written `CONNECTOR:CODE`.
    pub(super) fn code(&mut self, text: &str, tree: &Tree) -> Option<ErrorCode> {
        let code = ErrorCode::parse(text);
        if matches!(code, ErrorCode::Provider(_)) && !text.contains(':') {
            self.problems.wrong_name(&tree.place, "unknown_code", &format!("there is no error code \"{text}\""), text, ErrorCode::KNOWN.iter().copied());
            return None;
        }
        Some(code)
    }

    /// `hold: 2h`, or `hold: { for, reason }`.
    fn hold(&mut self, tree: &Tree) -> Option<ReplyKind> {
        if tree.text().is_some() {
            return Some(ReplyKind::Hold { for_ms: Some(self.millis(tree, "hold")?), reason: "the mock says so".into() });
        }
        self.map(tree, "hold", &["for", "reason"], "`hold`")?;
        let for_ms = match tree.get("for") {
            Some(tree) => Some(self.millis(tree, "for")?),
            None => None,
        };
        let reason = match tree.get("reason") {
            Some(tree) => self.text(tree, "reason")?,
            None => "the mock says so".to_owned(),
        };
        Some(ReplyKind::Hold { for_ms, reason })
    }

    fn one_of(&mut self, tree: &Tree) -> Option<Vec<(f64, Reply)>> {
        let items = fields::list(&mut self.problems, tree, "one_of")?;
        if items.is_empty() {
            self.problems.error(&tree.place, "bad_value", "`one_of` is empty".into());
            return None;
        }
        items
            .iter()
            .map(|item| {
                let share = self.share(item, &item.place)?;
                Some((share, self.reply(item)?))
            })
            .collect()
    }
}

/// A map with one of the words of [`FORMS`] and nothing else but `takes` and `share`.
fn is_form(entries: &[(Key, Tree)]) -> bool {
    let forms = entries.iter().filter(|(key, _)| FORMS.contains(&key.text.as_str())).count();
    let others = entries.iter().any(|(key, _)| !FORMS.contains(&key.text.as_str()) && !["takes", "share"].contains(&key.text.as_str()));
    forms == 1 && !others
}
