//! Consent: what a contact agreed to or refused, with its proof.

use crate::{events, policy::rules};
use onward_accounts::{Actor, CrmError};
use onward_core::{
    NewEvent, OrganisationId, Timestamp, Value,
    ports::{Change, Transaction},
};
use onward_database::{DatabaseError, Query, Tx, args};
use onward_records::{
    Contact, ContactId, contacts,
    events::contact_facts,
    timeline::{self, ItemKind},
};

/// What was said about one category on one channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement<'a> {
    /// The channel; `*`: all.
    pub channel: &'a str,
    /// `marketing`, `all` …
    pub category: &'a str,
    /// They agree, or refuse.
    pub granted: bool,
    /// When they said it.
    pub at: Timestamp,
    /// Where it was said: `message`, `provider`, `user` …
    pub source: &'a str,
    /// Their words.
    pub text: &'a str,
}

/// Records a statement. Refusals take effect at once; an older one that comes late is kept and changes nothing. Emits
/// `contact.unsubscribed`, or `contact.updated` when a refusal is taken back, and nothing when it is no news.
pub async fn record(tx: &mut Tx, organisation: OrganisationId, actor: &Actor, contact: ContactId, said: &Statement<'_>) -> Result<bool, CrmError> {
    let latest = tx
        .fetch_optional(
            "SELECT granted, at FROM consents WHERE organisation = $1 AND contact_id = $2 AND channel = $3 AND category = $4 ORDER BY at DESC, id DESC LIMIT 1",
            args![organisation, contact, said.channel, said.category],
        )
        .await?;
    let latest = latest.map(|row| Ok::<_, DatabaseError>((row.get::<bool>("granted")?, row.get::<Timestamp>("at")?))).transpose()?;
    if latest.is_some_and(|(granted, at)| granted == said.granted && at >= said.at) {
        return Ok(false);
    }
    let id = tx.fresh_id();
    let short: String = said.text.chars().take(500).collect();
    tx.execute(
        "INSERT INTO consents (organisation, id, contact_id, channel, category, granted, at, source, text) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        args![organisation, id, contact, said.channel, said.category, said.granted, said.at, said.source, short],
    )
    .await?;
    if latest.is_some_and(|(_, at)| at > said.at) {
        return Ok(false);
    }
    let Some(person) = contacts::set_opt_out(tx, organisation, contact, said.channel, said.category, !said.granted).await? else { return Ok(false) };
    announce(tx, organisation, actor, &person, said)?;
    Ok(true)
}

fn announce(tx: &mut Tx, organisation: OrganisationId, actor: &Actor, person: &Contact, said: &Statement<'_>) -> Result<(), CrmError> {
    let what = match (said.category, said.channel) {
        ("all", "*") => "all messages".to_owned(),
        ("all", channel) => format!("all messages on {channel}"),
        (category, channel) => format!("{category} messages on {channel}"),
    };
    let line = if said.granted { format!("Agreed again to {what}") } else { format!("Refused {what}") };
    timeline::add(tx, organisation, person.id, actor, ItemKind::Consent, &line, None)?;
    let mut data = contact_facts(person, actor);
    data.insert("channel".into(), said.channel.into());
    data.insert("category".into(), said.category.into());
    data.insert("source".into(), said.source.into());
    data.insert("text".into(), said.text.into());
    data.insert("at".into(), said.at.to_string().into());
    let kind = if said.granted {
        data.insert("changed".into(), vec!["opt_outs"].into());
        "contact.updated"
    } else {
        "contact.unsubscribed"
    };
    let mut event = NewEvent::new(organisation, kind, events::SOURCE, Value::Object(data));
    event.subject = Some(person.id.to_string());
    tx.emit(actor.stamp(event));
    tx.announce(Change {
        organisation,
        topic: "contact".into(),
        id: person.id.to_string(),
        data: serde_json::json!({ "event": kind, "opt_outs": person.opt_outs }),
    });
    Ok(())
}

/// What a text says about consent: `Some(false)` refuses, `Some(true)` agrees again. Pure.
pub fn read_text(text: &str) -> Option<bool> {
    // Longer texts are sentences: what they mean is for people to say.
    if text.chars().count() > 40 {
        return None;
    }
    let words: Vec<String> = text
        .to_lowercase()
        .split(|character: char| character.is_whitespace() || (character.is_ascii_punctuation() && character != '\''))
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect();
    let plain = words.join(" ");
    if rules::STOP_TEXTS.contains(&plain.as_str()) {
        Some(false)
    } else if rules::START_TEXTS.contains(&plain.as_str()) {
        Some(true)
    } else {
        None
    }
}

/// The category that a provider's error says the contact refused.
pub fn refused_by_error(connector: &str, provider_code: &str) -> Option<&'static str> {
    rules::REFUSAL_CODES.iter().find(|(of, code, _)| *of == connector && *code == provider_code).map(|(_, _, category)| *category)
}

/// Every statement of a contact, newest first.
pub async fn of_contact(db: &mut impl Query, organisation: OrganisationId, contact: ContactId) -> Result<Vec<Value>, DatabaseError> {
    let rows = db
        .fetch_all(
            "SELECT channel, category, granted, at, source, text FROM consents WHERE organisation = $1 AND contact_id = $2 ORDER BY at DESC, id DESC LIMIT 200",
            args![organisation, contact],
        )
        .await?;
    rows.iter()
        .map(|row| {
            Ok(serde_json::json!({
                "channel": row.get::<String>("channel")?, "category": row.get::<String>("category")?, "granted": row.get::<bool>("granted")?,
                "at": row.get::<Timestamp>("at")?, "source": row.get::<String>("source")?, "text": row.get::<String>("text")?,
            }))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_texts_count() {
        for (text, expected) in [
            ("STOP", Some(false)),
            (" stop. ", Some(false)),
            ("Stop!!", Some(false)),
            ("Unsubscribe", Some(false)),
            ("Opt-out", Some(false)),
            ("стоп", Some(false)),
            ("Arrêt", Some(false)),
            ("START", Some(true)),
            ("stop by our shop tomorrow", None),
            ("please stop sending the red ones, I want blue", None),
            ("cancel", None),
            ("", None),
        ] {
            assert_eq!(read_text(text), expected, "{text}");
        }
    }
}
