//! Who does something: part of every change, of the timeline, of the audit log, of the events that follow.

use crate::{TokenId, UserId};
use onward_core::{NewEvent, RunId, Value, ports::StepContext};
use serde::{Deserialize, Serialize};

/// Who does something.
#[derive(Clone, Debug, PartialEq)]
pub enum Actor {
    /// A person who signed in.
    User {
        /// Who.
        id: UserId,
        /// As they were called then.
        name: String,
    },
    /// A program with an API token.
    Token {
        /// Which.
        id: TokenId,
        /// As it was called then.
        name: String,
    },
    /// A step of a run.
    Automation {
        /// The workflow's name.
        workflow: String,
        /// The run.
        run_id: RunId,
        /// The step's path.
        step: String,
        /// How many causes led to the run.
        depth: u16,
    },
    /// The contact's own doing (a message, an opt-out).
    Contact {
        /// Who.
        id: uuid::Uuid,
    },
    /// What a provider reports.
    Connector {
        /// The connector's id.
        connector: String,
    },
    /// Onward itself (clean-up, set-up on the command line).
    System,
}

/// The kinds of `author` on messages and events (DESIGN.md, "Bus events").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuthorKind {
    /// The person we talk with.
    Contact,
    /// A person of ours.
    User,
    /// A workflow, a program, Onward itself.
    Automation,
    /// A language model.
    Ai,
}

impl AuthorKind {
    /// As in JSON and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Contact => "contact",
            Self::User => "user",
            Self::Automation => "automation",
            Self::Ai => "ai",
        }
    }
    /// Reads what [`AuthorKind::as_str`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Contact, Self::User, Self::Automation, Self::Ai].into_iter().find(|kind| kind.as_str() == text)
    }
}

/// `author: { kind, id }`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Author {
    /// What kind of author.
    pub kind: AuthorKind,
    /// Who: a user's, token's or contact's id, or a workflow's or connector's name.
    #[serde(default)]
    pub id: Option<String>,
}

impl Author {
    /// As in events and messages.
    pub fn to_value(&self) -> Value {
        serde_json::json!({ "kind": self.kind.as_str(), "id": self.id })
    }
}

impl Actor {
    /// The step that a node works for.
    pub fn of_step(ctx: &StepContext) -> Self {
        Self::Automation { workflow: ctx.workflow.to_string(), run_id: ctx.run_id, step: ctx.step.to_string(), depth: ctx.depth }
    }
    /// As author of a message or an event.
    pub fn author(&self) -> Author {
        let (kind, id) = match self {
            Self::User { id, .. } => (AuthorKind::User, Some(id.to_string())),
            Self::Token { id, .. } => (AuthorKind::Automation, Some(id.to_string())),
            Self::Automation { workflow, .. } => (AuthorKind::Automation, Some(workflow.clone())),
            Self::Contact { id } => (AuthorKind::Contact, Some(id.to_string())),
            Self::Connector { connector } => (AuthorKind::Automation, Some(connector.clone())),
            Self::System => (AuthorKind::Automation, Some("onward".to_owned())),
        };
        Author { kind, id }
    }
    /// The run and step, for a step.
    pub fn run(&self) -> Option<(RunId, &str)> {
        match self {
            Self::Automation { run_id, step, .. } => Some((*run_id, step)),
            _ => None,
        }
    }
    /// For the audit log.
    pub fn to_value(&self) -> Value {
        match self {
            Self::User { id, name } => serde_json::json!({ "kind": "user", "id": id.to_string(), "name": name }),
            Self::Token { id, name } => serde_json::json!({ "kind": "token", "id": id.to_string(), "name": name }),
            Self::Automation { workflow, run_id, step, .. } => {
                serde_json::json!({ "kind": "automation", "id": run_id.to_string(), "name": workflow, "step": step })
            }
            Self::Contact { id } => serde_json::json!({ "kind": "contact", "id": id.to_string() }),
            Self::Connector { connector } => serde_json::json!({ "kind": "connector", "id": connector, "name": connector }),
            Self::System => serde_json::json!({ "kind": "system", "id": "onward", "name": "Onward" }),
        }
    }
    /// Writes into an event what led to it, so that endless chains are found (SEMANTICS.md 13).
    #[must_use]
    pub fn stamp(&self, mut event: NewEvent) -> NewEvent {
        if let Self::Automation { run_id, depth, .. } = self {
            event.cause = Some(*run_id);
            event.depth = depth.saturating_add(1);
        }
        event
    }
}
