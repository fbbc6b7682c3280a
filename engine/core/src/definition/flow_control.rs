//! Flow control: how many runs at a time, how many starts in a while, which start goes first, and who gets a new version
//! first (LANGUAGE.md, "Flow control").

use super::{compiler::Compiler, fields, names::Standing, tree::Tree};
use crate::expression::Template;

/// The most that one limit may let through.
const MOST: f64 = 1_000_000.0;
/// The longest time of a rate or a debounce, in milliseconds: a year.
const LONGEST_MS: i64 = 366 * 86_400_000;
/// Ended runs that a rollout may judge by.
const MOST_JUDGED: f64 = 10_000.0;
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

/// `rollout`: a part of the keys gets a new version first.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rollout {
    /// The part, above 0 and up to 1.
    pub share: f64,
    /// When the new version's starts are to be held.
    pub hold_if: Option<HoldIf>,
}

/// `hold_if`: too many of the latest runs failed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HoldIf {
    /// The part that may not be reached, above 0 and up to 1.
    pub failed: f64,
    /// Of how many runs that ended last.
    pub of: u32,
}

impl HoldIf {
    /// Whether so many failures among the last `of` runs are too many.
    pub fn is_reached(self, failures: u32) -> bool {
        failures > 0 && f64::from(failures) >= self.failed * f64::from(self.of)
    }
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

    pub(super) fn rollout(&mut self, tree: &Tree) -> Option<Rollout> {
        let entries = fields::map(&mut self.problems, tree, "rollout")?;
        fields::refuse_unknown(&mut self.problems, entries, &["share", "hold_if"], "rollout");
        let hold_if = match tree.get("hold_if") {
            Some(tree) => Some(self.hold_if(tree)?),
            None => None,
        };
        let share = self.part(tree, "rollout", "share")?;
        Some(Rollout { share, hold_if })
    }

    fn hold_if(&mut self, tree: &Tree) -> Option<HoldIf> {
        let entries = fields::map(&mut self.problems, tree, "hold_if")?;
        fields::refuse_unknown(&mut self.problems, entries, &["failed", "of"], "hold_if");
        let failed = self.part(tree, "hold_if", "failed");
        let of = self.count(tree, "hold_if", "of", MOST_JUDGED)?;
        Some(HoldIf { failed: failed?, of })
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

    /// `10%` as 0.1.
    fn part(&mut self, tree: &Tree, what: &str, name: &str) -> Option<f64> {
        let tree = self.required(tree, name, what)?;
        let percent = tree.text().and_then(|text| text.trim().strip_suffix('%')).and_then(|number| number.trim().parse::<f64>().ok());
        let percent = percent.filter(|percent| *percent > 0.0 && *percent <= 100.0);
        if percent.is_none() {
            self.problems.error(&tree.place, "bad_value", format!("`{name}` must be a part such as 10%, above 0% and up to 100%"));
        }
        percent.map(|percent| percent / 100.0)
    }
}

#[cfg(test)]
mod tests {
    use super::HoldIf;

    #[test]
    fn a_rollout_is_held_by_its_part_of_failures() {
        let rule = HoldIf { failed: 0.05, of: 50 };
        assert!(!rule.is_reached(0) && !rule.is_reached(2) && rule.is_reached(3));
        assert!(HoldIf { failed: 1.0, of: 1 }.is_reached(1));
    }
}
