//! What came in from a provider, in our words: the output of a connector's pure `normalise`.

use onward_core::{ErrorCode, Object, Timestamp, Value};
use serde::{Deserialize, Serialize};

/// A delivery, taken apart. Nothing of it is dropped: what is not understood is `Raw`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Incoming {
    /// The provider's account that it names (WhatsApp: `phone_number_id`), when it names one: one webhook address may
    /// serve several connections.
    pub account: Option<String>,
    /// What it is.
    pub item: IncomingItem,
    /// The provider's own part of the body, whole.
    pub raw: Value,
}

/// The kinds of things that come in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "item", rename_all = "snake_case")]
pub enum IncomingItem {
    /// A message of a customer, or one that our side sent from the provider's own app (`outbound`).
    Message(IncomingMessage),
    /// What became of a message that we sent.
    Status(IncomingStatus),
    /// A customer changed what they want to receive.
    Preference {
        /// Who.
        sender: Sender,
        /// `marketing` …
        category: String,
        /// They agree (`true`) or refuse (`false`).
        granted: bool,
        /// When.
        at: Option<Timestamp>,
        /// The provider's id for dedupe, if there is one.
        dedupe_id: Option<String>,
    },
    /// A customer's address changed.
    AddressChanged {
        /// Who it was.
        sender: Sender,
        /// The new address.
        new_external_id: String,
        /// Dedupe.
        dedupe_id: Option<String>,
    },
    /// An event with a name of its own on the bus (`template.status_changed` …).
    Event {
        /// The bus type.
        kind: String,
        /// Common facts.
        data: Object,
        /// Dedupe.
        dedupe_id: Option<String>,
    },
    /// Kept whole under `CONNECTOR.raw`; the reason says why it is not more.
    Raw {
        /// The provider's name of it (`account_update`, `message.order` …).
        name: String,
        /// Dedupe.
        dedupe_id: Option<String>,
    },
}

/// Who wrote.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sender {
    /// Addresses on this channel account, strongest first (WhatsApp: business-scoped user id, then `wa_id`): each becomes
    /// an identity (MESSAGING-POLICY.md R2).
    pub external_ids: Vec<String>,
    /// A phone number in E.164, when the provider shows it.
    pub phone: Option<String>,
    /// An e-mail address.
    pub email: Option<String>,
    /// The name that the person chose there.
    pub name: Option<String>,
    /// The person's user name there.
    pub username: Option<String>,
}

/// A message that came in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IncomingMessage {
    /// The provider's id (wamid): what it is deduplicated by.
    pub external_id: String,
    /// Sent by our side from the provider's own app.
    pub outbound: bool,
    /// Who wrote (for `outbound`: to whom).
    pub sender: Sender,
    /// `text|image|audio|video|document|location|contacts|interactive|reaction|sticker|unsupported` (DESIGN.md).
    pub kind: String,
    /// What a person would read: text, caption, button title, place name …
    pub text: Option<String>,
    /// The id of the chosen button or list row.
    pub reply_id: Option<String>,
    /// The provider's id of the message that this one answers, reacts to, edits or revokes.
    pub context_id: Option<String>,
    /// Media and structured parts: `{ kind, external_id, mime_type, sha256, filename, caption, url, voice, … }`.
    pub attachments: Vec<Value>,
    /// Set when it is no message of its own but changes the one named by `context_id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<MessageChange>,
    /// When it was sent, as the provider says.
    pub at: Option<Timestamp>,
}

/// What a message does to an earlier one, which its `context_id` names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MessageChange {
    /// Its author wrote it anew: `kind`, `text` and `attachments` are the new ones.
    Edited,
    /// Its author took it back.
    Revoked,
}

/// A status of a message that we sent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IncomingStatus {
    /// The provider's id of the message.
    pub external_id: String,
    /// Our own id, when the provider echoes it (`biz_opaque_callback_data`).
    pub message_id: Option<String>,
    /// How far it is.
    pub status: DeliveryStatus,
    /// Why it failed.
    pub error: Option<DeliveryError>,
    /// To whom.
    pub recipient: Option<String>,
    /// When, as the provider says.
    pub at: Option<Timestamp>,
}

/// How far a message is; in order of rank, `Failed` apart (contracts: never go back).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryStatus {
    /// The provider sent it.
    Sent,
    /// It reached the device.
    Delivered,
    /// It was read, or played.
    Read,
    /// It will not arrive; replaces nothing or `Sent` only.
    Failed,
}

/// Why a message failed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DeliveryError {
    /// Our code.
    pub code: ErrorCode,
    /// The provider's own code.
    pub provider_code: String,
    /// For people.
    pub message: String,
}
