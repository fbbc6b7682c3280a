//! Names of things that live in the organisation and not in the file: a connection, a user, a template, a segment, another
//! workflow.
//!
//! A node's input schema says with the keyword [`KEYWORD`] which of its texts name such a thing.

use super::{
    Position,
    tree::{Node, Tree},
};
use crate::Value;

/// The keyword of an input's schema; its value is a [`MentionKind`]'s name.
pub(super) const KEYWORD: &str = "x-names";

/// What kind of thing a text names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MentionKind {
    /// A connection, by name or id.
    Connection,
    /// A user, by e-mail or id.
    User,
    /// A message template, by name.
    Template,
    /// A segment, by name or id.
    Segment,
    /// Another workflow, by name.
    Workflow,
}

impl MentionKind {
    /// As in schemas and messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connection => "connection",
            Self::User => "user",
            Self::Template => "template",
            Self::Segment => "segment",
            Self::Workflow => "workflow",
        }
    }
    fn parse(text: &str) -> Option<Self> {
        [Self::Connection, Self::User, Self::Template, Self::Segment].into_iter().find(|kind| kind.as_str() == text)
    }
}

/// A thing of the organisation that a file names literally.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mention {
    /// What it is.
    pub kind: MentionKind,
    /// Its name, or its id.
    pub name: String,
    /// Where it stands.
    pub position: Position,
}

/// The mentions in the input of one step. What an expression gives is known only in a run.
pub(super) fn of_input<'t>(schema: &'t Value, with: &'t Tree) -> impl Iterator<Item = Mention> + 't {
    let properties = schema["properties"].as_object().into_iter().flatten();
    properties.filter_map(|(name, property)| {
        let kind = MentionKind::parse(property[KEYWORD].as_str()?)?;
        let given = with.get(name).filter(|given| matches!(given.node, Node::Text { .. }) && !super::node_input::is_code(given))?;
        Some(Mention { kind, name: given.text()?.to_owned(), position: given.place.clone() })
    })
}
