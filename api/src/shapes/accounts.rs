//! Who works here, what is connected, and the server itself.

use super::shapes;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

shapes! {
    /// Whether a server is new.
    FirstRun {
        /// It has no user yet.
        needed: bool,
    }

    /// What can be connected.
    Connector {
        /// `whatsapp` …
        id: String,
        /// For people.
        title: String,
        /// For people.
        description: String,
        /// `webhooks`, `messages`, `calls`.
        capabilities: Vec<String>,
        /// JSON Schema of `config`.
        #[schema(value_type = Object)]
        config: Value,
        /// JSON Schema of `secrets`.
        #[schema(value_type = Object)]
        secrets: Value,
    }

    /// A stored credential for a connector; never its secrets.
    Connection {
        /// Its id.
        id: Uuid,
        /// The connector's id.
        connector: String,
        /// Unique in the organisation.
        name: String,
        /// What is not secret.
        #[schema(value_type = Object)]
        config: Value,
        /// Which secrets are set.
        secrets_set: Vec<String>,
        /// Where the provider delivers.
        webhook_url: String,
        /// Whether it works.
        health: Health,
        /// Rises with every change.
        revision: i64,
        /// RFC 3339, UTC.
        #[schema(format = DateTime)]
        created_at: String,
        /// RFC 3339, UTC.
        #[schema(format = DateTime)]
        updated_at: String,
    }

    /// Whether a connection works.
    Health {
        /// `unknown`, `healthy` or `unhealthy`.
        status: String,
        /// What the provider said.
        message: Option<String>,
        /// When it was asked.
        #[schema(format = DateTime)]
        checked_at: Option<String>,
    }

    /// What asking the provider gave.
    ConnectionTest {
        /// It works.
        ok: bool,
        /// What the provider said.
        message: String,
        /// Why not: an error code.
        code: Option<String>,
        /// Facts that the provider gave.
        details: Value,
        /// The connection as it is now.
        connection: Connection,
    }

    /// Someone who signs in.
    User {
        /// Their id.
        id: Uuid,
        /// Lower case.
        email: String,
        /// As people call them.
        name: String,
        /// `admin` or `agent`.
        role: String,
        /// They may sign in.
        active: bool,
        /// RFC 3339, UTC.
        #[schema(format = DateTime)]
        created_at: String,
        /// RFC 3339, UTC.
        #[schema(format = DateTime)]
        last_sign_in_at: Option<String>,
    }

    /// Users who share work.
    Team {
        /// Its id.
        id: Uuid,
        /// Unique in the organisation.
        name: String,
        /// Who belongs to it, by id.
        members: Vec<Uuid>,
        /// RFC 3339, UTC.
        #[schema(format = DateTime)]
        created_at: String,
        /// RFC 3339, UTC.
        #[schema(format = DateTime)]
        updated_at: String,
    }

    /// Someone who has the app open.
    Presence {
        /// Who.
        user_id: Uuid,
        /// When it was seen last, to the minute.
        #[schema(format = DateTime)]
        seen_at: String,
    }

    /// An API token; never its text.
    Token {
        /// Its id.
        id: Uuid,
        /// What it is for.
        name: String,
        /// `admin` or `agent`.
        role: String,
        /// Its first characters.
        hint: String,
        /// RFC 3339, UTC.
        #[schema(format = DateTime)]
        created_at: String,
        /// To the hour.
        #[schema(format = DateTime)]
        last_used_at: Option<String>,
        /// When it ended.
        #[schema(format = DateTime)]
        revoked_at: Option<String>,
    }

    /// An API token just made, with its text.
    NewlyMadeToken {
        /// Its id.
        id: Uuid,
        /// What it is for.
        name: String,
        /// `admin` or `agent`.
        role: String,
        /// Its first characters.
        hint: String,
        /// RFC 3339, UTC.
        #[schema(format = DateTime)]
        created_at: String,
        /// To the hour.
        #[schema(format = DateTime)]
        last_used_at: Option<String>,
        /// When it ended.
        #[schema(format = DateTime)]
        revoked_at: Option<String>,
        /// The text to send as `Authorization: Bearer …`; shown this once.
        token: String,
    }

    /// Who is asking.
    Session {
        /// The user, when one signed in.
        user: Option<User>,
        /// The token, when one was sent.
        token: Option<Token>,
        /// `admin` or `agent`.
        role: String,
        /// Whose data they see.
        organisation: Organisation,
        /// For `X-CSRF-Token`; sessions only.
        csrf_token: Option<String>,
        /// When the session ends unless it is used.
        #[schema(format = DateTime)]
        expires_at: Option<String>,
    }

    /// A tenant.
    Organisation {
        /// Its id.
        id: Uuid,
        /// What `--org` says.
        name: String,
        /// For people.
        title: String,
        /// IANA name.
        timezone: String,
        /// ISO 3166 code by which phone numbers without a country are read.
        country: Option<String>,
        /// BCP 47.
        language: String,
        /// Opening hours and holidays.
        #[schema(value_type = Object)]
        business_hours: Value,
        /// RFC 3339, UTC.
        #[schema(format = DateTime)]
        created_at: String,
    }

    /// One change that administrators answer for.
    AuditEntry {
        /// Its id; rises with time.
        id: Uuid,
        /// When.
        #[schema(format = DateTime)]
        at: String,
        /// Who.
        #[schema(value_type = Object)]
        actor: Value,
        /// `user.created` …
        action: String,
        /// What it was done to: `kind` and `id`.
        #[schema(value_type = Object)]
        subject: Value,
        /// The fields that changed, as they were.
        before: Value,
        /// The fields that changed, as they are.
        after: Value,
    }

    /// Whether the server lives.
    Status {
        /// `ok`.
        status: String,
    }

    /// Whether the server takes new work, and whether it lets anything happen.
    Readiness {
        /// `ok`: new work is accepted.
        status: String,
        /// Everything is paused: what is accepted is held.
        paused: bool,
    }
}
