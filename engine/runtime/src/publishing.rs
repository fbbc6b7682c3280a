//! From a file's text to a version: compiled, held against what the organisation has, published.

use crate::{EngineError, EngineHandle, PublishedWorkflow, message::Item};
use onward_core::{
    OrganisationId,
    definition::{Compiled, Mention, MentionKind, Problem, Severity, Workflow, compile},
    expression::suggest,
    ports::{Presence, Store, WriteError},
};
use std::{
    collections::{BTreeMap, btree_map::Entry},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

impl<S: Store> EngineHandle<S> {
    /// Compiles a definition as this engine would. Never panics.
    pub fn compile(&self, source: &str) -> Compiled {
        let internal = |_| {
            let problem = Problem {
                severity: Severity::Error,
                code: "internal".into(),
                message: "the compiler panicked on this file; report it as a bug".into(),
                line: 1,
                column: 1,
                pointer: String::new(),
                suggestion: None,
            };
            Compiled { workflow: None, problems: vec![problem] }
        };
        catch_unwind(AssertUnwindSafe(|| compile(source, &self.shared.nodes))).unwrap_or_else(internal)
    }

    fn program(&self, source: &str) -> (Option<Arc<Workflow>>, Vec<Problem>) {
        #[cfg(test)]
        if let program @ (Some(_), _) = crate::simulation::compiled::compiled_once(source, &self.shared.nodes) {
            return program;
        }
        let Compiled { workflow, problems } = self.compile(source);
        (workflow.map(Arc::new), problems)
    }

    /// Publishes a version: from its answer on, the next event starts it. With `name`, the file must be of that workflow.
    /// A file that names what the organisation does not have is refused.
    pub async fn publish(&self, organisation: OrganisationId, name: Option<&str>, source: &str) -> Result<PublishedWorkflow, EngineError> {
        let (workflow, mut problems) = self.program(source);
        let Some(workflow) = workflow else { return Err(EngineError::Invalid { problems }) };
        if let Some(name) = name.filter(|name| *name != workflow.name) {
            return Err(EngineError::InvalidInput(format!(
                "the file's `name` is {:?}, but it is to be published as {name:?}; make them the same",
                workflow.name
            )));
        }
        let missing = self.missing(organisation, &workflow, Severity::Error).await?;
        if !missing.is_empty() {
            problems.extend(missing);
            return Err(EngineError::Invalid { problems });
        }
        let version = self.ask(|reply| Item::Publish { organisation, workflow, reply }).await?;
        Ok(PublishedWorkflow { version, problems })
    }

    /// What a definition names and the organisation does not have, in file order: an error when it is published, a warning
    /// before, since it may come to be.
    pub async fn missing(&self, organisation: OrganisationId, workflow: &Workflow, severity: Severity) -> Result<Vec<Problem>, EngineError> {
        let mut asked: BTreeMap<(MentionKind, &str), Presence> = BTreeMap::new();
        let mut problems = Vec::new();
        for mention in &workflow.mentions {
            let key = (mention.kind, mention.name.as_str());
            let presence = match asked.entry(key) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(place) if mention.kind == MentionKind::Workflow => place.insert(self.workflow_presence(organisation, workflow, &mention.name)),
                Entry::Vacant(place) => {
                    let answer = self.shared.inventory.look_up(organisation, mention.kind, &mention.name).await;
                    place.insert(answer.map_err(|error| WriteError::Database(error.to_string()))?)
                }
            };
            if let Presence::Missing { nearest } = presence {
                problems.push(problem(mention, nearest.clone(), severity));
            }
        }
        Ok(problems)
    }

    /// Whether another workflow takes starts. A file may always start itself.
    fn workflow_presence(&self, organisation: OrganisationId, workflow: &Workflow, name: &str) -> Presence {
        if !self.shared.inventory.is_whole() {
            return Presence::Unknown;
        }
        let known = self.current_workflows(organisation);
        if name == workflow.name || known.iter().any(|current| current.workflow.name == name) {
            return Presence::There;
        }
        Presence::Missing { nearest: suggest::nearest(name, known.iter().map(|current| current.workflow.name.as_str())).map(str::to_owned) }
    }
}

fn problem(mention: &Mention, nearest: Option<String>, severity: Severity) -> Problem {
    let kind = mention.kind.as_str();
    let remedy = nearest.as_ref().map_or_else(|| format!("add the {kind} first, or correct the name"), |near| format!("did you mean \"{near}\"?"));
    Problem {
        severity,
        code: format!("unknown_{kind}"),
        message: format!("the organisation has no {kind} \"{}\"; {remedy}", mention.name),
        line: mention.position.line,
        column: mention.position.column,
        pointer: mention.position.pointer.clone(),
        suggestion: nearest,
    }
}
