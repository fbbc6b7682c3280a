//! What the Graph API refuses of a send, from the contract's list of members and limits.

use serde_json::{Value, json};

/// A member that is wrong: what Meta answers with code 100 or another.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Mistake {
    pub(crate) code: i64,
    pub(crate) details: String,
}

fn mistake(details: impl Into<String>) -> Mistake {
    Mistake { code: 100, details: details.into() }
}

/// A send that may be accepted.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Accepted<'a> {
    pub(crate) to: &'a str,
    pub(crate) kind: &'a str,
}

/// Checks a send.
pub(crate) fn check(body: &Value) -> Result<Accepted<'_>, Mistake> {
    if body["messaging_product"] != "whatsapp" {
        return Err(mistake("The parameter messaging_product is required."));
    }
    let to = [&body["to"], &body["recipient"]].into_iter().find_map(Value::as_str).filter(|to| !to.trim().is_empty());
    let to = to.ok_or_else(|| mistake("The parameter to is required."))?;
    if !matches!(body["recipient_type"].as_str(), None | Some("individual" | "group")) {
        return Err(mistake("Param recipient_type must be one of {individual, group}."));
    }
    if body["biz_opaque_callback_data"].as_str().is_some_and(|data| data.chars().count() > 512) {
        return Err(mistake("biz_opaque_callback_data must be at most 512 characters long."));
    }
    let kind = body["type"].as_str().unwrap_or("text");
    let part = &body[kind];
    match kind {
        "text" => text(&part["body"], "text.body", 4096)?,
        "interactive" => interactive(part)?,
        "template" => {
            required(&part["name"], "template.name")?;
            required(&part["language"]["code"], "template.language.code")?;
        }
        "image" | "video" | "audio" | "document" | "sticker" => {
            if part["id"].is_null() && part["link"].is_null() {
                return Err(mistake(format!("{kind} must have an id or a link.")));
            }
            if part["caption"].as_str().is_some_and(|caption| caption.chars().count() > 1024) {
                return Err(mistake(format!("{kind}.caption must be at most 1024 characters long.")));
            }
        }
        "location" => {
            if part["latitude"].is_null() || part["longitude"].is_null() {
                return Err(mistake("location.latitude and location.longitude are required."));
            }
        }
        "reaction" => required(&part["message_id"], "reaction.message_id")?,
        "contacts" if part.as_array().is_some_and(|cards| !cards.is_empty()) => {}
        "contacts" => return Err(mistake("contacts must not be empty.")),
        other => return Err(mistake(format!("Param type must be one of the message types - got \"{other}\"."))),
    }
    Ok(Accepted { to, kind })
}

fn required(value: &Value, name: &str) -> Result<(), Mistake> {
    match value.as_str() {
        Some(text) if !text.is_empty() => Ok(()),
        _ => Err(mistake(format!("The parameter {name} is required."))),
    }
}

fn text(value: &Value, name: &str, most: usize) -> Result<(), Mistake> {
    required(value, name)?;
    if value.as_str().is_some_and(|text| text.chars().count() > most) {
        return Err(mistake(format!("Param {name} must be at most {most} characters long.")));
    }
    Ok(())
}

fn interactive(part: &Value) -> Result<(), Mistake> {
    text(&part["body"]["text"], "interactive.body.text", 1024)?;
    let action = &part["action"];
    match part["type"].as_str() {
        Some("button") => {
            let buttons = action["buttons"].as_array().map_or(&[][..], Vec::as_slice);
            if !(1..=3).contains(&buttons.len()) {
                return Err(mistake("Invalid buttons count. Min allowed buttons: 1, Max allowed buttons: 3."));
            }
            for (index, button) in buttons.iter().enumerate() {
                if button["type"] != "reply" {
                    return Err(mistake(format!("interactive.action.buttons[{index}].type must be reply.")));
                }
                text(&button["reply"]["id"], &format!("interactive.action.buttons[{index}].reply.id"), 256)?;
                text(&button["reply"]["title"], &format!("interactive.action.buttons[{index}].reply.title"), 20)?;
                if buttons[..index].iter().any(|earlier| earlier["reply"]["id"] == button["reply"]["id"]) {
                    return Err(mistake("Duplicate button ids."));
                }
            }
            Ok(())
        }
        Some("list") => {
            text(&action["button"], "interactive.action.button", 20)?;
            let sections = action["sections"].as_array().map_or(&[][..], Vec::as_slice);
            let rows: Vec<&Value> = sections.iter().filter_map(|section| section["rows"].as_array()).flatten().collect();
            if !(1..=10).contains(&rows.len()) {
                return Err(mistake("Total row count must be between 1 and 10."));
            }
            for row in rows {
                text(&row["id"], "row.id", 200)?;
                text(&row["title"], "row.title", 24)?;
                if row["description"].as_str().is_some_and(|description| description.chars().count() > 72) {
                    return Err(mistake("Param row.description must be at most 72 characters long."));
                }
            }
            Ok(())
        }
        _ => Err(mistake("Param interactive.type must be one of {button, list}.")),
    }
}

/// What a phone shows of a send: its text and its buttons.
pub(crate) fn shown(kind: &str, body: &Value) -> (String, Vec<Value>) {
    let part = &body[kind];
    let own = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    match kind {
        "text" => (own(&part["body"]), Vec::new()),
        "interactive" => {
            let buttons = part["action"]["buttons"].as_array().into_iter().flatten().map(|button| choice("button_reply", &button["reply"]));
            let rows = part["action"]["sections"].as_array().into_iter().flatten().filter_map(|section| section["rows"].as_array()).flatten();
            (own(&part["body"]["text"]), buttons.chain(rows.map(|row| choice("list_reply", row))).collect())
        }
        "template" => {
            let components = part["components"].as_array().into_iter().flatten();
            let parameters = components.filter_map(|component| component["parameters"].as_array()).flatten();
            let texts: Vec<&str> = parameters.filter_map(|parameter| parameter["text"].as_str()).collect();
            let name = own(&part["name"]);
            (if texts.is_empty() { format!("[template {name}]") } else { format!("[template {name}: {}]", texts.join(", ")) }, Vec::new())
        }
        "reaction" => (own(&part["emoji"]), Vec::new()),
        _ => (part["caption"].as_str().map_or_else(|| format!("[{kind}]"), str::to_owned), Vec::new()),
    }
}

/// What the customer may tap, and which kind of reply it makes.
fn choice(reply: &str, part: &Value) -> Value {
    json!({ "reply": reply, "choice": part })
}
