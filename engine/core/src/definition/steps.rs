//! Steps: one verb each, and what is common to all.

use super::{
    Block, Compensation, OutlineStep, RetryPolicy, Step, Verb,
    compiler::Compiler,
    fields,
    names::{KnownStep, Standing},
    tree::{Key, Node, Tree},
};
use crate::{Value, expression::Template, limits, ports::Effect};
use std::sync::Arc;

/// The verbs, and the keys that each may have besides the common ones; the first is the verb itself.
pub(super) const VERBS: [(&str, &[&str]); 17] = [
    ("do", &["do", "with", "compensate"]),
    ("if", &["then", "else"]),
    ("choose", &["choose"]),
    ("split", &["split"]),
    ("delay", &["delay"]),
    ("wait_for", &["wait_for"]),
    ("parallel", &["parallel", "join"]),
    ("for_each", &["for_each", "as", "max_parallel", "on_item_error", "steps"]),
    ("repeat", &["repeat"]),
    ("call", &["call", "with"]),
    ("start", &["start", "with"]),
    ("script", &["script"]),
    ("try", &["try", "catch", "finally"]),
    ("ask", &["ask"]),
    ("set", &["set"]),
    ("emit", &["emit", "with"]),
    ("stop", &["stop"]),
];
/// Keys of every step.
pub(super) const COMMON: [&str; 6] = ["id", "name", "if", "retry", "timeout", "on_error"];

/// Where a block of steps hangs: the key of the nearest step above that has an id.
pub(super) type Above<'k> = Option<&'k str>;

impl Compiler<'_> {
    /// A list of steps; `None` when it is no list.
    pub(super) fn block(&mut self, tree: &Tree, name: &str, above: Above<'_>, depth: usize) -> Option<Block> {
        let items = fields::list(&mut self.problems, tree, name)?;
        if items.is_empty() {
            self.problems.error(&tree.place, "bad_value", format!("`{name}` has no steps"));
        }
        let mut steps = Vec::with_capacity(items.len());
        let mut ended = false;
        for item in items {
            if ended {
                self.problems.error(&item.place, "unreachable_step", "this step is never reached: the run has ended before it".into());
                ended = false;
            }
            if self.steps >= limits::DEFINITION_STEPS {
                if self.steps == limits::DEFINITION_STEPS {
                    self.problems.error(&item.place, "too_large", format!("a workflow has {} steps at the most", limits::DEFINITION_STEPS));
                    self.steps += 1;
                }
                return None;
            }
            if let Some(step) = self.step(item, above, depth) {
                ended |= ends(&step);
                steps.push(step);
            }
        }
        Some(Block { steps })
    }

    fn step(&mut self, tree: &Tree, above: Above<'_>, depth: usize) -> Option<Step> {
        let number = self.steps;
        self.steps += 1;
        let Some(entries) = tree.map() else {
            self.problems.error(&tree.place, "wrong_type", format!("a step is a map with a verb, such as `do: NODE`, not {}", tree.kind()));
            return None;
        };
        let Some((verb, verb_key)) = self.verb(tree, entries) else {
            // Whoever names this step has made no mistake of his own.
            if let Some(id) = tree.get("id").and_then(|tree| self.id(tree)) {
                self.names.add_step(&id, KnownStep { number, fields: None });
            }
            return None;
        };
        let own = VERBS.iter().find(|(name, _)| *name == verb).map_or(&[][..], |(_, own)| *own);
        let known: Vec<&str> = own.iter().copied().chain(COMMON).collect();
        fields::refuse_unknown(&mut self.problems, entries, &known, &format!("a {verb} step"));

        let id = tree.get("id").and_then(|tree| self.id(tree));
        let node = if verb == "do" { verb_key.1.text().unwrap_or_default() } else { "" };
        let key = self.step_key(id.as_deref(), above, verb, node);
        let name = tree.get("name").and_then(|tree| fields::text(&mut self.problems, tree, "name")).map(str::to_owned);
        let guard = if verb == "if" { None } else { tree.get("if").and_then(|tree| self.condition(tree, Standing::Step(number))) };
        let timeout = tree.get("timeout").and_then(|tree| self.timeout(tree, verb, number));
        let continue_on_error = tree
            .get("on_error")
            .and_then(|tree| fields::word(&mut self.problems, tree, "on_error", &["fail", "continue"]))
            .is_some_and(|word| word == "continue");
        if verb != "do"
            && let Some(retry) = tree.get("retry")
        {
            self.problems.warning(&retry.place, "no_effect", format!("`retry` has no effect on {verb}; only `do` is tried again"));
        }
        let title = name.clone().unwrap_or_else(|| if node.is_empty() { verb.to_owned() } else { format!("{verb} {node}") });
        self.outline.push(OutlineStep { key: key.clone(), title, depth, position: tree.place.clone() });
        self.names.add_step(&key, KnownStep { number, fields: self.output_fields(verb, node, &verb_key.1) });

        let below = if id.is_some() { Some(&*key) } else { above };
        let verb = match verb {
            "do" => self.run_node(tree, &verb_key.1, number),
            "if" => self.branch(tree, &verb_key.1, number, below, depth),
            "choose" => self.choose(&verb_key.1, number, below, depth),
            "split" => self.split(&verb_key.1, number, below, depth),
            "delay" => self.delay(&verb_key.1, number),
            "wait_for" => self.wait_for(&verb_key.1, number),
            "set" => self.set(&verb_key.1, number),
            "parallel" => self.parallel(tree, &verb_key.1, number, below, depth),
            "for_each" => self.for_each(tree, &verb_key.1, number, below, depth),
            "repeat" => self.repeat(&verb_key.1, number, below, depth),
            "call" | "start" => self.call(tree, &verb_key.1, verb, number),
            "script" => self.script(&verb_key.1, number),
            "try" => self.attempt(tree, &verb_key.1, number, below, depth),
            "ask" => self.ask(&verb_key.1, number),
            "emit" => self.emit(tree, &verb_key.1, number),
            _ => self.stop(&verb_key.1, number),
        }?;
        Some(Step { key, named: id.is_some(), name, guard, timeout, continue_on_error, position: tree.place.clone(), verb })
    }

    /// The one verb of a step, and its entry.
    fn verb<'t>(&mut self, tree: &Tree, entries: &'t [(Key, Tree)]) -> Option<(&'static str, &'t (Key, Tree))> {
        let branches = entries.iter().any(|(key, _)| key.text == "then" || key.text == "else");
        let mut found: Vec<(&'static str, &(Key, Tree))> = Vec::new();
        for entry in entries {
            let name = entry.0.text.as_str();
            // `if` is the verb where there is a branch, and a guard elsewhere.
            if let Some((verb, _)) = VERBS.iter().find(|(verb, _)| *verb == name && (name != "if" || branches)) {
                found.push((verb, entry));
            }
        }
        match found.as_slice() {
            [one] => Some(*one),
            [] => {
                self.no_verb(tree, entries, branches);
                None
            }
            [first, second, ..] => {
                let message = format!("a step has one verb, not both `{}` and `{}`; begin a new step with `- `", first.0, second.0);
                self.problems.error(&second.1.0.place, "two_verbs", message);
                None
            }
        }
    }

    fn no_verb(&mut self, tree: &Tree, entries: &[(Key, Tree)], branches: bool) {
        if branches {
            self.problems.error(&tree.place, "missing_field", "`then` and `else` need an `if`".into());
            return;
        }
        if let [(key, _)] = entries
            && key.text == "if"
        {
            self.problems.error(&tree.place, "missing_field", "`if` needs `then:` with steps, or a verb that it guards".into());
            return;
        }
        let verbs = VERBS.iter().map(|(verb, _)| *verb);
        let stranger = entries.iter().find(|(key, _)| !COMMON.contains(&key.text.as_str()) && key.text != "with");
        if let Some((key, _)) = stranger {
            self.problems.wrong_name(&key.place, "unknown_verb", &format!("there is no verb \"{}\"", key.text), &key.text, verbs);
        } else {
            let verbs: Vec<&str> = verbs.collect();
            self.problems.error(&tree.place, "missing_field", format!("a step needs a verb: one of {}", verbs.join(", ")));
        }
    }

    fn id(&mut self, tree: &Tree) -> Option<String> {
        let id = fields::text(&mut self.problems, tree, "id")?;
        let snake = id.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
        if !snake || !super::workflow::is_name(id) {
            let near: String = id.to_lowercase().chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '_' }).collect();
            let near = near.trim_matches('_');
            let hint = if super::workflow::is_name(near) { format!(": {near}") } else { String::new() };
            self.problems.error(&tree.place, "bad_name", format!("the id \"{id}\" must be snake_case (small letters, digits and `_`){hint}"));
            return None;
        }
        if let Some(line) = self.ids.insert(id.to_owned(), tree.place.line) {
            self.problems.error(&tree.place, "duplicate_id", format!("the id \"{id}\" is given twice; it is already on line {line}"));
        }
        Some(id.to_owned())
    }

    /// The id; without one `ANCESTOR/VERB:NODE:N`: the nearest ancestor with an id, the verb, the node of a `do`, and the
    /// ordinal among the steps without id that agree in all of these (SEMANTICS.md 28). So an edit elsewhere in the file,
    /// or a step of another kind put before it, does not change it.
    fn step_key(&mut self, id: Option<&str>, above: Above<'_>, verb: &str, node: &str) -> Arc<str> {
        if let Some(id) = id {
            return Arc::from(id);
        }
        let likeness = match (above, node) {
            (None, "") => verb.to_owned(),
            (None, node) => format!("{verb}:{node}"),
            (Some(above), "") => format!("{above}/{verb}"),
            (Some(above), node) => format!("{above}/{verb}:{node}"),
        };
        let ordinal = self.ordinals.entry(likeness.clone()).or_default();
        *ordinal += 1;
        Arc::from(format!("{likeness}:{ordinal}"))
    }

    /// What the output of such a step has, when that is fixed.
    fn output_fields(&self, verb: &str, node: &str, value: &Tree) -> Option<Vec<String>> {
        let fields: &[&str] = match verb {
            "parallel" => return value.map().map(|branches| branches.iter().map(|(key, _)| key.text.clone()).collect()),
            "repeat" => &["iterations"],
            "start" => &["run_id"],
            "ask" => &["answer", "by", "at", "timed_out"],
            "if" | "choose" => &["taken"],
            "split" => &["variant"],
            "delay" => &["due", "fired"],
            "emit" => &["event_id"],
            "do" => {
                let output = &self.catalogue.node(node)?.output;
                let closed = output.get("additionalProperties") == Some(&Value::Bool(false));
                let properties = output.get("properties").and_then(Value::as_object).filter(|_| closed)?;
                return Some(properties.keys().cloned().collect());
            }
            _ => return None,
        };
        Some(fields.iter().map(|field| (*field).to_owned()).collect())
    }

    fn timeout(&mut self, tree: &Tree, verb: &str, number: usize) -> Option<super::SpanTemplate> {
        if !matches!(verb, "do" | "wait_for" | "ask") {
            self.problems.warning(&tree.place, "no_effect", format!("`timeout` has no effect on {verb}; it bounds `do`, `wait_for` and `ask`"));
        }
        let length = match tree.map() {
            Some(entries) => {
                fields::refuse_unknown(&mut self.problems, entries, &["for", "counting"], "timeout");
                let length = tree.get("for").or_else(|| {
                    self.problems.error(&tree.place, "missing_field", "a timeout needs `for`".into());
                    None
                })?;
                return self.counted_length(tree, length, "timeout", number);
            }
            None => tree,
        };
        self.length(length, "timeout", number)
    }

    /// A length of time and, beside it, what of it counts.
    pub(super) fn counted_length(&mut self, around: &Tree, length: &Tree, name: &str, number: usize) -> Option<super::SpanTemplate> {
        let template = self.length(length, name, number)?;
        let Some(counting) = around.get("counting") else { return Some(template) };
        fields::word(&mut self.problems, counting, "counting", &["business_hours"])?;
        if matches!(&template, super::SpanTemplate::Fixed(span) if span.fixed_millis().is_none()) {
            self.problems.error(&length.place, "bad_duration", "months and calendar days have no open time; count in hours, such as 8h".into());
            return None;
        }
        Some(super::SpanTemplate::OpenTime(Box::new(template)))
    }

    /// A length of time, known now or rendered.
    pub(super) fn length(&mut self, tree: &Tree, name: &str, number: usize) -> Option<super::SpanTemplate> {
        let mut template = None;
        let is_template = tree.text().is_some_and(|text| text.contains("{{") || text.contains("{%"));
        if is_template {
            template = self.template(tree, Standing::Step(number));
        }
        fields::span_template(&mut self.problems, tree, name, |_, _| template)
    }

    fn run_node(&mut self, tree: &Tree, name: &Tree, number: usize) -> Option<Verb> {
        let called = self.node_call(tree, name, Standing::Step(number));
        let compensate = tree.get("compensate").map(|tree| self.compensation(tree, number));
        let (node, with, effect, binds) = called?;
        let default = self.retry.clone().unwrap_or_else(|| RetryPolicy::of(effect));
        let retry = match tree.get("retry") {
            Some(tree) => self.retry_policy(tree, Some(default))?,
            None => default,
        };
        let compensate = match compensate {
            Some(compensate) => Some(compensate?),
            None => None,
        };
        Some(Verb::Do { node, with, retry, effect, binds, compensate })
    }

    /// A node, its input, its effect, and what it binds.
    fn node_call(&mut self, tree: &Tree, name: &Tree, standing: Standing) -> Option<(String, Template, Effect, Option<String>)> {
        let node = fields::text(&mut self.problems, name, "do")?;
        let Some(descriptor) = self.catalogue.node(node) else {
            let known = self.catalogue.node_ids();
            self.problems.wrong_name(&name.place, "unknown_node", &format!("there is no node \"{node}\""), node, known);
            // Its input cannot be checked, but its expressions can.
            if let Some(with) = tree.get("with") {
                self.template(with, standing);
            }
            return None;
        };
        let (effect, binds, schema) = (descriptor.effect, descriptor.binds.clone(), descriptor.input.clone());
        let with = self.input(tree.get("with"), standing)?;
        let empty = Tree { node: Node::Map(Vec::new()), place: name.place.clone() };
        let given = tree.get("with").filter(|tree| !tree.is_null()).unwrap_or(&empty);
        self.validators.check(&mut self.problems, node, &schema, given);
        Some((node.to_owned(), with, effect, binds))
    }

    fn compensation(&mut self, tree: &Tree, number: usize) -> Option<Compensation> {
        let entries = fields::map(&mut self.problems, tree, "compensate")?;
        fields::refuse_unknown(&mut self.problems, entries, &["do", "with", "retry"], "compensate");
        let name = self.required(tree, "do", "compensate")?;
        let (node, with, effect, _) = self.node_call(tree, name, Standing::Undoing(number))?;
        let default = RetryPolicy::of(effect);
        let retry = match tree.get("retry") {
            Some(tree) => self.retry_policy(tree, Some(default))?,
            None => default,
        };
        Some(Compensation { node, with, retry, effect })
    }

    /// `with`: a map, one expression that gives a map, or nothing.
    pub(super) fn input(&mut self, with: Option<&Tree>, standing: Standing) -> Option<Template> {
        let Some(with) = with.filter(|tree| !tree.is_null()) else { return Some(Template::literal(Value::Object(crate::Object::new()))) };
        let expression = with.text().is_some_and(|text| text.trim_start().starts_with("{{"));
        if with.map().is_none() && !expression {
            fields::wrong_type(&mut self.problems, with, "with", "a map");
            return None;
        }
        self.template(with, standing)
    }

    /// The value of a key that must be there.
    pub(super) fn required<'t>(&mut self, tree: &'t Tree, key: &str, what: &str) -> Option<&'t Tree> {
        let found = tree.get(key);
        if found.is_none() {
            self.problems.error(&tree.place, "missing_field", format!("{what} needs `{key}`"));
        }
        found
    }

    fn set(&mut self, tree: &Tree, number: usize) -> Option<Verb> {
        let entries = fields::map(&mut self.problems, tree, "set")?;
        if entries.is_empty() {
            self.problems.error(&tree.place, "bad_value", "`set` gives no variable a value".into());
        }
        Some(Verb::Set(self.variables(tree, "set", Standing::Step(number))))
    }

    fn emit(&mut self, tree: &Tree, event: &Tree, number: usize) -> Option<Verb> {
        let text = fields::text(&mut self.problems, event, "emit")?;
        let event = if text.contains("{{") {
            self.template(event, Standing::Step(number))?
        } else if super::workflow::is_event_type(text) {
            Template::literal(Value::String(text.to_owned()))
        } else {
            let message = format!("the event type \"{text}\" may hold small letters, digits, `_`, `.` and `-` only");
            self.problems.error(&event.place, "bad_event_type", message);
            return None;
        };
        Some(Verb::Emit { event, with: self.input(tree.get("with"), Standing::Step(number))? })
    }

    fn stop(&mut self, tree: &Tree, number: usize) -> Option<Verb> {
        if tree.is_null() {
            return Some(Verb::Stop { failed: false, reason: None, output: None });
        }
        let entries = fields::map(&mut self.problems, tree, "stop")?;
        fields::refuse_unknown(&mut self.problems, entries, &["status", "reason", "output"], "stop");
        let failed =
            tree.get("status").and_then(|tree| fields::word(&mut self.problems, tree, "status", &["completed", "failed"])).is_some_and(|word| word == "failed");
        let reason = tree.get("reason").and_then(|tree| {
            fields::text(&mut self.problems, tree, "reason")?;
            self.template(tree, Standing::Step(number))
        });
        let output = tree.get("output").and_then(|tree| self.template(tree, Standing::Step(number)));
        Some(Verb::Stop { failed, reason, output })
    }
}

/// Whether nothing can come after the step.
fn ends(step: &Step) -> bool {
    fn block_ends(block: &Block) -> bool {
        block.steps.iter().any(ends)
    }
    let ended = match &step.verb {
        Verb::Stop { .. } => true,
        Verb::If { then, otherwise, .. } => block_ends(then) && block_ends(otherwise),
        Verb::Choose { branches, otherwise } => branches.iter().all(|(_, block)| block_ends(block)) && block_ends(otherwise),
        Verb::Try { steps, catch, finally } => {
            finally.as_ref().is_some_and(block_ends) || (block_ends(steps) && catch.iter().all(|clause| block_ends(&clause.steps)))
        }
        Verb::Split { variants, .. } => !variants.is_empty() && variants.iter().all(|variant| block_ends(&variant.steps)),
        _ => false,
    };
    ended && step.guard.is_none()
}
