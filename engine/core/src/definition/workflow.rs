//! The top of a file: what starts a run, how runs of one key meet, what ends them early.

use super::{
    Compiled, ExitRule, Mode, Reentry, Severity, TriggerKind, Workflow,
    compiler::Compiler,
    fields,
    names::Standing,
    problems::{Place, Problems},
    script,
    tree::{self, Tree},
};
use crate::digest;
use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

/// Keys at the top of a file.
pub(super) const TOP_KEYS: [&str; 18] = [
    "name",
    "description",
    "on",
    "key",
    "mode",
    "reentry",
    "limits",
    "priority",
    "rollout",
    "exit_on",
    "vars",
    "timeout",
    "retry",
    "contact",
    "company",
    "deal",
    "conversation",
    "steps",
];
/// Names that a workflow may be bound to at the top.
const BINDINGS: [&str; 4] = ["contact", "company", "deal", "conversation"];
/// Letters of a workflow's name.
const NAME_LETTERS: usize = 100;

/// Compiles a file's text: YAML, or a script whose first lines are its header ([`script::is_script`]). Never panics, whatever the text; hostile text is refused in under a second.
pub fn compile(source: &str, catalogue: &dyn super::Catalogue) -> Compiled {
    let mut problems = Problems::default();
    problems.has_lines(source);
    let scripted = script::is_script(source);
    let header = if scripted { script::header(source, &mut problems) } else { Some(Cow::Borrowed(source)) };
    let Some(tree) = header.and_then(|header| tree::parse(&header, &mut problems)) else {
        return Compiled { workflow: None, problems: problems.finish() };
    };
    let mut compiler = Compiler::new(catalogue, problems);
    let workflow = compiler.workflow(&tree, source, scripted);
    compiler.names.check(&mut compiler.problems);
    let workflow = workflow.filter(|_| !compiler.problems.has_errors());
    let problems = compiler.problems.finish();
    debug_assert!(workflow.is_some() || problems.iter().any(|problem| problem.severity == Severity::Error), "a refusal without a reason");
    Compiled { workflow, problems }
}

impl Compiler<'_> {
    fn workflow(&mut self, tree: &Tree, source: &str, scripted: bool) -> Option<Workflow> {
        let entries = fields::map(&mut self.problems, tree, "workflow")?;
        if scripted && let Some(steps) = tree.get("steps") {
            self.problems.error(&steps.place, "bad_value", "the steps of a script are the script itself; leave `steps` out of its header".into());
        }
        fields::refuse_unknown(&mut self.problems, entries, &TOP_KEYS, "a workflow");
        let name = self.workflow_name(tree);
        let description = tree.get("description").and_then(|tree| fields::text(&mut self.problems, tree, "description")).map(str::to_owned);
        let triggers = tree.get("on").map(|tree| self.triggers(tree)).unwrap_or_default();
        if tree.get("on").is_none() {
            self.problems.hint(&Place::start(), "no_trigger", "without `on` it is started only by hand, by the API or by another workflow".into(), None);
        }
        let key = tree.get("key").and_then(|tree| self.key(tree, true));
        let mode = tree.get("mode").and_then(|tree| self.mode(tree)).unwrap_or_default();
        let reentry = tree.get("reentry").and_then(|tree| self.reentry(tree)).unwrap_or_default();
        // With `each`, a run is about its contact.
        let keyed =
            tree.get("key").is_some() || triggers.iter().any(|trigger| matches!(&trigger.on, TriggerKind::Schedule(schedule) if schedule.each.is_some()));
        for name in ["mode", "reentry"] {
            if let (Some(tree), false) = (tree.get(name), keyed)
                && tree.text().is_some_and(|text| text != "parallel" && text != "always")
            {
                self.problems.warning(&tree.place, "no_effect", format!("`{name}` has no effect without `key`: each run then is about itself"));
            }
        }
        let limits = tree.get("limits").and_then(|tree| self.limits(tree)).unwrap_or_default();
        let priority = tree.get("priority").and_then(|tree| self.priority(tree));
        let rollout = tree.get("rollout").and_then(|tree| self.rollout(tree));
        let vars = tree.get("vars").map(|tree| self.variables(tree, "vars", Standing::Start)).unwrap_or_default();
        let mut bindings = BTreeMap::new();
        for name in BINDINGS {
            if let Some(expression) = tree.get(name).and_then(|tree| self.expression(tree, name, Standing::Start)) {
                bindings.insert(name.to_owned(), expression);
            }
        }
        let timeout = tree.get("timeout").and_then(|tree| fields::span(&mut self.problems, tree, "timeout"));
        if let Some(tree) = tree.get("retry") {
            self.retry = self.retry_policy(tree, None);
        }
        let exit_on = tree.get("exit_on").map(|tree| self.exit_rules(tree)).unwrap_or_default();
        let mut script = None;
        let steps = if scripted {
            script = self.program(source);
            script.is_some().then(super::Block::default)
        } else if let Some(tree) = tree.get("steps") {
            self.block(tree, "steps", None, 0)
        } else {
            self.problems.error(&Place::start(), "missing_field", "a workflow needs `steps`".into());
            None
        };
        let steps = steps?;
        Some(Workflow {
            name: name?,
            description,
            source: Arc::from(source),
            digest: digest::hex(source.as_bytes()),
            triggers,
            key,
            mode,
            reentry,
            limits,
            priority,
            rollout,
            exit_on,
            vars,
            bindings,
            timeout,
            places: super::places::places(&steps),
            steps,
            script,
            outline: std::mem::take(&mut self.outline),
            mentions: std::mem::take(&mut self.validators.mentions),
        })
    }

    fn workflow_name(&mut self, tree: &Tree) -> Option<String> {
        let Some(tree) = tree.get("name") else {
            self.problems.error(&Place::start(), "missing_field", "a workflow needs a `name`, such as welcome-new-lead".into());
            return None;
        };
        let name = fields::text(&mut self.problems, tree, "name")?;
        if is_workflow_name(name) {
            return Some(name.to_owned());
        }
        let kebab: Vec<String> =
            name.to_lowercase().split(|letter: char| !letter.is_ascii_alphanumeric()).filter(|part| !part.is_empty()).map(str::to_owned).collect();
        let near = kebab.join("-");
        let message = format!("the name \"{name}\" must be kebab-case (small letters, digits and single `-`) and {NAME_LETTERS} letters long at the most");
        let message = if near.is_empty() || near.len() > NAME_LETTERS { message } else { format!("{message}: {near}") };
        self.problems.error(&tree.place, "bad_name", message);
        None
    }

    /// What a run, or a limit, is about. With `apart` one text for all is a warning.
    pub(super) fn key(&mut self, tree: &Tree, apart: bool) -> Option<crate::expression::Template> {
        if tree.is_null() || tree.list().is_some() || tree.map().is_some() {
            fields::wrong_type(&mut self.problems, tree, "key", "a text such as \"{{ input.phone }}\"");
            return None;
        }
        let template = self.template(tree, Standing::Key)?;
        if apart && template.as_literal().is_some() {
            let message = "`key` is the same for every run; write an expression in braces, such as \"{{ input.phone }}\"";
            self.problems.warning(&tree.place, "no_effect", message.to_owned());
        }
        Some(template)
    }

    fn mode(&mut self, tree: &Tree) -> Option<Mode> {
        Some(match fields::word(&mut self.problems, tree, "mode", &["parallel", "single", "queued", "restart"])? {
            "single" => Mode::Single,
            "queued" => Mode::Queued,
            "restart" => Mode::Restart,
            _ => Mode::Parallel,
        })
    }

    fn reentry(&mut self, tree: &Tree) -> Option<Reentry> {
        let text = fields::text(&mut self.problems, tree, "reentry")?;
        if let Some(length) = text.strip_prefix("after ") {
            return match super::Span::parse(length) {
                Ok(span) => Some(Reentry::After(span)),
                Err(message) => {
                    self.problems.error(&tree.place, "bad_duration", message);
                    None
                }
            };
        }
        Some(match fields::word(&mut self.problems, tree, "reentry", &["always", "never", "after 30d"])? {
            "never" => Reentry::Never,
            _ => Reentry::Always,
        })
    }

    /// A literal event type; one that nobody declares is a hint.
    pub(super) fn event_type(&mut self, tree: &Tree) -> Option<String> {
        let text = fields::text(&mut self.problems, tree, "event")?;
        if !is_event_type(text) {
            self.problems.error(&tree.place, "bad_event_type", format!("the event type \"{text}\" may hold small letters, digits, `_`, `.` and `-` only"));
            return None;
        }
        self.undeclared_event(text, &tree.place);
        Some(text.to_owned())
    }

    /// An event type that nobody declares is a hint.
    pub(super) fn undeclared_event(&mut self, kind: &str, place: &Place) {
        let known = self.catalogue.event_types();
        if !known.is_empty() && !known.contains(&kind) {
            let near = crate::expression::suggest::nearest(kind, known.iter().copied());
            let did = near.map_or_else(String::new, |near| format!("; did you mean \"{near}\"?"));
            self.problems.hint(place, "unknown_event_type", format!("nobody declares the event type \"{kind}\"{did}"), near);
        }
    }

    fn exit_rules(&mut self, tree: &Tree) -> Vec<ExitRule> {
        let Some(items) = fields::list(&mut self.problems, tree, "exit_on") else { return Vec::new() };
        items.iter().filter_map(|item| self.exit_rule(item)).collect()
    }

    fn exit_rule(&mut self, tree: &Tree) -> Option<ExitRule> {
        let entries = fields::map(&mut self.problems, tree, "exit_on")?;
        fields::refuse_unknown(&mut self.problems, entries, &["event", "match", "if", "compensate"], "an exit_on rule");
        let compensate = tree.get("compensate").and_then(|tree| fields::boolean(&mut self.problems, tree, "compensate")).unwrap_or_default();
        let rule = self.wait_rule(tree, Standing::Exit, Standing::Exiting)?;
        let after = match &rule.matching {
            super::Match::Values(values) => {
                let mut after: Vec<Arc<str>> = values.iter().flat_map(|(_, template)| template.steps()).map(|step| Arc::from(step.as_str())).collect();
                after.sort_unstable();
                after.dedup();
                after
            }
            _ => Vec::new(),
        };
        Some(ExitRule { rule, after, compensate, position: tree.place.clone() })
    }

    /// A map of variables to their values.
    pub(super) fn variables(&mut self, tree: &Tree, name: &str, standing: Standing) -> Vec<(String, crate::expression::Template)> {
        let Some(entries) = fields::map(&mut self.problems, tree, name) else { return Vec::new() };
        let mut out = Vec::with_capacity(entries.len());
        for (key, value) in entries {
            if !is_name(&key.text) {
                let message = format!("\"{}\" is no name of a variable; it needs letters, digits and `_`, and begins with a letter", key.text);
                self.problems.error(&key.place, "bad_name", message);
                continue;
            }
            self.names.add_variable(&key.text, &key.place);
            if let Some(template) = self.template(value, standing) {
                out.push((key.text.clone(), template));
            }
        }
        out
    }
}

/// Kebab-case.
pub(super) fn is_workflow_name(name: &str) -> bool {
    let letters = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    letters && !name.is_empty() && name.len() <= NAME_LETTERS && !name.starts_with('-') && !name.ends_with('-') && !name.contains("--")
}

/// `[a-z0-9_.-]+`
pub(super) fn is_event_type(text: &str) -> bool {
    !text.is_empty() && text.len() <= 200 && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_.-".contains(&byte))
}

/// A name that an expression can use after a point.
pub(super) fn is_name(text: &str) -> bool {
    text.len() <= 100
        && text.starts_with(|letter: char| letter.is_ascii_alphabetic() || letter == '_')
        && !text.starts_with("__")
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
