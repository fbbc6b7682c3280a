//! How often and how far apart a `do` is tried.

use super::{RetryPolicy, compiler::Compiler, fields, tree::Tree};
use crate::ErrorCode;

/// Attempts at the most.
const MOST_ATTEMPTS: f64 = 100.0;

impl Compiler<'_> {
    /// Reads `retry`; what it leaves out is the workflow's or the common default.
    pub(super) fn retry_policy(&mut self, tree: &Tree, default: Option<RetryPolicy>) -> Option<RetryPolicy> {
        let entries = fields::map(&mut self.problems, tree, "retry")?;
        fields::refuse_unknown(&mut self.problems, entries, &["max_attempts", "initial", "factor", "max", "jitter", "within", "on"], "retry");
        // A policy that is written down means to retry, also for nodes that are tried once without one.
        let mut policy = match default {
            Some(default) if default.max_attempts > 1 => default,
            _ => RetryPolicy::external(),
        };
        if let Some(tree) = tree.get("max_attempts") {
            let attempts = fields::number(&mut self.problems, tree, "max_attempts", 1.0, MOST_ATTEMPTS)?;
            if attempts.fract() != 0.0 {
                self.problems.error(&tree.place, "bad_value", "`max_attempts` must be a whole number".into());
            }
            policy.max_attempts = attempts as u32;
        }
        if let Some(tree) = tree.get("initial") {
            policy.initial_ms = self.exact(tree, "initial")?;
        }
        if let Some(tree) = tree.get("factor") {
            policy.factor = fields::number(&mut self.problems, tree, "factor", 1.0, 100.0)?;
        }
        match tree.get("max") {
            Some(tree) => {
                policy.max_ms = self.exact(tree, "max")?;
                if policy.max_ms < policy.initial_ms {
                    self.problems.error(&tree.place, "bad_value", "`max` must not be shorter than `initial`".into());
                }
            }
            None => policy.max_ms = policy.max_ms.max(policy.initial_ms),
        }
        if let Some(tree) = tree.get("jitter") {
            policy.jitter = fields::number(&mut self.problems, tree, "jitter", 0.0, 1.0)?;
        }
        if let Some(tree) = tree.get("within") {
            policy.within_ms = Some(self.exact(tree, "within")?);
        }
        if let Some(tree) = tree.get("on") {
            policy.on = self.codes(tree)?;
        }
        Some(policy)
    }

    /// A length of time without calendar units, in milliseconds.
    pub(super) fn exact(&mut self, tree: &Tree, name: &str) -> Option<i64> {
        let span = fields::span(&mut self.problems, tree, name)?;
        let millis = span.fixed_millis();
        if millis.is_none() {
            self.problems.error(&tree.place, "bad_duration", format!("`{name}` must be exact, such as 30s or 2h; months and calendar days vary"));
        }
        millis
    }

    pub(super) fn codes(&mut self, tree: &Tree) -> Option<Vec<ErrorCode>> {
        let mut codes = Vec::new();
        for item in fields::list(&mut self.problems, tree, "on")? {
            let text = fields::text(&mut self.problems, item, "on")?;
            if !ErrorCode::KNOWN.contains(&text) && !text.contains(':') {
                let message = format!("there is no error code \"{text}\"; a provider's own is written CONNECTOR:CODE");
                self.problems.wrong_name(&item.place, "unknown_code", &message, text, ErrorCode::KNOWN.iter().copied());
                continue;
            }
            codes.push(ErrorCode::parse(text));
        }
        Some(codes)
    }
}
