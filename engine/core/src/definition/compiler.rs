//! The compiler's common part: what every room of it needs while it goes through a file.

use super::{
    Catalogue, OutlineStep, RetryPolicy,
    names::{Names, Standing},
    node_input::Validators,
    problems::Problems,
    tree::{Node, Tree},
};
use crate::expression::{Condition, Expression, ExpressionError, Template};
use std::collections::HashMap;

/// One compilation.
pub(super) struct Compiler<'a> {
    pub(super) catalogue: &'a dyn Catalogue,
    pub(super) problems: Problems,
    pub(super) names: Names,
    pub(super) validators: Validators,
    pub(super) outline: Vec<OutlineStep>,
    /// The workflow's `retry`.
    pub(super) retry: Option<RetryPolicy>,
    /// How many steps were met.
    pub(super) steps: usize,
    /// Ids given so far and their lines.
    pub(super) ids: HashMap<String, u32>,
    /// How many steps without id of one likeness were met below one ancestor.
    pub(super) ordinals: HashMap<String, u32>,
}

impl<'a> Compiler<'a> {
    pub(super) fn new(catalogue: &'a dyn Catalogue, problems: Problems) -> Self {
        Self {
            catalogue,
            problems,
            names: Names::default(),
            validators: Validators::default(),
            outline: Vec::new(),
            retry: None,
            steps: 0,
            ids: HashMap::new(),
            ordinals: HashMap::new(),
        }
    }

    /// A value with templates in it.
    pub(super) fn template(&mut self, tree: &Tree, standing: Standing) -> Option<Template> {
        let template = match Template::compile_located(&tree.to_value()) {
            Ok(template) => template,
            Err((pointer, error)) => {
                self.expression_error(tree.at(&pointer), &error);
                return None;
            }
        };
        let (names, problems) = (&mut self.names, &mut self.problems);
        template.each_path(&mut |pointer, path| names.note(problems, path, &tree.at(pointer).place, standing));
        Some(template)
    }

    /// A condition.
    pub(super) fn condition(&mut self, tree: &Tree, standing: Standing) -> Option<Condition> {
        match Condition::compile(&tree.to_value()) {
            Ok(condition) => {
                for path in condition.paths() {
                    self.names.note(&mut self.problems, path, &tree.place, standing);
                }
                Some(condition)
            }
            Err(error) => {
                let code = if matches!(tree.node, Node::Text { .. } | Node::Map(_)) { "bad_expression" } else { "wrong_type" };
                self.expression_problem(tree, &error, code);
                None
            }
        }
    }

    /// A bare expression; as one whole `{{ … }}` it is taken too.
    pub(super) fn expression(&mut self, tree: &Tree, name: &str, standing: Standing) -> Option<Expression> {
        let text = super::fields::text(&mut self.problems, tree, name)?.trim();
        let bare = text.strip_prefix("{{").and_then(|text| text.strip_suffix("}}")).unwrap_or(text);
        match Expression::compile(bare) {
            Ok(expression) => {
                for path in expression.paths() {
                    self.names.note(&mut self.problems, path, &tree.place, standing);
                }
                Some(expression)
            }
            Err(error) => {
                self.expression_error(tree, &error);
                None
            }
        }
    }

    fn expression_error(&mut self, tree: &Tree, error: &ExpressionError) {
        self.expression_problem(tree, error, "bad_expression");
    }

    fn expression_problem(&mut self, tree: &Tree, error: &ExpressionError, code: &str) {
        let mut place = tree.place.clone();
        if let (Node::Text { block: true, .. }, Some(line)) = (&tree.node, error.line)
            && line > 1
        {
            place.line += line - 1;
            place.column = 1;
        }
        // A message that quotes something names the place already.
        let near = error.text.as_deref().filter(|text| !error.message.contains(['`', '"']) && !text.contains('\n'));
        let message = near.map_or_else(|| error.message.clone(), |text| format!("{} (at `{text}`)", error.message));
        self.problems.error(&place, code, message);
    }
}
