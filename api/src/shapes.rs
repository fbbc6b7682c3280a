//! The shapes of answers, as the OpenAPI document describes them.
//!
//! The shapes themselves stand in their rooms; these types only describe them and are never built. The tests check every
//! answer of theirs against these descriptions, in both directions, so that neither can drift.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

macro_rules! shapes {
    ($($(#[$meta:meta])* $name:ident { $($(#[$field_meta:meta])* $field:ident : $type:ty,)+ })+) => {$(
        $(#[$meta])*
        #[derive(Debug, Serialize, Deserialize, ToSchema)]
        pub struct $name { $($(#[$field_meta])* #[schema(required = true)] pub $field: $type,)+ }
    )+};
}

/// A page of a list.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// `cursor` of the next page; null on the last.
    #[schema(required = true)]
    pub next_cursor: Option<String>,
}

shapes! {
    /// Someone we know.
    Contact {
        /// Their id.
        id: Uuid,
        /// What people call them.
        name: Option<String>,
        /// Given name; the first word of `name` when only that is known.
        first_name: Option<String>,
        /// Family name.
        last_name: Option<String>,
        /// The main phone number.
        phone: Option<String>,
        /// The main e-mail address.
        email: Option<String>,
        /// E.164, the main one first.
        phones: Vec<String>,
        /// Lower case, the main one first.
        emails: Vec<String>,
        /// Sorted.
        tags: Vec<String>,
        /// Addresses on channel accounts.
        identities: Vec<Identity>,
        /// The organisation's own fields.
        #[schema(value_type = Object)]
        fields: Value,
        /// IANA name.
        timezone: Option<String>,
        /// BCP 47.
        language: Option<String>,
        /// `CHANNEL:CATEGORY` that they refused.
        opt_outs: Vec<String>,
        /// Lead score.
        score: i64,
        /// RFC 3339, UTC.
        #[schema(format = DateTime)]
        created_at: String,
        /// RFC 3339, UTC.
        #[schema(format = DateTime)]
        updated_at: String,
    }

    /// A contact's address on one channel account.
    Identity {
        /// `whatsapp` …
        channel: String,
        /// The channel account.
        connection_id: Uuid,
        /// The person's address there.
        external_id: String,
        /// The person's user name there.
        username: Option<String>,
        /// The person has moved to another address.
        replaced: bool,
    }

    /// One thing that happened to a contact.
    TimelineItem {
        /// Its id; rises with intake.
        id: Uuid,
        /// When it happened.
        #[schema(format = DateTime)]
        at: String,
        /// `message`, `note`, `field`, `tag`, `deal`, `task`, `consent`, `run` or `event`.
        kind: String,
        /// For people.
        text: String,
        /// Who did it.
        author: Author,
        /// The run that did it.
        run_id: Option<Uuid>,
        /// Its step.
        step: Option<String>,
        /// The record it is about.
        subject_id: Option<Uuid>,
    }

    /// Who wrote or did something.
    Author {
        /// `contact`, `user`, `automation` or `ai`.
        kind: String,
        /// Who.
        id: Option<String>,
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

    /// What a `do` step can run.
    Node {
        /// `crm.contact.upsert` …
        id: String,
        /// For people.
        title: String,
        /// For people.
        description: String,
        /// The palette's group.
        category: String,
        /// `pure`, `transactional`, `external` or `at_most_once`.
        effect: String,
        /// JSON Schema of the input.
        #[schema(value_type = Object)]
        input: Value,
        /// JSON Schema of the output.
        output: Value,
        /// An input that works.
        example: Value,
        /// An output as it may look.
        example_output: Value,
        /// Hints for the form.
        ui: Value,
        /// The connector it belongs to.
        connector: Option<String>,
        /// Input and output hold personal data.
        personal: bool,
        /// The record that its output becomes.
        binds: Option<String>,
    }

    /// A type of event that somebody declares.
    EventType {
        /// `message.received` …
        r#type: String,
    }

    /// What became of an event that was handed in.
    Ingested {
        /// Our id of the event; of the first one when it is a duplicate.
        event_id: Uuid,
        /// It was known already: nothing happened.
        duplicate: bool,
        /// The runs that it started, known by now.
        run_ids: Vec<Uuid>,
    }

    /// What became of the events that were handed in.
    IngestedList {
        /// In the order of the events.
        items: Vec<Ingested>,
    }

    /// An event with what routing noted on it.
    Event {
        /// Always `1.0`.
        specversion: String,
        /// The sender's id, else ours.
        id: String,
        /// Who says so.
        source: String,
        /// What kind.
        r#type: String,
        /// What it is about.
        subject: Option<String>,
        /// When it happened.
        #[schema(format = DateTime)]
        time: String,
        /// The facts.
        data: Value,
        /// Our id for it.
        event_id: Uuid,
        /// When it was taken in.
        #[schema(format = DateTime)]
        taken_in_at: String,
        /// What it started, reached, and what was refused.
        #[schema(value_type = Vec<Object>)]
        routing: Value,
    }

    /// A mistake in a definition.
    DefinitionProblem {
        /// `error`, `warning` or `hint`.
        severity: String,
        /// A stable name.
        code: String,
        /// What is wrong, and the remedy.
        message: String,
        /// From 1.
        line: u32,
        /// From 1.
        column: u32,
        /// JSON pointer into the file.
        pointer: String,
        /// The text to put in its place.
        suggestion: Option<String>,
    }

    /// Whether a definition can be published.
    Validation {
        /// No problem is an error.
        valid: bool,
        /// In file order.
        problems: Vec<DefinitionProblem>,
    }

    /// A workflow.
    Workflow {
        /// Unique in the organisation.
        name: String,
        /// The version that new events start; null: it takes no starts.
        current_version: Option<u32>,
        /// Starts are taken in and held.
        paused: bool,
        /// When the current version was published.
        #[schema(format = DateTime)]
        published_at: Option<String>,
        /// When the draft was last changed, if there is one.
        #[schema(format = DateTime)]
        draft_updated_at: Option<String>,
        /// Runs that live.
        live_runs: u64,
        /// What people read; from the current version.
        description: Option<String>,
        /// The current version's file.
        source: Option<String>,
        /// How many of its runs are in each status; those without any are left out.
        #[schema(value_type = Object)]
        runs: Value,
    }

    /// A workflow in a list.
    WorkflowSummary {
        /// Unique in the organisation.
        name: String,
        /// The version that new events start; null: it takes no starts.
        current_version: Option<u32>,
        /// Starts are taken in and held.
        paused: bool,
        /// When the current version was published.
        #[schema(format = DateTime)]
        published_at: Option<String>,
        /// When the draft was last changed, if there is one.
        #[schema(format = DateTime)]
        draft_updated_at: Option<String>,
        /// Runs that live.
        live_runs: u64,
    }

    /// A file that is being worked on.
    Draft {
        /// The workflow.
        workflow: String,
        /// The file's text.
        source: String,
        /// When it was saved.
        #[schema(format = DateTime)]
        updated_at: String,
        /// By whom.
        updated_by: Option<String>,
    }

    /// A published version in a list.
    VersionSummary {
        /// From 1.
        version: u32,
        /// SHA-256 of the file, hex.
        digest: String,
        /// The revision of the language that it is written in.
        language_revision: u32,
        /// When.
        #[schema(format = DateTime)]
        published_at: String,
        /// New events start it.
        current: bool,
    }

    /// A published version.
    Version {
        /// From 1.
        version: u32,
        /// SHA-256 of the file, hex.
        digest: String,
        /// The revision of the language that it is written in.
        language_revision: u32,
        /// When.
        #[schema(format = DateTime)]
        published_at: String,
        /// New events start it.
        current: bool,
        /// The file's text.
        source: String,
    }

    /// How runs fare.
    WorkflowStats {
        /// How many runs are in each status; those without any are left out.
        #[schema(value_type = Object)]
        runs: Value,
        /// How many of its newest runs the steps are counted over.
        counted_runs: u32,
        /// In file order.
        steps: Vec<StepStats>,
    }

    /// How runs passed one step.
    StepStats {
        /// The step's key.
        step: String,
        /// For people.
        title: String,
        /// Began it.
        entered: u64,
        /// Are in it.
        waiting: u64,
        /// Came through it.
        left: u64,
        /// Failed in it.
        failed: u64,
    }

    /// What publishing gave.
    Published {
        /// The version.
        version: u32,
        /// Warnings and hints.
        problems: Vec<DefinitionProblem>,
    }

    /// A run that was asked for.
    StartedRun {
        /// The run.
        run_id: Uuid,
        /// Why it is held, when it did not start at once.
        held: Option<String>,
    }

    /// One run of a workflow.
    Run {
        /// Its id.
        id: Uuid,
        /// The workflow's name.
        workflow: String,
        /// The version it runs on.
        version: u32,
        /// `held`, `running`, `waiting`, `paused`, `completed`, `failed` or `cancelled`.
        status: String,
        /// What it is about.
        key: String,
        /// Its contact.
        contact: Option<String>,
        /// The start's input.
        input: Value,
        /// What it gave, once it ended well.
        output: Value,
        /// Why it failed.
        #[schema(value_type = Option<Object>)]
        error: Value,
        /// The event type of the `exit_on` that ended it.
        exit: Option<String>,
        /// The event that started it.
        event_id: Option<Uuid>,
        /// RFC 3339, UTC.
        #[schema(format = DateTime)]
        started_at: String,
        /// RFC 3339, UTC.
        #[schema(format = DateTime)]
        ended_at: Option<String>,
        /// What it waits for.
        waiting_on: Value,
    }

    /// The state of a run after a request.
    RunState {
        /// The run.
        run_id: Uuid,
        /// As in a run.
        status: String,
    }

    /// A run with everything that a replay needs.
    Export {
        /// The run.
        run: Run,
        /// The version that it ran on.
        #[schema(value_type = Object)]
        definition: Value,
        /// Every entry of its history.
        #[schema(value_type = Vec<Object>)]
        history: Value,
        /// SHA-256 over the rest, hex.
        digest: String,
    }

    /// Re-executions, run by run.
    ReplayReport {
        /// One for each run, newest first.
        runs: Vec<RunReport>,
    }

    /// What re-executing one run gave.
    RunReport {
        /// The run.
        run_id: Uuid,
        /// No difference.
        same: bool,
        /// Where it begins to differ: `{ seq, step, was, would }`.
        #[schema(value_type = Vec<Object>)]
        differences: Value,
        /// Calls that would be made and were not.
        #[schema(value_type = Vec<Object>)]
        added: Value,
        /// Calls that were made and would not be.
        #[schema(value_type = Vec<Object>)]
        missing: Value,
        /// From this entry on, values are assumed.
        assumed_from: Option<u64>,
        /// The re-execution ends here for want of a value.
        unknown: Option<String>,
    }

    /// What is said between a contact and us on one connection, from its opening to its close.
    Conversation {
        /// Its id.
        id: Uuid,
        /// With whom.
        contact_id: Uuid,
        /// What they are called.
        contact_name: String,
        /// `whatsapp` …
        channel: String,
        /// On which account.
        connection_id: Uuid,
        /// `open` or `closed`.
        status: String,
        /// The user who cares for it.
        assigned_user: Option<Uuid>,
        /// The team that cares for it.
        assigned_team: Option<String>,
        /// Messages that nobody has read.
        unread: u32,
        /// The last message of the contact.
        #[schema(format = DateTime)]
        last_inbound_at: Option<String>,
        /// The last message of ours.
        #[schema(format = DateTime)]
        last_outbound_at: Option<String>,
        /// The last message.
        #[schema(format = DateTime)]
        last_message_at: String,
        /// Its beginning.
        last_text: String,
        /// RFC 3339, UTC.
        #[schema(format = DateTime)]
        opened_at: String,
        /// RFC 3339, UTC.
        #[schema(format = DateTime)]
        closed_at: Option<String>,
    }

    /// A message, in or out.
    Message {
        /// Its id.
        id: Uuid,
        /// Its conversation.
        conversation_id: Uuid,
        /// Whose.
        contact_id: Uuid,
        /// `whatsapp` …
        channel: String,
        /// On which account.
        connection_id: Uuid,
        /// `inbound` or `outbound`.
        direction: String,
        /// `text`, `image`, `audio`, `video`, `document`, `location`, `contacts`, `interactive`, `template`, `reaction`, `sticker` or `unsupported`.
        kind: String,
        /// What a person reads.
        text: String,
        /// Media and structured parts.
        #[schema(value_type = Vec<Object>)]
        attachments: Value,
        /// The provider's id.
        external_id: Option<String>,
        /// The button or list row that was chosen.
        reply_id: Option<String>,
        /// The provider's id of the message that it answers.
        context_id: Option<String>,
        /// `received`, `queued`, `held`, `sending`, `sent`, `delivered`, `read`, `failed` or `unknown`.
        status: String,
        /// Why it failed.
        #[schema(value_type = Option<Object>)]
        error: Value,
        /// What the messaging policy decided, for what we send.
        verdict: Option<String>,
        /// The rule behind it.
        #[schema(value_type = Option<Object>)]
        verdict_details: Value,
        /// Who wrote it.
        author: Author,
        /// When.
        #[schema(format = DateTime)]
        at: String,
        /// The run that sent it.
        run_id: Option<Uuid>,
        /// Its step.
        step: Option<String>,
        /// When its author wrote it anew.
        #[schema(format = DateTime)]
        edited_at: Option<String>,
        /// When its author took it back.
        #[schema(format = DateTime)]
        revoked_at: Option<String>,
    }

    /// Whether the server lives.
    Status {
        /// `ok`.
        status: String,
    }
}
