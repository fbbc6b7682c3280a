//! Steps with branches: one of several (`if`, `choose`, `split`), all side by side (`parallel`), and one after a failure
//! (`try`).

use super::{
    Block, Catch, Join, Variant, Verb,
    compiler::Compiler,
    fields,
    names::{Enclosure, EnclosureKind, Standing},
    steps::Above,
    tree::{Key, Node, Tree},
};
use crate::limits;

impl Compiler<'_> {
    pub(super) fn branch(&mut self, tree: &Tree, condition: &Tree, number: usize, below: Above<'_>, depth: usize) -> Option<Verb> {
        let condition = self.condition(condition, Standing::Step(number));
        let then = if let Some(then) = tree.get("then") {
            self.block(then, "then", below, depth + 1)
        } else {
            self.problems.error(&tree.place, "missing_field", "`if` with `else` needs `then`, too".into());
            None
        };
        let otherwise = match tree.get("else") {
            Some(otherwise) => self.block(otherwise, "else", below, depth + 1),
            None => Some(Block::default()),
        };
        Some(Verb::If { condition: condition?, then: then?, otherwise: otherwise? })
    }

    pub(super) fn choose(&mut self, tree: &Tree, number: usize, below: Above<'_>, depth: usize) -> Option<Verb> {
        let items = fields::list(&mut self.problems, tree, "choose")?;
        let mut branches = Vec::new();
        let mut otherwise = Block::default();
        for (index, item) in items.iter().enumerate() {
            let Some(entries) = fields::map(&mut self.problems, item, "choose") else { continue };
            if let Some(block) = item.get("else") {
                fields::refuse_unknown(&mut self.problems, entries, &["else"], "the last branch of choose");
                if index + 1 != items.len() {
                    self.problems.error(&item.place, "bad_value", "`else` must be the last branch: those after it are never reached".into());
                }
                otherwise = self.block(block, "else", below, depth + 1).unwrap_or_default();
                continue;
            }
            fields::refuse_unknown(&mut self.problems, entries, &["if", "steps", "else"], "a branch of choose");
            let condition = self.required(item, "if", "a branch of choose").and_then(|tree| self.condition(tree, Standing::Step(number)));
            let block = self.required(item, "steps", "a branch of choose").and_then(|tree| self.block(tree, "steps", below, depth + 1));
            if let (Some(condition), Some(block)) = (condition, block) {
                branches.push((condition, block));
            }
        }
        if !items.iter().any(|item| item.get("if").is_some()) {
            self.problems.error(&tree.place, "missing_field", "`choose` needs a branch with `if` and `steps`".into());
        }
        Some(Verb::Choose { branches, otherwise })
    }

    pub(super) fn split(&mut self, tree: &Tree, number: usize, below: Above<'_>, depth: usize) -> Option<Verb> {
        let entries = fields::map(&mut self.problems, tree, "split")?;
        fields::refuse_unknown(&mut self.problems, entries, &["variants", "by", "goal"], "split");
        let variants_tree = self.required(tree, "variants", "split")?;
        let named = fields::map(&mut self.problems, variants_tree, "variants")?;
        if named.len() < 2 {
            self.problems.error(&variants_tree.place, "bad_value", "`variants` needs two variants at least".into());
        }
        let mut variants = Vec::with_capacity(named.len());
        for (key, value) in named {
            if let Some(variant) = self.variant(key, value, below, depth) {
                variants.push(variant);
            }
        }
        if variants.len() == named.len() && variants.iter().map(|variant| variant.weight).sum::<f64>() <= 0.0 {
            self.problems.error(&variants_tree.place, "bad_value", "one variant at least must weigh more than 0".into());
        }
        let by = tree.get("by").and_then(|tree| self.template(tree, Standing::Step(number)));
        let goal = tree.get("goal").and_then(|tree| self.goal(tree, number));
        Some(Verb::Split { variants, by, goal })
    }

    fn variant(&mut self, key: &Key, tree: &Tree, below: Above<'_>, depth: usize) -> Option<Variant> {
        if !super::workflow::is_name(&key.text) {
            self.problems.error(&key.place, "bad_name", format!("the variant \"{}\" must be named with letters, digits and `_`", key.text));
        }
        let (weight, steps) = match tree.map() {
            Some(entries) => {
                fields::refuse_unknown(&mut self.problems, entries, &["weight", "steps"], "a variant");
                let weight = self.required(tree, "weight", "a variant")?;
                let steps = match tree.get("steps") {
                    Some(steps) => self.block(steps, "steps", below, depth + 1)?,
                    None => Block::default(),
                };
                (weight, steps)
            }
            None => (tree, Block::default()),
        };
        let weight = fields::number(&mut self.problems, weight, "weight", 0.0, 1_000_000.0)?;
        Some(Variant { name: key.text.clone(), weight, steps })
    }

    pub(super) fn parallel(&mut self, tree: &Tree, named: &Tree, number: usize, below: Above<'_>, depth: usize) -> Option<Verb> {
        let entries = fields::map(&mut self.problems, named, "parallel")?;
        if entries.is_empty() || entries.len() > limits::PARALLEL_BRANCHES {
            let message = format!("`parallel` has one to {} branches; use for_each with max_parallel for more", limits::PARALLEL_BRANCHES);
            self.problems.error(&named.place, "bad_value", message);
        }
        let mut branches = Vec::with_capacity(entries.len());
        for (part, (key, steps)) in entries.iter().enumerate() {
            if !super::workflow::is_name(&key.text) {
                self.problems.error(&key.place, "bad_name", format!("the branch \"{}\" must be named with letters, digits and `_`", key.text));
            }
            self.names.enter(Enclosure { number, part, kind: EnclosureKind::Branch });
            let block = self.block(steps, &key.text, below, depth + 1);
            self.names.leave();
            branches.extend(block.map(|block| (key.text.clone(), block)));
        }
        let join = tree.get("join").map_or(Some(Join::All), |join| self.join(join, entries.len()));
        Some(Verb::Parallel { branches, join: join? })
    }

    fn join(&mut self, tree: &Tree, branches: usize) -> Option<Join> {
        if let Node::Number(_) = &tree.node {
            let most = branches.max(1) as f64;
            let count = fields::number(&mut self.problems, tree, "join", 1.0, most)?;
            if count.fract() != 0.0 {
                self.problems.error(&tree.place, "bad_value", "`join` must be a whole number".into());
            }
            return Some(if count >= most { Join::All } else { Join::First(count as usize) });
        }
        fields::word(&mut self.problems, tree, "join", &["all", "any"]).map(|word| if word == "any" { Join::First(1) } else { Join::All })
    }

    /// `try`.
    pub(super) fn attempt(&mut self, tree: &Tree, steps: &Tree, number: usize, below: Above<'_>, depth: usize) -> Option<Verb> {
        let block = self.block(steps, "try", below, depth + 1);
        if tree.get("catch").is_none() && tree.get("finally").is_none() {
            self.problems.error(&tree.place, "missing_field", "`try` needs `catch` or `finally`".into());
        }
        let mut catch = Vec::new();
        if let Some(clauses) = tree.get("catch") {
            let items = fields::list(&mut self.problems, clauses, "catch")?;
            if items.is_empty() {
                self.problems.error(&clauses.place, "bad_value", "`catch` has no clause".into());
            }
            for (index, item) in items.iter().enumerate() {
                self.names.enter(Enclosure { number, part: index + 1, kind: EnclosureKind::Catch });
                let clause = self.clause(item, below, depth, index + 1 == items.len());
                self.names.leave();
                catch.extend(clause);
            }
        }
        let finally = match tree.get("finally") {
            Some(steps) => Some(self.block(steps, "finally", below, depth + 1)?),
            None => None,
        };
        Some(Verb::Try { steps: block?, catch, finally })
    }

    fn clause(&mut self, tree: &Tree, below: Above<'_>, depth: usize, is_last: bool) -> Option<Catch> {
        let entries = fields::map(&mut self.problems, tree, "catch")?;
        fields::refuse_unknown(&mut self.problems, entries, &["on", "steps"], "a clause of catch");
        let on = match tree.get("on") {
            Some(tree) => self.codes(tree)?,
            None => Vec::new(),
        };
        if on.is_empty() && !is_last {
            self.problems.error(
                &tree.place,
                "unreachable_step",
                "this clause takes every error, so those after it are never reached; give it `on`, or move it to the end".into(),
            );
        }
        let steps = self.required(tree, "steps", "a clause of catch")?;
        Some(Catch { on, steps: self.block(steps, "steps", below, depth + 1)? })
    }
}
