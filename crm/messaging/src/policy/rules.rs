//! The rules as data. Platforms change them every quarter: each names its source and the day it was read.

/// A rule that a verdict can name.
#[derive(Debug, PartialEq, Eq)]
pub struct Rule {
    /// Short name.
    pub id: &'static str,
    /// One sentence for people: what it says, and the remedy.
    pub text: &'static str,
    /// Where it is written.
    pub source: &'static str,
    /// The day of that text, ISO 8601.
    pub date: &'static str,
}

/// A channel on which free text is allowed only for a while after the contact wrote.
#[derive(Debug)]
pub struct Window {
    /// The channel.
    pub channel: &'static str,
    /// How long it stays open, in milliseconds.
    pub open_ms: i64,
    /// The rule.
    pub rule: Rule,
}

/// Channels with a window.
///
/// The 72 hours after a click on an ad are free of charge; whether free text is allowed in them beyond the first 24 is not
/// confirmed by the provider, so they are not counted.
pub const WINDOWS: &[Window] = &[Window {
    channel: "whatsapp",
    open_ms: 24 * 60 * 60 * 1000,
    rule: Rule {
        id: "R1",
        text: "The contact has not written within the last 24 hours: WhatsApp takes only approved templates; send a template, or wait for an answer",
        source: "developers.facebook.com/docs/whatsapp/cloud-api/guides/send-messages",
        date: "2026-05-21",
    },
}];

/// What a contact refused is refused at once.
pub static OPT_OUT: Rule = Rule {
    id: "R5",
    text: "The contact has refused such messages; name another category where it is none of what they refused, or let a person answer when they write",
    source: "developers.facebook.com/docs/whatsapp/overview/getting-opt-in",
    date: "2026-05-28",
};

/// Texts by which a contact refuses everything on a channel. Compared whole, without case and punctuation.
///
/// CANCEL, END and QUIT, which carriers demand for SMS, are left out: on a chat they are more often about an order.
pub const STOP_TEXTS: &[&str] = &[
    "stop",
    "stop all",
    "stopall",
    "stop messages",
    "stop promotions",
    "stop promotional messages",
    "unsubscribe",
    "unsubscribe me",
    "opt out",
    "optout",
    "remove me",
    "abmelden",
    "stopp",
    "abbestellen",
    "baja",
    "darme de baja",
    "parar",
    "sair",
    "descadastrar",
    "désabonner",
    "se désabonner",
    "arrêt",
    "disiscrivimi",
    "berhenti",
    "отписаться",
    "стоп",
    "रोकें",
    "बंद करो",
];

/// Texts that take a refusal back; heard only from someone who refused.
pub const START_TEXTS: &[&str] = &["start", "unstop", "subscribe", "resume", "opt in", "optin"];

/// Providers' error codes that say that the contact refused a category: (connector, code, category).
pub const REFUSAL_CODES: &[(&str, &str, &str)] = &[("whatsapp", "131050", "marketing")];

/// For how long providers repeat a delivery, in milliseconds: a message that claims to be older was not written then
/// (Meta: up to 7 days, with a day to spare).
pub const LATEST_DELIVERY_MS: i64 = 8 * 24 * 60 * 60 * 1000;
