//! `rollout`: a new version for a part of the keys first (LANGUAGE.md, "Flow control").

use super::{compiler::Compiler, fields, tree::Tree};
use crate::digest;

/// Ended runs that may be asked for.
const MOST_RUNS: f64 = 1_000_000.0;

/// `rollout`: which starts a new version takes while it is on trial, and what ends the trial badly.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rollout {
    /// The part of the keys whose starts the new version takes, above 0 and below 1.
    pub share: f64,
    /// When its starts are taken back.
    pub hold_if: Option<HoldIf>,
}

/// `hold_if`: too many failures among the first runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HoldIf {
    /// A larger part than this, from 0 to 1 …
    pub failed: f64,
    /// … of so many runs, the first that end by themselves.
    pub of: u32,
}

impl Rollout {
    /// Whether the starts of a key are the new version's: always the same answer for the same version and key.
    pub fn takes(&self, workflow: &str, version: u32, key: &str) -> bool {
        digest::fraction(&[b"rollout", workflow.as_bytes(), &version.to_be_bytes(), key.as_bytes()]) < self.share
    }
}

impl HoldIf {
    /// Whether so many failures are too many, whatever becomes of the rest of the runs.
    pub fn is_passed(&self, failed: u32) -> bool {
        f64::from(failed) > self.failed * f64::from(self.of)
    }
}

impl Compiler<'_> {
    pub(super) fn rollout(&mut self, tree: &Tree) -> Option<Rollout> {
        let entries = fields::map(&mut self.problems, tree, "rollout")?;
        fields::refuse_unknown(&mut self.problems, entries, &["share", "hold_if"], "rollout");
        let share_tree = self.required(tree, "share", "rollout");
        let share = share_tree.and_then(|tree| self.percentage(tree, "share"));
        if let (Some(share), Some(tree)) = (share, share_tree)
            && (share <= 0.0 || share >= 1.0)
        {
            self.problems.error(&tree.place, "bad_value", "`share` lies between 0% and 100%; without `rollout` a version takes every start".into());
            return None;
        }
        let hold_if = match tree.get("hold_if") {
            Some(tree) => Some(self.hold_if(tree)?),
            None => None,
        };
        Some(Rollout { share: share?, hold_if })
    }

    fn hold_if(&mut self, tree: &Tree) -> Option<HoldIf> {
        let entries = fields::map(&mut self.problems, tree, "hold_if")?;
        fields::refuse_unknown(&mut self.problems, entries, &["failed", "of"], "hold_if");
        let failed = self.required(tree, "failed", "hold_if").and_then(|tree| self.percentage(tree, "failed"));
        let of = self.required(tree, "of", "hold_if")?;
        let number = fields::number(&mut self.problems, of, "of", 1.0, MOST_RUNS)?;
        if number.fract() != 0.0 {
            self.problems.error(&of.place, "bad_value", "`of` must be a whole number of runs".into());
            return None;
        }
        let hold_if = HoldIf { failed: failed?, of: number as u32 };
        if !hold_if.is_passed(hold_if.of) {
            self.problems.warning(&tree.place, "no_effect", "not even if all of these runs failed would it be held".into());
        }
        Some(hold_if)
    }

    /// `10%` as 0.1.
    fn percentage(&mut self, tree: &Tree, name: &str) -> Option<f64> {
        let number = tree.text().and_then(|text| text.strip_suffix('%')).and_then(|text| text.trim().parse::<f64>().ok());
        let part = number.filter(|number| (0.0..=100.0).contains(number)).map(|number| number / 100.0);
        if part.is_none() {
            self.problems.error(&tree.place, "bad_value", format!("`{name}` must be a percentage such as 10%"));
        }
        part
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::definition::{Compiled, compile, tests::Nodes};

    fn compiled(rollout: &str) -> Compiled {
        let source = format!("name: w\non: [{{ event: a.b }}]\nkey: '{{{{ event.data.k }}}}'\nrollout: {rollout}\nsteps: [{{ delay: 1h }}]\n");
        compile(&source, &Nodes::default())
    }

    #[test]
    fn the_manuals_example_compiles_to_what_it_says() {
        let workflow = compiled("{ share: 10%, hold_if: { failed: 5%, of: 50 } }").workflow.unwrap();
        assert_eq!(workflow.rollout, Some(Rollout { share: 0.1, hold_if: Some(HoldIf { failed: 0.05, of: 50 }) }));
        assert_eq!(compiled("{ share: 0.5% }").workflow.unwrap().rollout, Some(Rollout { share: 0.005, hold_if: None }));
    }

    #[test]
    fn mistakes_are_named() {
        for (wrong, code) in [
            ("10%", "wrong_type"),
            ("{ share: 0.1 }", "bad_value"),
            ("{ share: 100% }", "bad_value"),
            ("{ share: 0% }", "bad_value"),
            ("{ hold_if: { failed: 1%, of: 10 } }", "missing_field"),
            ("{ share: 10%, hold_if: { failed: 200%, of: 10 } }", "bad_value"),
            ("{ share: 10%, hold_if: { failed: 2%, of: 1.5 } }", "bad_value"),
            ("{ share: 10%, hold_if: { failed: 2% } }", "missing_field"),
            ("{ share: 10%, holdif: { failed: 2%, of: 3 } }", "unknown_field"),
        ] {
            let compiled = compiled(wrong);
            assert!(compiled.workflow.is_none() && compiled.problems.iter().any(|problem| problem.code == code), "{wrong}: {:?}", compiled.problems);
        }
        assert!(compiled("{ share: 10%, hold_if: { failed: 100%, of: 3 } }").problems.iter().any(|problem| problem.code == "no_effect"));
    }

    #[test]
    fn a_share_of_the_keys_and_always_the_same_ones() {
        let rollout = Rollout { share: 0.1, hold_if: None };
        let taken: Vec<bool> = (0..10_000).map(|number| rollout.takes("w", 2, &format!("key-{number}"))).collect();
        let count = taken.iter().filter(|taken| **taken).count();
        assert!((850..1_150).contains(&count), "{count}");
        let wider = Rollout { share: 0.5, hold_if: None };
        assert!((0..10_000).all(|number| !taken[number] || wider.takes("w", 2, &format!("key-{number}"))), "a wider share keeps those that it had");
    }

    #[test]
    fn failures_pass_their_share_as_soon_as_nothing_can_change_that() {
        let hold_if = HoldIf { failed: 0.05, of: 50 };
        assert!(!hold_if.is_passed(2) && hold_if.is_passed(3));
        assert!(HoldIf { failed: 0.0, of: 10 }.is_passed(1));
    }
}
