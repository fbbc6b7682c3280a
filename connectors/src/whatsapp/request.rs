//! Builds Graph API requests: pure, apart from sending.

use super::{setting, template};
use crate::channel::{Button, Content, OutgoingMessage};
use ::http::{
    HeaderMap, HeaderValue,
    header::{AUTHORIZATION, CONTENT_TYPE},
};
use onward_core::{ErrorCode, StepError, Value, ports::Connection};
use serde_json::json;
use std::collections::HashSet;
use url::Url;

const BASE_URL: &str = "https://graph.facebook.com";
const API_VERSION: &str = "v25.0";

/// Characters of a text message.
const TEXT_LENGTH: usize = 4096;
/// Characters of the text above buttons (recalled from Meta's reference).
const BUTTONS_TEXT_LENGTH: usize = 1024;
/// What a message may offer to choose from: how many, and the characters of each.
struct ChoiceLimits {
    count: usize,
    title: usize,
    id: usize,
}
const BUTTON_LIMITS: ChoiceLimits = ChoiceLimits { count: 3, title: 20, id: 256 };
const ROW_LIMITS: ChoiceLimits = ChoiceLimits { count: 10, title: 24, id: 200 };
/// Characters that travel with the call and come back with every status.
const CALLBACK_DATA_LENGTH: usize = 512;

pub(super) fn invalid(message: impl Into<String>) -> StepError {
    StepError::new(ErrorCode::InvalidInput, message)
}

/// `{base}/{version}/{phone_number_id}{path}` and the headers with the token.
pub(super) fn target(connection: &Connection, path: &str) -> Result<(Url, HeaderMap), StepError> {
    let of = |problem: &str| invalid(format!("the connection \"{}\" {problem}", connection.name));
    let number = setting(connection, "phone_number_id").ok_or_else(|| of("has no phone_number_id"))?;
    let base = setting(connection, "base_url").unwrap_or(BASE_URL).trim_end_matches('/');
    let version = setting(connection, "api_version").unwrap_or(API_VERSION);
    let mut url = Url::parse(base).map_err(|error| of(&format!("has a base_url that is no address ({error})")))?;
    {
        let mut segments = url.path_segments_mut().map_err(|()| of("has a base_url that cannot carry a path"))?;
        segments.pop_if_empty().push(version).push(number);
        if !path.is_empty() {
            segments.push(path);
        }
    }
    let token = connection
        .secrets
        .get("access_token")
        .ok_or_else(|| StepError::new(ErrorCode::Unauthorized, format!("the connection \"{}\" has no access_token; set it", connection.name)))?;
    let mut value =
        HeaderValue::from_str(&format!("Bearer {}", token.expose())).map_err(|_| of("has an access_token with characters that no header can carry"))?;
    value.set_sensitive(true);
    Ok((url, HeaderMap::from_iter([(AUTHORIZATION, value), (CONTENT_TYPE, HeaderValue::from_static("application/json"))])))
}

/// The body of `POST /{phone_number_id}/messages`.
pub(super) fn body(message: &OutgoingMessage, user_id_field: &str) -> Value {
    let (kind, content) = match &message.content {
        Content::Text { text } => ("text", json!({ "preview_url": false, "body": text })),
        Content::Buttons { text, buttons } => {
            let buttons: Vec<Value> = buttons.iter().map(|button| json!({ "type": "reply", "reply": { "id": button.id, "title": button.title } })).collect();
            ("interactive", json!({ "type": "button", "body": { "text": text }, "action": { "buttons": buttons } }))
        }
        Content::List { text, button, rows } => {
            let rows: Vec<Value> = rows.iter().map(|row| json!({ "id": row.id, "title": row.title })).collect();
            ("interactive", json!({ "type": "list", "body": { "text": text }, "action": { "button": button, "sections": [{ "rows": rows }] } }))
        }
        Content::Template { name, language, params, header, buttons } => ("template", template::template(name, language, params, header.as_ref(), buttons)),
    };
    let mut body = json!({ "messaging_product": "whatsapp", "recipient_type": "individual" });
    let recipient_field = if is_user_id(&message.to) { user_id_field } else { "to" };
    body[recipient_field] = message.to.clone().into();
    if let Some(quoted) = &message.reply_to {
        body["context"] = json!({ "message_id": quoted });
    }
    body["type"] = kind.into();
    body[kind] = content;
    body["biz_opaque_callback_data"] = message.message_id.clone().into();
    body
}

/// Whether an address is a business-scoped user id (`US.1349…`): two capital letters and a full stop.
fn is_user_id(address: &str) -> bool {
    let bytes = address.as_bytes();
    bytes.len() > 3 && bytes[..2].iter().all(u8::is_ascii_uppercase) && bytes[2] == b'.'
}

/// Refuses what Meta would refuse anyway.
pub(super) fn check(message: &OutgoingMessage) -> Result<(), StepError> {
    if message.to.trim().is_empty() {
        return Err(invalid("the recipient has no address on WhatsApp"));
    }
    if message.message_id.chars().count() > CALLBACK_DATA_LENGTH {
        return Err(invalid(format!("a message id has at most {CALLBACK_DATA_LENGTH} characters")));
    }
    match &message.content {
        Content::Text { text } => length("text", text, TEXT_LENGTH),
        Content::Buttons { text, buttons } => {
            length("text", text, BUTTONS_TEXT_LENGTH)?;
            check_choices("buttons", buttons, &BUTTON_LIMITS)
        }
        Content::List { text, button, rows } => {
            length("text", text, BUTTONS_TEXT_LENGTH)?;
            length("button", button, BUTTON_LIMITS.title)?;
            check_choices("rows", rows, &ROW_LIMITS)
        }
        Content::Template { name, language, params, header, buttons } => template::check(name, language, params, header.as_ref(), buttons),
    }
}

pub(super) fn length(what: &str, text: &str, most: usize) -> Result<(), StepError> {
    let characters = text.chars().count();
    if text.trim().is_empty() {
        return Err(invalid(format!("{what}: must not be empty")));
    }
    if characters > most { Err(invalid(format!("{what}: has {characters} characters; WhatsApp takes at most {most}"))) } else { Ok(()) }
}

fn check_choices(name: &str, choices: &[Button], limits: &ChoiceLimits) -> Result<(), StepError> {
    if !(1..=limits.count).contains(&choices.len()) {
        return Err(invalid(format!("{name}: there are {}; WhatsApp takes 1 to {}", choices.len(), limits.count)));
    }
    let (mut ids, mut titles) = (HashSet::new(), HashSet::new());
    for (index, choice) in choices.iter().enumerate() {
        length(&format!("{name}[{index}].id"), &choice.id, limits.id)?;
        length(&format!("{name}[{index}].title"), &choice.title, limits.title)?;
        if !ids.insert(&choice.id) || !titles.insert(&choice.title) {
            return Err(invalid(format!("{name}[{index}]: two of them have the same id or title")));
        }
    }
    Ok(())
}
