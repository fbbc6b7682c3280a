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
/// Buttons of one message.
const BUTTONS: usize = 3;
/// Characters of a button's title.
const BUTTON_TITLE_LENGTH: usize = 20;
/// Characters of a button's id.
const BUTTON_ID_LENGTH: usize = 256;
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
            check_buttons(buttons)
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

fn check_buttons(buttons: &[Button]) -> Result<(), StepError> {
    if !(1..=BUTTONS).contains(&buttons.len()) {
        return Err(invalid(format!("buttons: there are {}; WhatsApp takes 1 to {BUTTONS}", buttons.len())));
    }
    let (mut ids, mut titles) = (HashSet::new(), HashSet::new());
    for (index, button) in buttons.iter().enumerate() {
        length(&format!("buttons[{index}].id"), &button.id, BUTTON_ID_LENGTH)?;
        length(&format!("buttons[{index}].title"), &button.title, BUTTON_TITLE_LENGTH)?;
        if !ids.insert(&button.id) || !titles.insert(&button.title) {
            return Err(invalid(format!("buttons[{index}]: two buttons have the same id or title")));
        }
    }
    Ok(())
}
