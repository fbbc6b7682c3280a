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
}
