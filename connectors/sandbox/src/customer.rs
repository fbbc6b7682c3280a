//! Writing as a customer, and what their phone shows.

use crate::{
    deliver::{Delivery, deliver, envelope},
    reply::bad_request,
    state::{Line, Shared},
};
use axum::{
    Json,
    extract::{Path, Query, State, rejection::JsonRejection},
    response::{IntoResponse as _, Response},
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

/// What a customer writes: exactly one of the kinds.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Written {
    text: Option<String>,
    /// A reply button: `{ id, title }`.
    button_reply: Option<Value>,
    /// A row of a list: `{ id, title, description? }`.
    list_reply: Option<Value>,
    /// A quick-reply button of a template: `{ payload, text }`.
    button: Option<Value>,
    image: Option<Value>,
    video: Option<Value>,
    audio: Option<Value>,
    document: Option<Value>,
    sticker: Option<Value>,
    location: Option<Value>,
    contacts: Option<Value>,
    /// `{ message_id, emoji }`.
    reaction: Option<Value>,
    /// Any other message, as Meta would write it; must have a `type`.
    raw: Option<Value>,
    /// The name of their profile.
    name: Option<String>,
    /// Their business-scoped user id.
    user_id: Option<String>,
    /// Leaves their phone number out, as Meta does for people with user names.
    without_phone: bool,
    /// The id of the message that they answer.
    context: Option<String>,
    /// Which number they write to; the only one when left out.
    phone_number_id: Option<String>,
}

impl Written {
    /// The message's own members, and what the phone shows of it.
    fn content(&mut self) -> Result<(Value, String), String> {
        let shown = |value: &Value, names: &[&str]| names.iter().find_map(|name| value[*name].as_str()).unwrap_or_default().to_owned();
        let mut kinds: Vec<(Value, String)> = Vec::new();
        if let Some(text) = self.text.take() {
            kinds.push((json!({ "type": "text", "text": { "body": text } }), text));
        }
        for (kind, reply) in [("button_reply", self.button_reply.take()), ("list_reply", self.list_reply.take())] {
            if let Some(reply) = reply {
                if !reply["id"].is_string() || !reply["title"].is_string() {
                    return Err(format!("{kind} needs the texts id and title"));
                }
                let title = shown(&reply, &["title"]);
                kinds.push((json!({ "type": "interactive", "interactive": { "type": kind, kind: reply } }), title));
            }
        }
        let parts = [
            ("button", self.button.take()),
            ("image", self.image.take()),
            ("video", self.video.take()),
            ("audio", self.audio.take()),
            ("document", self.document.take()),
            ("sticker", self.sticker.take()),
            ("location", self.location.take()),
            ("contacts", self.contacts.take()),
            ("reaction", self.reaction.take()),
        ];
        for (kind, part) in parts {
            if let Some(part) = part {
                let text = shown(&part, &["text", "caption", "name", "emoji"]);
                let text = if text.is_empty() { format!("[{kind}]") } else { text };
                kinds.push((json!({ "type": kind, kind: part }), text));
            }
        }
        if let Some(raw) = self.raw.take() {
            let Some(kind) = raw["type"].as_str() else { return Err("raw needs a type".into()) };
            let text = format!("[{kind}]");
            kinds.push((raw, text));
        }
        match (kinds.pop(), kinds.is_empty()) {
            (Some(content), true) => Ok(content),
            _ => {
                Err("write exactly one of text, button_reply, list_reply, button, image, video, audio, document, sticker, location, contacts, reaction, raw"
                    .into())
            }
        }
    }
}

/// `POST /sandbox/customers/{wa_id}/messages`: answers after the webhook was posted once.
pub(crate) async fn write(State(shared): State<Arc<Shared>>, Path(wa_id): Path<String>, written: Result<Json<Written>, JsonRejection>) -> Response {
    let mut written = match written {
        Ok(Json(written)) => written,
        Err(rejection) => return bad_request(rejection.body_text()),
    };
    let wa_id = wa_id.trim_start_matches('+').to_owned();
    if wa_id.is_empty() || !wa_id.bytes().all(|byte| byte.is_ascii_digit()) {
        return bad_request("a customer is named by their number, digits only");
    }
    let (mut message, shown) = match written.content() {
        Ok(content) => content,
        Err(problem) => return bad_request(problem),
    };
    if written.without_phone && written.user_id.is_none() {
        return bad_request("a customer without a phone number needs a user_id");
    }
    let found = {
        let inner = shared.lock();
        match &written.phone_number_id {
            Some(id) => inner.accounts.get(id).cloned(),
            None => inner.accounts.values().next().filter(|_| inner.accounts.len() == 1).cloned(),
        }
    };
    let Some(account) = found else { return bad_request("say which number they write to: phone_number_id") };
    let now = shared.now();
    let id = shared.change(|inner| {
        let id = inner.fresh("wamid.CUSTOMER");
        let kind = message["type"].as_str().unwrap_or_default().to_owned();
        // Our answers go to what the webhook shows of them.
        let key = if written.without_phone { written.user_id.clone().unwrap_or_default() } else { wa_id.clone() };
        let customer = inner.customers.entry(key).or_default();
        customer.wrote_at = Some(now);
        customer.lines.push(Line { from: "customer", id: id.clone(), kind, text: shown, buttons: Vec::new(), at: now });
        id
    });
    message["id"] = id.clone().into();
    message["timestamp"] = now.to_string().into();
    let mut contact = json!({ "profile": { "name": written.name.as_deref().unwrap_or("Sandbox Customer") } });
    if !written.without_phone {
        message["from"] = wa_id.clone().into();
        contact["wa_id"] = wa_id.into();
    }
    if let Some(user_id) = written.user_id {
        message["from_user_id"] = user_id.clone().into();
        contact["user_id"] = user_id.into();
    }
    if let Some(context) = written.context {
        message["context"] = json!({ "from": account.display_phone_number, "id": context });
    }
    let body = envelope(&account, json!({ "contacts": [contact], "messages": [message] }));
    let (delivered, status) = match deliver(&shared, &account, &body).await {
        Delivery::Taken => (true, Some(200)),
        Delivery::NotTaken(status) => (false, status),
        Delivery::Nowhere => (false, None),
    };
    Json(json!({ "id": id, "delivered": delivered, "status": status })).into_response()
}

/// Which customer's phone.
#[derive(Debug, Deserialize)]
pub(crate) struct Shown {
    /// Waits until the phone shows this many messages of the business.
    at_least: Option<usize>,
}

/// `GET /sandbox/customers/{wa_id}/messages`: the conversation; `wa_id` may be a user id.
pub(crate) async fn show(State(shared): State<Arc<Shared>>, Path(wa_id): Path<String>, Query(query): Query<Shown>) -> Response {
    let key = wa_id.trim_start_matches('+').to_owned();
    let least = query.at_least.unwrap_or(0);
    let lines = shared.wait_for(|inner| {
        let lines = inner.customers.get(&key).map(|customer| customer.lines.clone()).unwrap_or_default();
        (lines.iter().filter(|line| line.from == "business").count() >= least).then_some(lines)
    });
    match tokio::time::timeout(crate::control::LONGEST_WAIT, lines).await {
        Ok(lines) => Json(json!({ "items": lines })).into_response(),
        Err(_) => crate::control::waited_in_vain(),
    }
}
