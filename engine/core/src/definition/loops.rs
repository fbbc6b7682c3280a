//! Loops: `for_each` and `repeat`.

use super::{
    Block, ForEach, Repeat, Verb,
    compiler::Compiler,
    fields,
    names::{Enclosure, EnclosureKind, Standing},
    steps::Above,
    tree::{Node, Tree},
};
use crate::limits;
use std::sync::Arc;

/// Names that an item cannot have: they mean something already.
const TAKEN: [&str; 15] =
    ["event", "input", "vars", "steps", "run", "now", "loop", "error", "incoming", "contact", "company", "deal", "conversation", "org", "secrets"];

impl Compiler<'_> {
    pub(super) fn for_each(&mut self, tree: &Tree, list: &Tree, number: usize, below: Above<'_>, depth: usize) -> Option<Verb> {
        let items = match &list.node {
            Node::List(_) => self.template(list, Standing::Step(number)),
            Node::Text { text, .. } if text.contains("{{") => self.template(list, Standing::Step(number)),
            _ => {
                fields::wrong_type(&mut self.problems, list, "for_each", "a list, or an expression that gives one, such as \"{{ input.items }}\"");
                None
            }
        };
        let name = match tree.get("as") {
            Some(tree) => self.item_name(tree)?,
            None => "item".into(),
        };
        let max_parallel = match tree.get("max_parallel") {
            Some(tree) => self.whole(tree, "max_parallel", 1.0, limits::PARALLEL_ITEMS as f64)? as usize,
            None => 1,
        };
        let on_item_error = tree.get("on_item_error").and_then(|tree| fields::word(&mut self.problems, tree, "on_item_error", &["fail", "continue"]));
        let kind = EnclosureKind::Loop(Some(name.to_string()));
        let steps = self.required(tree, "steps", "for_each").and_then(|steps| self.pass(steps, kind, number, below, depth, |_| ()));
        Some(Verb::ForEach(ForEach { items: items?, name, max_parallel, continue_on_item_error: on_item_error == Some("continue"), steps: steps?.0 }))
    }

    pub(super) fn repeat(&mut self, tree: &Tree, number: usize, below: Above<'_>, depth: usize) -> Option<Verb> {
        let entries = fields::map(&mut self.problems, tree, "repeat")?;
        fields::refuse_unknown(&mut self.problems, entries, &["while", "until", "times", "max", "steps"], "repeat");
        let bounds: Vec<&str> = ["while", "until", "times"].into_iter().filter(|key| tree.get(key).is_some()).collect();
        if bounds.is_empty() {
            self.problems.error(&tree.place, "missing_field", "`repeat` needs `while`, `until` or `times`; it would never end".into());
        }
        let times = match tree.get("times") {
            Some(times) if times.text().is_some_and(|text| text.contains("{{")) => Some(self.template(times, Standing::Step(number))?),
            Some(times) => {
                self.whole(times, "times", 0.0, limits::LOOP_PASSES as f64)?;
                Some(self.template(times, Standing::Step(number))?)
            }
            None => None,
        };
        let max = match tree.get("max") {
            Some(tree) => self.whole(tree, "max", 1.0, limits::LOOP_PASSES as f64)? as u64,
            None => limits::LOOP_PASSES_DEFAULT,
        };
        let standing = Standing::Pass(number);
        let steps = self.required(tree, "steps", "repeat")?;
        // The conditions see the steps of a pass.
        let (steps, (condition, until)) = self.pass(steps, EnclosureKind::Loop(None), number, below, depth, |this| {
            let condition = tree.get("while").map(|tree| this.condition(tree, standing));
            (condition, tree.get("until").map(|tree| this.condition(tree, standing)))
        })?;
        let condition = condition.map_or(Some(None), |condition| condition.map(Some))?;
        let until = until.map_or(Some(None), |until| until.map(Some))?;
        Some(Verb::Repeat(Repeat { condition, until, times, max, steps }))
    }

    /// The steps of a pass, and what else is read where they are seen.
    fn pass<T>(
        &mut self,
        steps: &Tree,
        kind: EnclosureKind,
        number: usize,
        below: Above<'_>,
        depth: usize,
        also: impl FnOnce(&mut Self) -> T,
    ) -> Option<(Block, T)> {
        self.names.enter(Enclosure { number, part: 0, kind });
        let block = self.block(steps, "steps", below, depth + 1);
        let also = also(self);
        self.names.leave();
        Some((block?, also))
    }

    fn item_name(&mut self, tree: &Tree) -> Option<Arc<str>> {
        let name = fields::text(&mut self.problems, tree, "as")?;
        if !super::workflow::is_name(name) {
            self.problems.error(&tree.place, "bad_name", format!("\"{name}\" is no name; it needs letters, digits and `_`, and begins with a letter"));
            return None;
        }
        if TAKEN.contains(&name) || self.names.is_local(name) {
            self.problems.error(&tree.place, "bad_name", format!("\"{name}\" means something else here; choose another name for the item"));
            return None;
        }
        Some(name.into())
    }

    fn whole(&mut self, tree: &Tree, name: &str, least: f64, most: f64) -> Option<f64> {
        let number = fields::number(&mut self.problems, tree, name, least, most)?;
        if number.fract() != 0.0 {
            self.problems.error(&tree.place, "bad_value", format!("`{name}` must be a whole number"));
            return None;
        }
        Some(number)
    }
}
