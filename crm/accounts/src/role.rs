//! What a role may do.

use serde::{Deserialize, Serialize};

/// A user's or token's role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Everything in the organisation.
    Admin,
    /// Works with contacts and conversations; looks at automations, changes none.
    Agent,
}

/// What someone wants to do; endpoints name it, [`Role::allows`] decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// See contacts, conversations, messages.
    ReadRecords,
    /// Change contacts, write messages, assign and close conversations.
    WriteRecords,
    /// Remove a contact's data.
    DeleteRecords,
    /// See workflows, runs, histories, events, nodes.
    ReadEngine,
    /// Put events on the bus and start runs.
    StartRuns,
    /// Cancel, pause, resume, retry runs.
    ControlRuns,
    /// Edit and publish workflows.
    WriteWorkflows,
    /// See connections (never their secrets).
    ReadConnections,
    /// Add, change, remove connections.
    WriteConnections,
    /// Users, tokens, the organisation's settings, the audit log.
    Administer,
}

impl Action {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::ReadRecords,
        Self::WriteRecords,
        Self::DeleteRecords,
        Self::ReadEngine,
        Self::StartRuns,
        Self::ControlRuns,
        Self::WriteWorkflows,
        Self::ReadConnections,
        Self::WriteConnections,
        Self::Administer,
    ];
}

impl Role {
    /// As in JSON and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Agent => "agent",
        }
    }
    /// Reads what [`Role::as_str`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Admin, Self::Agent].into_iter().find(|role| role.as_str() == text)
    }
    /// Whether the role may do it.
    pub fn allows(self, action: Action) -> bool {
        match self {
            Self::Admin => true,
            Self::Agent => match action {
                Action::ReadRecords | Action::WriteRecords | Action::ReadEngine | Action::StartRuns | Action::ReadConnections => true,
                Action::DeleteRecords | Action::ControlRuns | Action::WriteWorkflows | Action::WriteConnections | Action::Administer => false,
            },
        }
    }
}
