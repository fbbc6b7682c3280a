//! What an organisation must have before a workflow can do its work, read from the file: for a gallery, and for whoever is
//! about to switch a workflow on.
//!
//! Names are found where they stand literally, or in the `vars` of the file; what an expression makes of other values is known
//! only in a run.

use super::{
    problems::Problems,
    tree::{self, Node, Tree},
};
use std::collections::BTreeSet;

/// What kind of thing is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NeedKind {
    /// A connection.
    Connection,
    /// A segment.
    Segment,
    /// A team.
    Team,
    /// An approved message template.
    Template,
    /// Another workflow.
    Workflow,
}

impl NeedKind {
    /// As documents name it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connection => "connection",
            Self::Segment => "segment",
            Self::Team => "team",
            Self::Template => "template",
            Self::Workflow => "workflow",
        }
    }
    /// The kind that a key of the language names.
    fn of_key(key: &str) -> Option<Self> {
        Some(match key {
            "connection" => Self::Connection,
            "segment" => Self::Segment,
            "team" => Self::Team,
            "template" => Self::Template,
            "call" | "start" => Self::Workflow,
            _ => return None,
        })
    }
}

/// A thing that is needed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Need {
    /// What it is.
    pub kind: NeedKind,
    /// Its name.
    pub name: String,
}

/// What a workflow's file needs, each once, by kind and name. A file that cannot be read needs nothing.
pub fn needs(source: &str) -> Vec<Need> {
    let mut found = BTreeSet::new();
    if let Some(file) = tree::parse(source, &mut Problems::default()) {
        for part in ["on", "vars", "steps", "limits"].into_iter().filter_map(|key| file.get(key)) {
            collect(part, file.get("vars"), &mut found);
        }
    }
    found.into_iter().collect()
}

fn collect(tree: &Tree, vars: Option<&Tree>, found: &mut BTreeSet<Need>) {
    match &tree.node {
        Node::List(items) => items.iter().for_each(|item| collect(item, vars, found)),
        Node::Map(entries) => {
            for (key, value) in entries {
                if let (Some(kind), Some(text)) = (NeedKind::of_key(&key.text), value.text())
                    && let Some(name) = literal(text, vars)
                {
                    found.insert(Need { kind, name: name.to_owned() });
                }
                collect(value, vars, found);
            }
        }
        _ => {}
    }
}

/// A text as it stands, or the variable that it is.
fn literal<'t>(text: &'t str, vars: Option<&'t Tree>) -> Option<&'t str> {
    if !text.contains("{{") && !text.contains("{%") {
        return (!text.is_empty()).then_some(text);
    }
    let variable = text.trim().strip_prefix("{{")?.strip_suffix("}}")?.trim().strip_prefix("vars.")?;
    vars?.get(variable)?.text().filter(|name| !name.is_empty() && !name.contains("{{"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_literally_and_through_variables() {
        let source = r#"
name: a
on:
  - schedule: { cron: 0 9 * * *, each: { segment: customers } }
  - webhook: { path: a, verify: { connection: partner } }
vars: { team: sales, tasks: [{ team: billing }], other: "{{ 1 }}" }
steps:
  - { do: message.send, with: { template: hello, params: { template: "{{ item }}" } } }
  - { do: crm.conversation.assign, with: { team: "{{ vars.team }}" } }
  - { do: crm.conversation.assign, with: { team: "{{ vars.other }}" } }
  - if: "true"
    then: [{ call: enrich-lead }, { start: "{{ vars.which }}" }, { do: message.send, with: { template: hello } }]
"#;
        let found: Vec<String> = needs(source).iter().map(|need| format!("{} {}", need.kind.as_str(), need.name)).collect();
        assert_eq!(found, ["connection partner", "segment customers", "team billing", "team sales", "template hello", "workflow enrich-lead"]);
        assert_eq!(needs("steps: ["), []);
    }
}
