//! The `template` part of a send: header, body and buttons, each with what it was approved to take.

use super::request::invalid;
use crate::channel::{TemplateButton, TemplateHeader};
use onward_core::{StepError, Value};
use serde_json::json;
use url::Url;

/// Characters of a template's name.
const NAME_LENGTH: usize = 512;
/// Buttons of one template.
const BUTTONS: usize = 10;
/// Characters of what one button carries.
const BUTTON_LENGTH: usize = 2_000;

/// The part's JSON.
pub(super) fn template(name: &str, language: &str, params: &[(String, Value)], header: Option<&TemplateHeader>, buttons: &[(u8, TemplateButton)]) -> Value {
    let mut template = json!({ "name": name, "language": { "code": language } });
    let mut components = Vec::new();
    if let Some(header) = header {
        components.push(json!({ "type": "header", "parameters": header_parameters(header) }));
    }
    if !params.is_empty() {
        components.push(json!({ "type": "body", "parameters": texts(params) }));
    }
    for (place, button) in buttons {
        let (kind, parameter) = match button {
            TemplateButton::Url(text) => ("url", json!({ "type": "text", "text": text })),
            TemplateButton::Payload(payload) => ("quick_reply", json!({ "type": "payload", "payload": payload })),
            TemplateButton::Code(code) => ("copy_code", json!({ "type": "coupon_code", "coupon_code": code })),
        };
        components.push(json!({ "type": "button", "sub_type": kind, "index": place.to_string(), "parameters": [parameter] }));
    }
    if !components.is_empty() {
        template["components"] = components.into();
    }
    template
}

fn header_parameters(header: &TemplateHeader) -> Value {
    match header {
        TemplateHeader::Text(params) => texts(params).into(),
        TemplateHeader::Image { link } => json!([{ "type": "image", "image": { "link": link } }]),
        TemplateHeader::Video { link } => json!([{ "type": "video", "video": { "link": link } }]),
        TemplateHeader::Document { link, filename } => {
            let mut document = json!({ "link": link });
            if let Some(filename) = filename {
                document["filename"] = filename.clone().into();
            }
            json!([{ "type": "document", "document": document }])
        }
        TemplateHeader::Location { latitude, longitude, name, address } => {
            json!([{ "type": "location", "location": { "latitude": latitude.to_string(), "longitude": longitude.to_string(), "name": name, "address": address } }])
        }
    }
}

/// Numbered values go by their place, others by their names.
fn texts(params: &[(String, Value)]) -> Vec<Value> {
    let positions: Option<Vec<u32>> = params.iter().map(|(key, _)| key.parse().ok()).collect();
    match positions {
        Some(positions) => {
            let mut placed: Vec<_> = positions.into_iter().zip(params).collect();
            placed.sort_by_key(|(position, _)| *position);
            placed.into_iter().map(|(_, (_, value))| json!({ "type": "text", "text": text_of(value) })).collect()
        }
        None => params.iter().map(|(key, value)| json!({ "type": "text", "parameter_name": key, "text": text_of(value) })).collect(),
    }
}

fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Refuses what Meta would refuse anyway.
pub(super) fn check(
    name: &str,
    language: &str,
    params: &[(String, Value)],
    header: Option<&TemplateHeader>,
    buttons: &[(u8, TemplateButton)],
) -> Result<(), StepError> {
    let right = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    if name.is_empty() || name.len() > NAME_LENGTH || !name.bytes().all(right) {
        return Err(invalid(format!("template: \"{name}\" is no template name: lower-case letters, digits and underscores")));
    }
    if language.trim().is_empty() {
        return Err(invalid("template: its language is missing (en_US)"));
    }
    check_params("params", params)?;
    match header {
        None => {}
        Some(TemplateHeader::Text(params)) => check_params("header", params)?,
        Some(TemplateHeader::Image { link } | TemplateHeader::Video { link } | TemplateHeader::Document { link, .. }) => check_link(link)?,
        Some(TemplateHeader::Location { latitude, longitude, .. }) if (-90.0..=90.0).contains(latitude) && (-180.0..=180.0).contains(longitude) => {}
        Some(TemplateHeader::Location { latitude, longitude, .. }) => {
            return Err(invalid(format!("header: {latitude}, {longitude} is no place on Earth")));
        }
    }
    check_buttons(buttons)
}

fn check_params(field: &str, params: &[(String, Value)]) -> Result<(), StepError> {
    let numbered = params.iter().filter(|(key, _)| key.parse::<u32>().is_ok()).count();
    if numbered != 0 && numbered != params.len() {
        return Err(invalid(format!("{field}: use numbers for all, or names for all")));
    }
    let mut positions: Vec<u32> = params.iter().filter_map(|(key, _)| key.parse().ok()).collect();
    positions.sort_unstable();
    if positions.iter().zip(1..).any(|(position, expected)| *position != expected) {
        return Err(invalid(format!("{field}: the numbers must run from 1 without a gap")));
    }
    for (key, value) in params {
        match value {
            Value::String(text) if text.trim().is_empty() => return Err(invalid(format!("{field}.{key}: must not be empty"))),
            Value::String(text) if text.contains(['\n', '\t']) || text.contains("    ") => {
                return Err(invalid(format!("{field}.{key}: WhatsApp takes no line breaks, tabs, or more than three spaces in a row here")));
            }
            Value::String(_) | Value::Number(_) | Value::Bool(_) => {}
            Value::Null => return Err(invalid(format!("{field}.{key}: is missing; use default(…) for people of whom you do not know it"))),
            Value::Array(_) | Value::Object(_) => return Err(invalid(format!("{field}.{key}: must be text, a number or a boolean"))),
        }
    }
    Ok(())
}

/// Meta fetches it: an address of the public web.
fn check_link(link: &str) -> Result<(), StepError> {
    match Url::parse(link) {
        Ok(url) if url.scheme() == "https" && url.host().is_some() => Ok(()),
        _ => Err(invalid(format!("header: \"{link}\" is no https:// address; WhatsApp fetches the file from there"))),
    }
}

fn check_buttons(buttons: &[(u8, TemplateButton)]) -> Result<(), StepError> {
    for (at, (place, button)) in buttons.iter().enumerate() {
        let (TemplateButton::Url(text) | TemplateButton::Payload(text) | TemplateButton::Code(text)) = button;
        if usize::from(*place) >= BUTTONS {
            return Err(invalid(format!("button_params: a template has at most {BUTTONS} buttons")));
        }
        if buttons[..at].iter().any(|(earlier, _)| earlier == place) {
            return Err(invalid(format!("button_params: button {place} stands twice")));
        }
        let characters = text.chars().count();
        if text.trim().is_empty() || characters > BUTTON_LENGTH {
            return Err(invalid(format!("button_params[{place}]: has {characters} characters; WhatsApp takes 1 to {BUTTON_LENGTH}")));
        }
    }
    Ok(())
}
