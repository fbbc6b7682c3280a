//! Contacts, conversations, messages.

use super::shapes;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

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
        /// Where they work.
        company_id: Option<Uuid>,
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

    /// Where contacts work.
    Company {
        /// Its id.
        id: Uuid,
        /// As people call it.
        name: String,
        /// Lower case, without `www.`; no two companies have one.
        domain: Option<String>,
        /// E.164.
        phone: Option<String>,
        /// Where it is.
        address: Option<String>,
        /// The user who cares for it.
        owner: Option<Uuid>,
        /// The organisation's own fields.
        #[schema(value_type = Object)]
        fields: Value,
        /// RFC 3339, UTC.
        #[schema(format = DateTime)]
        created_at: String,
        /// RFC 3339, UTC.
        #[schema(format = DateTime)]
        updated_at: String,
    }

    /// The stages that deals go through.
    Pipeline {
        /// Its id.
        id: Uuid,
        /// Unique in the organisation.
        name: String,
        /// Where deals go that name no pipeline.
        default: bool,
        /// From left to right.
        stages: Vec<Stage>,
        /// RFC 3339, UTC.
        #[schema(format = DateTime)]
        created_at: String,
        /// RFC 3339, UTC.
        #[schema(format = DateTime)]
        updated_at: String,
    }

    /// One step on a deal's way.
    Stage {
        /// Its id.
        id: Uuid,
        /// Unique in the pipeline.
        name: String,
        /// Of winning, in percent.
        probability: Option<u8>,
    }

    /// What somebody may buy.
    Deal {
        /// Its id.
        id: Uuid,
        /// As people call it.
        title: String,
        /// Its pipeline.
        pipeline_id: Uuid,
        /// The pipeline's name.
        pipeline: String,
        /// Where it stands.
        stage_id: Uuid,
        /// The stage's name.
        stage: String,
        /// `open`, `won` or `lost`.
        status: String,
        /// In minor units of `currency`.
        amount: Option<i64>,
        /// ISO 4217.
        currency: Option<String>,
        /// Who may buy.
        contact_id: Option<Uuid>,
        /// For which company.
        company_id: Option<Uuid>,
        /// The user who cares for it.
        owner: Option<Uuid>,
        /// A day.
        #[schema(format = Date)]
        expected_close: Option<String>,
        /// Why it was lost.
        lost_reason: Option<String>,
        /// The organisation's own fields.
        #[schema(value_type = Object)]
        fields: Value,
        /// Since when it stands there.
        #[schema(format = DateTime)]
        stage_changed_at: String,
        /// When it was won or lost.
        #[schema(format = DateTime)]
        closed_at: Option<String>,
        /// RFC 3339, UTC.
        #[schema(format = DateTime)]
        created_at: String,
        /// RFC 3339, UTC.
        #[schema(format = DateTime)]
        updated_at: String,
    }

    /// What somebody of ours is to do.
    Task {
        /// Its id.
        id: Uuid,
        /// What is to be done.
        title: String,
        /// More about it.
        text: String,
        /// `open` or `done`.
        status: String,
        /// By when.
        #[schema(format = DateTime)]
        due_at: Option<String>,
        /// The user who is to do it.
        assigned_user: Option<Uuid>,
        /// The team that is to do it.
        assigned_team: Option<String>,
        /// About whom.
        contact_id: Option<Uuid>,
        /// About which deal.
        deal_id: Option<Uuid>,
        /// Who asked for it.
        author: Author,
        /// The run that did.
        run_id: Option<Uuid>,
        /// Its step.
        step: Option<String>,
        /// When it was done.
        #[schema(format = DateTime)]
        completed_at: Option<String>,
        /// When it was found overdue.
        #[schema(format = DateTime)]
        overdue_at: Option<String>,
        /// RFC 3339, UTC.
        #[schema(format = DateTime)]
        created_at: String,
        /// RFC 3339, UTC.
        #[schema(format = DateTime)]
        updated_at: String,
    }

    /// A named set of contacts.
    Segment {
        /// Its id.
        id: Uuid,
        /// What workflows say.
        name: String,
        /// What it is for.
        description: String,
        /// `static`: whoever was put in.
        kind: String,
        /// RFC 3339, UTC.
        #[schema(format = DateTime)]
        created_at: String,
        /// RFC 3339, UTC.
        #[schema(format = DateTime)]
        updated_at: String,
    }

    /// How many entered and left a segment.
    MembersChanged {
        /// Who were not in it.
        entered: u32,
        /// Who were in it.
        left: u32,
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
        /// Sorted.
        tags: Vec<String>,
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

    /// A message that waits for a person to send it.
    MessageDraft {
        /// Its id, and that of the message it becomes.
        id: Uuid,
        /// Where it would be sent.
        conversation_id: Uuid,
        /// To whom.
        contact_id: Uuid,
        /// Free text.
        text: Option<String>,
        /// The name of an approved template.
        template: Option<String>,
        /// The template's values.
        params: Value,
        /// The template's header.
        header: Value,
        /// What the template's buttons carry.
        button_params: Value,
        /// Choices below a text.
        #[schema(value_type = Option<Vec<Object>>)]
        buttons: Value,
        /// The template's language.
        language: Option<String>,
        /// `marketing`, `utility` …
        category: Option<String>,
        /// The provider's id of the message that this one answers.
        reply_to: Option<String>,
        /// Who wrote it.
        author: Author,
        /// The run that wrote it.
        run_id: Option<Uuid>,
        /// Its step.
        step: Option<String>,
        /// RFC 3339, UTC.
        #[schema(format = DateTime)]
        created_at: String,
        /// RFC 3339, UTC.
        #[schema(format = DateTime)]
        updated_at: String,
    }

    /// What a user was told.
    Notification {
        /// Its id.
        id: Uuid,
        /// In one line.
        title: String,
        /// More about it.
        text: String,
        /// The record to open: `kind` and `id`.
        #[schema(value_type = Option<Object>)]
        subject: Value,
        /// Who tells.
        author: Author,
        /// The run that tells.
        run_id: Option<Uuid>,
        /// Its step.
        step: Option<String>,
        /// RFC 3339, UTC.
        #[schema(format = DateTime)]
        created_at: String,
        /// When it was read.
        #[schema(format = DateTime)]
        read_at: Option<String>,
    }

    /// How much was marked as read.
    NotificationsRead {
        /// How many notifications.
        read: u64,
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
}
