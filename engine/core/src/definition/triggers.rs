//! `on`: what starts a run.

use super::{
    Trigger, TriggerKind,
    compiler::Compiler,
    fields,
    names::Standing,
    problems::Place,
    tree::{Key, Tree},
};
use crate::Value;

/// The sources of a start; a trigger is one of them.
pub(super) const SOURCES: [&str; 4] = ["event", "schedule", "webhook", "manual"];
/// Keys that every trigger may have besides.
const COMMON: [&str; 2] = ["if", "with"];

impl Compiler<'_> {
    pub(super) fn triggers(&mut self, tree: &Tree) -> Vec<Trigger> {
        let Some(items) = fields::list(&mut self.problems, tree, "on") else { return Vec::new() };
        if items.is_empty() {
            self.problems.error(&tree.place, "bad_value", "`on` is empty; leave it out, or name what starts a run".into());
        }
        let triggers: Vec<Trigger> = items.iter().filter_map(|item| self.trigger(item)).collect();
        self.refuse_repeated_paths(&triggers);
        triggers
    }

    fn trigger(&mut self, tree: &Tree) -> Option<Trigger> {
        let entries = fields::map(&mut self.problems, tree, "trigger")?;
        let known: Vec<&str> = SOURCES.into_iter().chain(COMMON).collect();
        fields::refuse_unknown(&mut self.problems, entries, &known, "a trigger");
        let on = self.source(tree, entries);
        let condition = tree.get("if").and_then(|tree| self.condition(tree, Standing::Trigger));
        let with = tree.get("with").and_then(|tree| {
            if tree.map().is_none() && tree.text().is_none() {
                fields::wrong_type(&mut self.problems, tree, "with", "a map");
                return None;
            }
            self.template(tree, Standing::Trigger)
        });
        Some(Trigger { on: on?, condition, with, position: tree.place.clone() })
    }

    /// The one source that a trigger has.
    fn source(&mut self, tree: &Tree, entries: &[(Key, Tree)]) -> Option<TriggerKind> {
        let mut sources = entries.iter().filter(|(key, _)| SOURCES.contains(&key.text.as_str()));
        let Some((key, source)) = sources.next() else {
            // A key that is wrong was told already; most likely it was meant to be the source.
            if entries.iter().all(|(key, _)| COMMON.contains(&key.text.as_str())) {
                let message = "a trigger needs `event: TYPE`, `schedule`, `webhook` or `manual`";
                self.problems.error(&tree.place, "bad_trigger", message.to_owned());
            }
            return None;
        };
        if let Some((_, second)) = sources.next() {
            let message = "a trigger is one of event, schedule, webhook and manual; begin a second item with `- `";
            self.problems.error(&second.place, "bad_trigger", message.to_owned());
            return None;
        }
        Some(match key.text.as_str() {
            "schedule" => TriggerKind::Schedule(Box::new(self.schedule(source)?)),
            "webhook" => TriggerKind::Webhook(self.webhook(source)?),
            "manual" => TriggerKind::Manual { input: self.manual_input(source) },
            _ => TriggerKind::Event(self.event_type(source)?),
        })
    }

    fn manual_input(&mut self, tree: &Tree) -> Option<Value> {
        if tree.is_null() {
            return None;
        }
        let entries = fields::map(&mut self.problems, tree, "manual")?;
        fields::refuse_unknown(&mut self.problems, entries, &["input"], "manual");
        let input = tree.get("input")?;
        if input.map().is_none() {
            fields::wrong_type(&mut self.problems, input, "input", "a JSON Schema");
            return None;
        }
        let schema = input.to_value();
        match jsonschema::validator_for(&schema) {
            Ok(_) => Some(schema),
            Err(error) => {
                let place = &input.at(&error.instance_path().to_string()).place;
                self.problems.error(place, "bad_schema", format!("this is no JSON Schema: {error}"));
                None
            }
        }
    }

    /// An address leads to one trigger.
    fn refuse_repeated_paths(&mut self, triggers: &[Trigger]) {
        let mut seen: Vec<(&str, &Place)> = Vec::new();
        for trigger in triggers {
            let TriggerKind::Webhook(webhook) = &trigger.on else { continue };
            match seen.iter().find(|(path, _)| *path == webhook.path) {
                Some((path, first)) => {
                    let message = format!("the path \"{path}\" is taken by the webhook in line {}; one address leads to one trigger", first.line);
                    self.problems.error(&trigger.position, "duplicate_path", message);
                }
                None => seen.push((&webhook.path, &trigger.position)),
            }
        }
    }
}
