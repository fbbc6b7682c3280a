//! Flow control: how many runs at a time, how many starts in a while, which start goes first (LANGUAGE.md, "Flow control").

use super::{compiler::Compiler, fields, names::Standing, tree::Tree};
use crate::expression::Template;

/// The most that one limit may let through.
const MOST: f64 = 1_000_000.0;
/// The longest time of a rate or a debounce, in milliseconds: a year.
const LONGEST_MS: i64 = 366 * 86_400_000;
/// Bytes of a shared limit's name.
const NAME_BYTES: usize = 100;

/// `limits`: what governs a workflow's starts.
#[derive(Debug, Default)]
pub struct Limits {
    /// Runs at a time.
    pub concurrency: Option<Concurrency>,
    /// Starts in a while.
    pub rate: Option<Rate>,
    /// Bursts that come down to one start.
    pub debounce: Option<Debounce>,
}

/// `concurrency`: runs at a time.
#[derive(Debug)]
pub struct Concurrency {
    /// How many.
    pub max: u32,
    /// Of what.
    pub scope: LimitScope,
}

/// `rate`: starts in a while; they are spread, none is dropped.
#[derive(Debug)]
pub struct Rate {
    /// How many.
    pub max: u32,
    /// In how many milliseconds.
    pub per_ms: i64,
    /// Of what.
    pub scope: LimitScope,
}

/// What a limit counts together.
#[derive(Debug, Default)]
pub struct LimitScope {
    /// The name under which several workflows share it.
    pub shared: Option<String>,
    /// Counted apart for each value. Without one: the workflow's key; where there is none, and for a shared limit, all
    /// together.
    pub key: Option<Template>,
}

/// `debounce`: the last event of a burst starts the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Debounce {
    /// A burst is over when nothing came for this many milliseconds.
    pub wait_ms: i64,
    /// Or when it has lasted this many.
    pub max_wait_ms: Option<i64>,
}

impl Compiler<'_> {
    pub(super) fn limits(&mut self, tree: &Tree) -> Option<Limits> {
        let entries = fields::map(&mut self.problems, tree, "limits")?;
        fields::refuse_unknown(&mut self.problems, entries, &["concurrency", "rate", "debounce"], "limits");
        if entries.is_empty() {
            self.problems.error(&tree.place, "bad_value", "`limits` is empty; leave it out, or give concurrency, rate or debounce".into());
        }
        Some(Limits {
            concurrency: tree.get("concurrency").and_then(|tree| self.concurrency(tree)),
            rate: tree.get("rate").and_then(|tree| self.rate(tree)),
            debounce: tree.get("debounce").and_then(|tree| self.debounce(tree)),
        })
    }

    fn concurrency(&mut self, tree: &Tree) -> Option<Concurrency> {
        let entries = fields::map(&mut self.problems, tree, "concurrency")?;
        fields::refuse_unknown(&mut self.problems, entries, &["max", "key", "shared"], "concurrency");
        let scope = self.limit_scope(tree);
        Some(Concurrency { max: self.count(tree, "concurrency", "max", MOST)?, scope: scope? })
    }

    fn rate(&mut self, tree: &Tree) -> Option<Rate> {
        let entries = fields::map(&mut self.problems, tree, "rate")?;
        fields::refuse_unknown(&mut self.problems, entries, &["max", "per", "key", "shared"], "rate");
        let scope = self.limit_scope(tree);
        let max = self.count(tree, "rate", "max", MOST);
        let per_ms = self.exact_length(tree, "rate", "per")?;
        Some(Rate { max: max?, per_ms, scope: scope? })
    }

    fn debounce(&mut self, tree: &Tree) -> Option<Debounce> {
        let entries = fields::map(&mut self.problems, tree, "debounce")?;
        fields::refuse_unknown(&mut self.problems, entries, &["wait", "max_wait"], "debounce");
        let wait_ms = self.exact_length(tree, "debounce", "wait");
        let max_wait_ms = match tree.get("max_wait") {
            Some(_) => Some(self.exact_length(tree, "debounce", "max_wait")?),
            None => None,
        };
        let wait_ms = wait_ms?;
        if let (Some(max), Some(tree)) = (max_wait_ms, tree.get("max_wait"))
            && max < wait_ms
        {
            self.problems.error(&tree.place, "bad_value", "`max_wait` must not be shorter than `wait`".into());
        }
        Some(Debounce { wait_ms, max_wait_ms })
    }

    fn limit_scope(&mut self, tree: &Tree) -> Option<LimitScope> {
        let key = match tree.get("key") {
            Some(tree) => Some(self.key(tree, false)?),
            None => None,
        };
        let shared = match tree.get("shared") {
            Some(tree) => Some(self.shared_name(tree)?),
            None => None,
        };
        Some(LimitScope { shared, key })
    }

    fn shared_name(&mut self, tree: &Tree) -> Option<String> {
        let name = fields::text(&mut self.problems, tree, "shared")?;
        let right = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
        if name.len() > NAME_BYTES || !name.bytes().all(right) {
            let message = format!("the shared limit's name \"{name}\" may hold letters, digits, `_`, `.` and `-` only, {NAME_BYTES} at the most");
            self.problems.error(&tree.place, "bad_name", message);
            return None;
        }
        Some(name.to_owned())
    }

    /// `priority`: 1 is first, 10 last.
    pub(super) fn priority(&mut self, tree: &Tree) -> Option<Template> {
        let template = self.template(tree, Standing::Key)?;
        if let Some(literal) = template.as_literal()
            && crate::machine::priority_of(literal).is_none()
        {
            self.problems.error(
                &tree.place,
                "bad_value",
                "`priority` must be a whole number from 1 (first) to 10 (last), or an expression that gives one".into(),
            );
            return None;
        }
        Some(template)
    }

    /// A whole number from 1.
    fn count(&mut self, tree: &Tree, what: &str, name: &str, most: f64) -> Option<u32> {
        let tree = self.required(tree, name, what)?;
        let number = fields::number(&mut self.problems, tree, name, 1.0, most)?;
        if number.fract() != 0.0 {
            self.problems.error(&tree.place, "bad_value", format!("`{name}` must be a whole number"));
            return None;
        }
        Some(number as u32)
    }

    /// An exact length of time, at least a millisecond.
    fn exact_length(&mut self, tree: &Tree, what: &str, name: &str) -> Option<i64> {
        let tree = self.required(tree, name, what)?;
        let millis = self.exact(tree, name)?;
        if !(1..=LONGEST_MS).contains(&millis) {
            self.problems.error(&tree.place, "bad_duration", format!("`{name}` must be longer than nothing and not longer than a year"));
            return None;
        }
        Some(millis)
    }
}
