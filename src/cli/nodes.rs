//! `onward nodes`: what `do` steps can run; from this binary itself, without a database.

use super::{
    Context, Failure,
    table::{table, text},
};
use crate::{
    terminal::{Look, Paint},
    wiring,
};
use clap::Subcommand;
use onward_core::{definition::Catalogue as _, ports::NodeDescriptor};
use serde_json::{Value, json};

/// Look at the nodes that `do` steps can run.
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  onward nodes list
  onward nodes show message.send")]
pub(crate) enum Nodes {
    /// List the nodes.
    List,
    /// Show one: what it takes, what it gives, an example.
    Show {
        /// The node's id.
        id: String,
    },
}

impl Nodes {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        let registry = wiring::catalogue()?;
        let look = Look::of_stdout();
        match self {
            Self::List => {
                let nodes: Vec<&NodeDescriptor> = registry.descriptors().collect();
                context.print(&json!({ "items": nodes }), |document| {
                    let rows = super::table::items(document)
                        .iter()
                        .map(|node| ["id", "effect", "category", "title"].map(|name| node.get(name).map(text).unwrap_or_default()).to_vec());
                    table(look, &["NODE", "EFFECT", "CATEGORY", "TITLE"], rows, "no nodes")
                });
            }
            Self::Show { id } => {
                let node = registry.node(&id).ok_or_else(|| {
                    let near = wiring::nearest(&id, &registry.node_ids()).map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
                    Failure::new(format!("there is no node `{id}`{near} (`onward nodes list` shows all)"))
                })?;
                context.print(&serde_json::to_value(node).map_err(|error| Failure::because("the node cannot be shown", &error))?, |_| describe(node, look));
            }
        }
        Ok(())
    }
}

fn describe(node: &NodeDescriptor, look: Look) -> String {
    let effect = serde_json::to_value(node.effect).map(|effect| text(&effect)).unwrap_or_default();
    let mut lines = vec![
        format!("{}  {}", look.paint(Paint::Strong, &node.id), node.title),
        node.description.clone(),
        String::new(),
        format!("effect  {effect}"),
        String::new(),
    ];
    for (heading, schema) in [("takes", &node.input), ("gives", &node.output)] {
        lines.push(look.paint(Paint::Strong, heading));
        lines.extend(fields(schema, look));
        lines.push(String::new());
    }
    lines.push(look.paint(Paint::Strong, "example"));
    lines.push(format!("  do: {}\n  with: {}", node.id, node.example));
    lines.push(format!("  gives {}", node.example_output));
    lines.join("\n")
}

fn fields(schema: &Value, look: Look) -> Vec<String> {
    let required: Vec<&str> = schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    let Some(properties) = schema.get("properties").and_then(Value::as_object).filter(|properties| !properties.is_empty()) else {
        return vec!["  (anything)".to_owned()];
    };
    let line = |(name, schema): (&String, &Value)| {
        let kind = schema.get("type").map(|kind| kind.as_str().map_or_else(|| kind.to_string(), str::to_owned)).unwrap_or_default();
        let needed = if required.contains(&name.as_str()) { "  required" } else { "" };
        let about = schema.get("description").map(text).unwrap_or_default();
        format!("  {}  {}{needed}  {about}", look.paint(Paint::Name, &format!("{name:<14}")), look.paint(Paint::Faint, &format!("{kind:<8}")))
            .trim_end()
            .to_owned()
    };
    properties.iter().map(line).collect()
}
