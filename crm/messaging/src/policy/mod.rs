//! The messaging policy: one pure function that every outgoing message passes, whoever writes it: composer, automation,
//! campaign, simulation, API. Its rules are data with a date ([`rules`]).

pub mod rules;
#[cfg(test)]
mod tests;

use onward_accounts::AuthorKind;
use onward_core::{Object, Timestamp, Value};
use rules::{OPT_OUT, WINDOWS};
use serde::{Deserialize, Serialize};

/// What a message is for; templates are approved for one, free text is an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    /// Offers and announcements.
    Marketing,
    /// About something that the contact began: an order, an appointment.
    Utility,
    /// A code to sign in with.
    Authentication,
    /// An answer within a conversation.
    Service,
}

impl Category {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Marketing, Self::Utility, Self::Authentication, Self::Service];

    /// As in JSON and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Marketing => "marketing",
            Self::Utility => "utility",
            Self::Authentication => "authentication",
            Self::Service => "service",
        }
    }
    /// Reads what [`Category::as_str`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|category| category.as_str() == text)
    }
}

/// The form of a message, as far as rules care.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageForm {
    /// Anything that nobody approved beforehand.
    FreeForm,
    /// A template that the provider approved.
    Template,
}

/// The message, as far as rules care.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MessageFacts {
    /// Its form.
    pub form: MessageForm,
    /// What it is for, when its author says.
    pub category: Option<Category>,
}

/// The channel account, as far as rules care.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AccountFacts {
    /// When this contact last wrote to this very account; opens the provider's window.
    pub last_inbound_at: Option<Timestamp>,
}

/// The contact, as far as rules care.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ContactFacts<'a> {
    /// What they refused, as `CHANNEL:CATEGORY`; the category `all` covers every other.
    pub opt_outs: &'a [String],
}

/// What the policy decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may leave now.
    Allow,
    /// Not before this moment.
    Hold {
        /// When it may be asked again.
        until: Timestamp,
        /// Which rule.
        rule: &'static rules::Rule,
    },
    /// Only as a template.
    NeedTemplate {
        /// Which rule.
        rule: &'static rules::Rule,
    },
    /// Only if a person writes it.
    NeedHuman {
        /// Which rule.
        rule: &'static rules::Rule,
    },
    /// Not at all.
    Deny {
        /// Why, for programs.
        code: &'static str,
        /// Which rule.
        rule: &'static rules::Rule,
    },
}

impl Verdict {
    /// The one word for it: `allow`, `hold`, `need_template`, `need_human`, `deny`.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Hold { .. } => "hold",
            Self::NeedTemplate { .. } => "need_template",
            Self::NeedHuman { .. } => "need_human",
            Self::Deny { .. } => "deny",
        }
    }
    /// The rule that decided, when one did.
    pub fn rule(&self) -> Option<&'static rules::Rule> {
        match self {
            Self::Allow => None,
            Self::Hold { rule, .. } | Self::NeedTemplate { rule } | Self::NeedHuman { rule } | Self::Deny { rule, .. } => Some(rule),
        }
    }
    /// What is stored with the message, and shown.
    pub fn to_value(&self) -> Value {
        let mut object = Object::new();
        object.insert("verdict".into(), self.word().into());
        if let Some(rule) = self.rule() {
            object.insert("rule".into(), rule.id.into());
            object.insert("source_date".into(), rule.date.into());
            object.insert("message".into(), rule.text.into());
        }
        match self {
            Self::Hold { until, .. } => {
                object.insert("until".into(), until.to_string().into());
            }
            Self::Deny { code, .. } => {
                object.insert("code".into(), (*code).into());
            }
            Self::Allow | Self::NeedTemplate { .. } | Self::NeedHuman { .. } => {}
        }
        Value::Object(object)
    }
}

/// Decides. What a contact refused comes first; then the channel's window.
pub fn decide(channel: &str, account: AccountFacts, contact: ContactFacts<'_>, message: MessageFacts, author: AuthorKind, now: Timestamp) -> Verdict {
    let open = window_is_open(channel, account, now);
    if refused(channel, contact, message, author, open) {
        return Verdict::Deny { code: "opted_out", rule: &OPT_OUT };
    }
    match WINDOWS.iter().find(|window| window.channel == channel) {
        Some(window) if !open && message.form == MessageForm::FreeForm => Verdict::NeedTemplate { rule: &window.rule },
        _ => Verdict::Allow,
    }
}

/// Whether the provider's window is open; always, on a channel that has none. It closes at the very millisecond.
pub fn window_is_open(channel: &str, account: AccountFacts, now: Timestamp) -> bool {
    match WINDOWS.iter().find(|window| window.channel == channel) {
        None => true,
        Some(window) => account.last_inbound_at.is_some_and(|at| now < at.plus_millis(window.open_ms)),
    }
}

fn refused(channel: &str, contact: ContactFacts<'_>, message: MessageFacts, author: AuthorKind, open: bool) -> bool {
    let has =
        |category: &str| contact.opt_outs.iter().any(|entry| entry.split_once(':').is_some_and(|(on, what)| (on == channel || on == "*") && what == category));
    if has("all") {
        // Someone who wrote again after STOP may be answered, by a person.
        let an_answer = author == AuthorKind::User && open && message.category != Some(Category::Marketing);
        return !an_answer;
    }
    // A template whose purpose nobody names may be marketing: it is treated as such where they refused that.
    let purpose = message.category.unwrap_or(match message.form {
        MessageForm::FreeForm => Category::Service,
        MessageForm::Template => Category::Marketing,
    });
    has(purpose.as_str())
}
