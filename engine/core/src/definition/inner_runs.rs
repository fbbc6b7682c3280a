//! Steps that hand over: to another workflow (`call`, `start`), to a person (`ask`), to a script.

use super::{Ask, Asked, Mention, MentionKind, Verb, compiler::Compiler, fields, names::Standing, problems::Place, tree::Tree};
use crate::{
    Value,
    expression::Template,
    machine::single_field,
    ports::{Origin, SCRIPT_NAMES},
};

impl Compiler<'_> {
    pub(super) fn call(&mut self, tree: &Tree, name: &Tree, verb: &str, number: usize) -> Option<Verb> {
        let text = fields::text(&mut self.problems, name, verb)?;
        let workflow = if text.contains("{{") {
            self.template(name, Standing::Step(number))
        } else if super::workflow::is_workflow_name(text) {
            self.mention_workflow(text, &name.place);
            Some(Template::literal(Value::String(text.to_owned())))
        } else {
            self.problems.error(&name.place, "bad_name", format!("\"{text}\" is no name of a workflow: they are kebab-case, such as welcome-new-lead"));
            None
        };
        let with = self.input(tree.get("with"), Standing::Step(number));
        Some(Verb::Call { workflow: workflow?, with: with?, waits: verb == "call" })
    }

    /// Notes that the file names another workflow; itself it may always call.
    pub(super) fn mention_workflow(&mut self, name: &str, place: &Place) {
        self.validators.mentions.push(Mention { kind: MentionKind::Workflow, name: name.to_owned(), position: place.clone() });
    }

    pub(super) fn script(&mut self, tree: &Tree, number: usize) -> Option<Verb> {
        let source = fields::text(&mut self.problems, tree, "script")?;
        let Some(scripts) = self.catalogue.scripts() else {
            fields::not_available(&mut self.problems, &tree.place, "script");
            return None;
        };
        let locals = self.names.locals();
        let names: Vec<&str> = SCRIPT_NAMES.into_iter().chain(locals.iter().map(String::as_str)).collect();
        let at = |line, column| Place { line, column, ..tree.place.clone() };
        match scripts.compile_step(source, Origin { line: tree.place.line, column: tree.place.column }, &names) {
            Ok(step) => {
                for reference in step.references() {
                    self.names.note(&mut self.problems, &reference.path, &at(reference.line, reference.column), Standing::Step(number));
                }
                Some(Verb::Script(step))
            }
            Err(problems) => {
                for problem in problems {
                    self.problems.suggest(&at(problem.line, problem.column), problem.code, problem.message, problem.suggestion.as_deref());
                }
                None
            }
        }
    }

    pub(super) fn ask(&mut self, tree: &Tree, number: usize) -> Option<Verb> {
        let entries = fields::map(&mut self.problems, tree, "ask")?;
        fields::refuse_unknown(&mut self.problems, entries, &["who", "title", "form", "values", "remind_every"], "ask");
        let who = self.required(tree, "who", "ask").and_then(|tree| self.asked(tree, number));
        let title = self.required(tree, "title", "ask").and_then(|tree| {
            fields::text(&mut self.problems, tree, "title")?;
            self.template(tree, Standing::Step(number))
        });
        let form = match tree.get("form") {
            Some(form) => Some(self.answer_schema(form)?),
            None => None,
        };
        if let (Some(Asked::Contact), Some(schema)) = (&who, &form)
            && single_field(schema).is_none()
        {
            let message = "a contact answers with one message, and this form asks for more than one thing: make it one property (or ask in several steps); \
                           as it is, a person must pass on the answer (`onward runs answer`)";
            let place = tree.get("form").map_or(&tree.place, |form| &form.place);
            self.problems.warning(place, "not_answerable", message.to_owned());
        }
        let values = match tree.get("values") {
            Some(values) => Some(self.template(values, Standing::Step(number))?),
            None => None,
        };
        let remind_every = match tree.get("remind_every") {
            Some(tree) => Some(fields::span(&mut self.problems, tree, "remind_every")?),
            None => None,
        };
        Some(Verb::Ask(Ask { who: who?, title: title?, form, values, remind_every }))
    }

    fn asked(&mut self, tree: &Tree, number: usize) -> Option<Asked> {
        if tree.text().is_some() {
            fields::word(&mut self.problems, tree, "who", &["contact"])?;
            return Some(Asked::Contact);
        }
        let entries = fields::map(&mut self.problems, tree, "who")?;
        fields::refuse_unknown(&mut self.problems, entries, &["role", "user"], "who");
        match (tree.get("role"), tree.get("user")) {
            (Some(role), None) => fields::text(&mut self.problems, role, "role").map(|role| Asked::Role(role.to_owned())),
            (None, Some(user)) => {
                fields::text(&mut self.problems, user, "user")?;
                self.template(user, Standing::Step(number)).map(Asked::User)
            }
            _ => {
                self.problems.error(&tree.place, "bad_value", "`who` is contact, { role: NAME } or { user: ID }".into());
                None
            }
        }
    }

    fn answer_schema(&mut self, tree: &Tree) -> Option<Value> {
        if tree.map().is_none() {
            fields::wrong_type(&mut self.problems, tree, "form", "a JSON Schema");
            return None;
        }
        let schema = tree.to_value();
        match jsonschema::validator_for(&schema) {
            Ok(_) => Some(schema),
            Err(error) => {
                let place = &tree.at(&error.instance_path().to_string()).place;
                self.problems.error(place, "bad_schema", format!("this is no JSON Schema: {error}"));
                None
            }
        }
    }
}
