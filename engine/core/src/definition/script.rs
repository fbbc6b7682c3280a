//! Scripts that are whole workflows: a header of `//!` lines in YAML, and a script in the place of the steps.

use super::{
    RetryPolicy, Span, UntilPhrase,
    compiler::Compiler,
    fields,
    names::Standing,
    problems::{Place, Problems},
    tree::{Key, Node, Tree},
    workflow::is_event_type,
};
use crate::{
    Value, limits,
    ports::{Effect, ScriptLiteral, ScriptProblem, ScriptProgram, ScriptShape, ScriptValue},
};
use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

/// What begins a line of the header.
const HEADER: &str = "//!";

/// A script that is a whole workflow.
#[derive(Debug)]
pub struct Script {
    /// The compiled script.
    pub program: Arc<dyn ScriptProgram>,
    /// Every node, as it was known when the script was compiled: a script may name any of them at run time.
    pub nodes: BTreeMap<String, ScriptNode>,
}

/// What a script's run must know of a node.
#[derive(Clone, Debug, PartialEq)]
pub struct ScriptNode {
    /// What its work does to the world.
    pub effect: Effect,
    /// The record that its output becomes when the run has none.
    pub binds: Option<String>,
    /// How often it is tried, how far apart.
    pub retry: RetryPolicy,
}

impl Script {
    /// What must be known of a node. One that this build does not have any more is never called again.
    pub fn node(&self, id: &str) -> &ScriptNode {
        static UNKNOWN: ScriptNode = ScriptNode {
            effect: Effect::AtMostOnce,
            binds: None,
            retry: RetryPolicy { max_attempts: 1, initial_ms: 0, factor: 1.0, max_ms: 0, jitter: 0.0, within_ms: None, on: Vec::new() },
        };
        self.nodes.get(id).unwrap_or(&UNKNOWN)
    }
}

/// Whether a file's text is a script: its first line that is not empty begins with `//!`.
pub(super) fn is_script(source: &str) -> bool {
    source.trim_start_matches('\u{feff}').lines().map(str::trim_start).find(|line| !line.is_empty()).is_some_and(|line| line.starts_with(HEADER))
}

/// The header as YAML; everything stands where it stands in the file.
pub(super) fn header<'s>(source: &'s str, problems: &mut Problems) -> Option<Cow<'s, str>> {
    if source.len() > limits::DEFINITION_BYTES {
        problems.error(&Place::start(), "too_large", format!("the file has {} KiB; {} are the most", source.len() >> 10, limits::DEFINITION_BYTES >> 10));
        return None;
    }
    let mut yaml = String::new();
    for line in source.trim_start_matches('\u{feff}').lines() {
        let indent = line.len() - line.trim_start().len();
        if let Some(text) = line[indent..].strip_prefix(HEADER) {
            // As wide as what it replaces.
            yaml.extend(std::iter::repeat_n(' ', indent + HEADER.len()));
            yaml.push_str(text);
        } else if !line.trim().is_empty() {
            break;
        }
        yaml.push('\n');
    }
    Some(Cow::Owned(yaml))
}

impl Compiler<'_> {
    /// Compiles the script of a file.
    pub(super) fn program(&mut self, source: &str) -> Option<Script> {
        let Some(scripts) = self.catalogue.scripts() else {
            fields::not_available(&mut self.problems, &Place::start(), "script");
            return None;
        };
        let program = match scripts.compile_program(source.trim_start_matches('\u{feff}')) {
            Ok(program) => program,
            Err(problems) => {
                for problem in problems {
                    self.script_problem(problem);
                }
                return None;
            }
        };
        for reference in program.references() {
            let place = Place { line: reference.line, column: reference.column, pointer: String::new() };
            self.names.note(&mut self.problems, &reference.path, &place, Standing::Program);
        }
        let literals = program.literals();
        for literal in literals {
            self.script_literal(literal, literals);
        }
        for input in program.inputs() {
            if let Some(schema) = self.catalogue.node(&input.node).map(|node| node.input.clone()) {
                self.validators.check(&mut self.problems, &input.node, &schema, &tree_of(&input.value));
            }
        }
        let nodes = self.catalogue.node_ids().into_iter().filter_map(|id| self.catalogue.node(id)).map(|node| {
            let retry = self.retry.clone().unwrap_or_else(|| RetryPolicy::of(node.effect));
            (node.id.clone(), ScriptNode { effect: node.effect, binds: node.binds.clone(), retry })
        });
        let nodes = nodes.collect();
        Some(Script { program, nodes })
    }

    fn script_problem(&mut self, problem: ScriptProblem) {
        let place = Place { line: problem.line, column: problem.column, pointer: String::new() };
        self.problems.suggest(&place, problem.code, problem.message, problem.suggestion.as_deref());
    }

    /// A literal text that a durable function is called with.
    fn script_literal(&mut self, literal: &ScriptLiteral, all: &[ScriptLiteral]) {
        let place = Place { line: literal.line, column: literal.column, pointer: String::new() };
        let (index, count) = literal.argument;
        let text = literal.text.as_str();
        match (literal.function.as_str(), index, count) {
            // `step(id, node)` or `step(node, input)`: two texts are an id and a node.
            ("step", 0, 2) if all.iter().any(|other| other.call == literal.call && other.argument.0 == 1) => {}
            ("step", 0, 1 | 2) | ("step", 1, 2 | 3) if self.catalogue.node(text).is_none() => {
                let known = self.catalogue.node_ids();
                self.problems.wrong_name(&place, "unknown_node", &format!("there is no node \"{text}\""), text, known);
            }
            ("sleep", 0, _) | ("wait_for", 2, 3) | ("wait_for", 3, 4) => {
                if let Err(message) = Span::parse(text) {
                    self.problems.error(&place, "bad_duration", message);
                }
            }
            ("sleep_until", 0, _) if text.parse::<crate::Timestamp>().is_err() => {
                if let Err(message) = UntilPhrase::parse(text) {
                    self.problems.error(&place, "bad_time", message);
                }
            }
            ("wait_for", 0, 2 | 3) | ("wait_for", 1, 4) | ("emit", 0, _) if !is_event_type(text) => {
                let message = format!("the event type \"{text}\" may hold small letters, digits, `_`, `.` and `-` only");
                self.problems.error(&place, "bad_event_type", message);
            }
            ("wait_for", 0, 2 | 3) | ("wait_for", 1, 4) => self.undeclared_event(text, &place),
            ("wait_for", 1, 2 | 3) | ("wait_for", 2, 4) if !["any", "contact"].contains(&text) => {
                self.problems.wrong_name(&place, "bad_value", &format!("\"{text}\" is no match; write a map of paths and values"), text, ["any", "contact"]);
            }
            ("call" | "start", 0, _) => self.mention_workflow(text, &place),
            _ => {}
        }
    }
}

/// A script's value as the tree that inputs are checked on: what is computed counts as an expression.
fn tree_of(value: &ScriptValue) -> Tree {
    let place = Place { line: value.line, column: value.column, pointer: String::new() };
    let node = match &value.shape {
        ScriptShape::Literal(literal) => return tree_of_literal(literal, &place),
        ScriptShape::Computed => Node::Text { text: "{{ computed }}".into(), block: false },
        ScriptShape::List(items) => Node::List(items.iter().map(tree_of).collect()),
        ScriptShape::Map(fields) => Node::Map(fields.iter().map(|field| (key_of(&field.name, field.line, field.column), tree_of(&field.value))).collect()),
    };
    Tree { node, place }
}

fn tree_of_literal(value: &Value, place: &Place) -> Tree {
    let node = match value {
        Value::Null => Node::Null,
        Value::Bool(truth) => Node::Bool(*truth),
        Value::Number(number) => Node::Number(number.clone()),
        Value::String(text) => Node::Text { text: text.clone(), block: false },
        Value::Array(items) => Node::List(items.iter().map(|item| tree_of_literal(item, place)).collect()),
        Value::Object(fields) => {
            Node::Map(fields.iter().map(|(name, field)| (key_of(name, place.line, place.column), tree_of_literal(field, place))).collect())
        }
    };
    Tree { node, place: place.clone() }
}

fn key_of(name: &str, line: u32, column: u32) -> Key {
    Key { text: name.to_owned(), place: Place { line, column, pointer: String::new() } }
}
