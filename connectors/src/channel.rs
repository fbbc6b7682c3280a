//! Sending on a channel: the connector's half of the one door (`crm/messaging` owns the other half: verdict, rows).

use onward_core::{StepError, Value, ports::Connection};
use serde::{Deserialize, Serialize};

/// A message ready to leave.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OutgoingMessage {
    /// Our id; travels with the call where the provider echoes it (`biz_opaque_callback_data`).
    pub message_id: String,
    /// The recipient's address on the channel (WhatsApp: `wa_id`, or a business-scoped user id).
    pub to: String,
    /// What is sent.
    pub content: Content,
    /// The provider's id of the message that it answers.
    pub reply_to: Option<String>,
}

/// What is sent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Content {
    /// Free text.
    Text {
        /// The text.
        text: String,
    },
    /// Text with up to three buttons.
    Buttons {
        /// The text.
        text: String,
        /// The choices.
        buttons: Vec<Button>,
    },
    /// Text with a list of choices to open.
    List {
        /// The text.
        text: String,
        /// What opens the list.
        button: String,
        /// The choices.
        rows: Vec<Button>,
    },
    /// A template that the provider has approved.
    Template {
        /// Its name.
        name: String,
        /// Its language (`en_US`).
        language: String,
        /// Values for its body: positional for `1`, `2` …, else named.
        params: Vec<(String, Value)>,
        /// What its header shows, where that is not fixed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        header: Option<TemplateHeader>,
        /// What its buttons carry, by their place from 0; only those that carry something.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        buttons: Vec<(u8, TemplateButton)>,
    },
}

/// What the header of a template shows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TemplateHeader {
    /// The values of its text, as those of the body.
    Text(Vec<(String, Value)>),
    /// A picture's address.
    Image {
        /// `https://…`
        link: String,
    },
    /// A film's address.
    Video {
        /// `https://…`
        link: String,
    },
    /// A file's address.
    Document {
        /// `https://…`
        link: String,
        /// The name that it gets on the phone.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        filename: Option<String>,
    },
    /// A place.
    Location {
        /// Degrees.
        latitude: f64,
        /// Degrees.
        longitude: f64,
        /// What it is called.
        name: String,
        /// Where it is.
        address: String,
    },
}

/// What a button of a template carries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TemplateButton {
    /// The end of its address.
    Url(String),
    /// Comes back as `reply_id`.
    Payload(String),
    /// What it copies.
    Code(String),
}

/// A choice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Button {
    /// Comes back as `reply_id`.
    pub id: String,
    /// What people see.
    pub title: String,
}

/// What came of sending.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "sent", rename_all = "snake_case")]
pub enum SendOutcome {
    /// Taken by the provider, under this id of its own. Not delivered yet.
    Accepted {
        /// The provider's id.
        external_id: String,
    },
    /// Surely not sent, and may be tried again after a while.
    TryLater {
        /// What the provider said, in milliseconds.
        after_ms: Option<i64>,
        /// Why.
        error: StepError,
    },
    /// Surely not sent, for good.
    Refused {
        /// Why.
        error: StepError,
    },
    /// It may have been sent.
    Unknown {
        /// What is known.
        error: StepError,
    },
}

/// A channel that can send.
#[onward_core::async_trait]
pub trait Channel: Send + Sync + 'static {
    /// The connector's id.
    fn connector(&self) -> &'static str;
    /// Refuses what the provider would refuse anyway (length, number of buttons), before anything is stored.
    fn check(&self, message: &OutgoingMessage) -> Result<(), StepError>;
    /// Sends. At most one call to the provider.
    async fn send(&self, connection: &Connection, message: &OutgoingMessage) -> SendOutcome;
}
