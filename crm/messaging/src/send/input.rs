//! The input of `message.send`.

use super::template;
use crate::{
    MessageId,
    policy::{Category, MessageForm},
    questions::{self, Wording},
};
use onward_accounts::{Author, CrmError, nodes::input::Input};
use onward_connectors::channel::{Button, Content, TemplateButton, TemplateHeader};
use onward_core::Value;
use serde::Deserialize as _;

/// What to do when the policy does not let the message leave now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum IfDenied {
    Hold,
    Skip,
    Fail,
}

/// The input, read.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct SendInput {
    pub(super) channel: Option<String>,
    pub(super) connection: Option<String>,
    body: Body,
    language: Option<String>,
    pub(super) category: Option<Category>,
    if_denied: Option<IfDenied>,
    pub(super) reply_to: Option<String>,
    pub(super) author: Option<Author>,
    /// The draft that this sends.
    pub(super) draft: Option<MessageId>,
}

#[derive(Clone, Debug, PartialEq)]
enum Body {
    Text { text: String, buttons: Vec<Button> },
    List { text: String, rows: Vec<Button> },
    Template(Template),
}

/// A template with what fills it.
#[derive(Clone, Debug, PartialEq)]
struct Template {
    name: String,
    params: Vec<(String, Value)>,
    header: Option<TemplateHeader>,
    buttons: Vec<(u8, TemplateButton)>,
}

impl SendInput {
    pub(super) fn read(input: &Input<'_>) -> Result<Self, CrmError> {
        let body = match (input.text("text")?, input.text("template")?) {
            (Some(_), Some(_)) => return Err(CrmError::invalid("template", "a message has either `text` or `template`, not both")),
            (None, None) => return Err(CrmError::invalid("text", "a message needs `text` or `template`, and neither has a value")),
            (Some(text), None) => {
                for name in ["params", "header", "button_params"] {
                    if input.value(name).is_some_and(|given| !is_empty(given)) {
                        return Err(CrmError::invalid(name, format!("`{name}` belongs to a template; a text is rendered by the workflow")));
                    }
                }
                Body::Text { text, buttons: buttons(input.value("buttons"))? }
            }
            (None, Some(name)) => {
                if input.value("buttons").is_some_and(|buttons| !is_empty(buttons)) {
                    return Err(CrmError::invalid(
                        "buttons",
                        "the buttons of a template are part of it; leave `buttons` out, and give what they carry in `button_params`",
                    ));
                }
                Body::Template(Template {
                    name,
                    params: params("params", input.value("params"))?,
                    header: template::header(input.value("header"))?,
                    buttons: template::buttons(input.value("button_params"))?,
                })
            }
        };
        Ok(Self {
            channel: input.text("channel")?,
            connection: input.text("connection")?,
            body,
            language: input.text("language")?,
            category: one_of(input, "category", Category::parse, &Category::ALL.map(Category::as_str))?,
            if_denied: one_of(input, "if_denied", parse_if_denied, &["hold", "skip", "fail"])?,
            reply_to: input.text("reply_to")?,
            draft: match input.text("draft")? {
                Some(text) => Some(onward_core::ids::parse(&text).ok_or_else(|| CrmError::not_found("draft", text))?),
                None => None,
            },
            author: match input.value("author") {
                None => None,
                Some(author) => {
                    Some(Author::deserialize(author).map_err(|error| CrmError::invalid("author", format!("an author is {{ kind, id }}: {error}")))?)
                }
            },
        })
    }

    /// The question that this brings, in each way in which it can be written: as it is, and with its choices in a list.
    pub(super) fn of_question(wording: &Wording) -> Vec<Self> {
        let Wording { text, choices } = wording.clone();
        let bodies = if choices.is_empty() {
            vec![Body::Text { text, buttons: Vec::new() }]
        } else {
            vec![Body::Text { text: text.clone(), buttons: choices.clone() }, Body::List { text, rows: choices }]
        };
        let input =
            |body| Self { channel: None, connection: None, body, language: None, category: None, if_denied: None, reply_to: None, author: None, draft: None };
        bodies.into_iter().map(input).collect()
    }

    /// Hold by default; a marketing message that may not leave now has lost its moment.
    pub(super) fn if_denied(&self) -> IfDenied {
        self.if_denied.unwrap_or(if self.category == Some(Category::Marketing) { IfDenied::Skip } else { IfDenied::Hold })
    }

    pub(super) fn form(&self) -> MessageForm {
        match self.body {
            Body::Text { .. } | Body::List { .. } => MessageForm::FreeForm,
            Body::Template(_) => MessageForm::Template,
        }
    }

    /// What the channel gets. A template without a language is asked for in the contact's, else in English.
    pub(super) fn content(&self, contact_language: Option<&str>) -> Content {
        match &self.body {
            Body::Text { text, buttons } if buttons.is_empty() => Content::Text { text: text.clone() },
            Body::Text { text, buttons } => Content::Buttons { text: text.clone(), buttons: buttons.clone() },
            Body::List { text, rows } => Content::List { text: text.clone(), button: questions::OPENS_LIST.to_owned(), rows: rows.clone() },
            Body::Template(Template { name, params, header, buttons }) => Content::Template {
                name: name.clone(),
                language: self.language.clone().or_else(|| contact_language.map(|code| code.replace('-', "_"))).unwrap_or_else(|| "en".to_owned()),
                params: params.clone(),
                header: header.clone(),
                buttons: buttons.clone(),
            },
        }
    }

    /// The kind of the message row.
    pub(super) fn kind(&self) -> &'static str {
        match &self.body {
            Body::Text { buttons, .. } if buttons.is_empty() => "text",
            Body::Text { .. } | Body::List { .. } => "interactive",
            Body::Template(_) => "template",
        }
    }

    /// What people read in the conversation.
    pub(super) fn readable(&self) -> String {
        match &self.body {
            Body::Text { text, .. } | Body::List { text, .. } => text.clone(),
            Body::Template(Template { name, .. }) => format!("Template {name}"),
        }
    }

    /// What belongs to it besides its text.
    pub(super) fn attachments(&self) -> Value {
        match &self.body {
            Body::Text { buttons, .. } if buttons.is_empty() => serde_json::json!([]),
            Body::Text { buttons, .. } => serde_json::json!([{ "kind": "buttons", "buttons": buttons }]),
            Body::List { rows, .. } => serde_json::json!([{ "kind": "list", "rows": rows }]),
            Body::Template(Template { name, params, header, buttons }) => {
                let params: onward_core::Object = params.iter().cloned().collect();
                let mut shown = serde_json::json!({ "kind": "template", "name": name, "params": params });
                if let Some(header) = header {
                    shown["header"] = serde_json::json!(header);
                }
                if !buttons.is_empty() {
                    shown["buttons"] = serde_json::json!(buttons);
                }
                serde_json::json!([shown])
            }
        }
    }
}

fn parse_if_denied(text: &str) -> Option<IfDenied> {
    match text {
        "hold" => Some(IfDenied::Hold),
        "skip" => Some(IfDenied::Skip),
        "fail" => Some(IfDenied::Fail),
        _ => None,
    }
}

fn one_of<T>(input: &Input<'_>, key: &str, parse: impl Fn(&str) -> Option<T>, words: &[&str]) -> Result<Option<T>, CrmError> {
    let Some(text) = input.text(key)? else { return Ok(None) };
    parse(&text).map(Some).ok_or_else(|| CrmError::invalid(key, format!("`{key}` is one of {}; this is `{text}`", words.join(", "))))
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(list) => list.is_empty(),
        Value::Object(members) => members.is_empty(),
        _ => false,
    }
}

fn buttons(value: Option<&Value>) -> Result<Vec<Button>, CrmError> {
    let Some(value) = value else { return Ok(Vec::new()) };
    let wrong = |at: usize| CrmError::invalid(format!("buttons/{at}"), "a button is { id, title }, both texts");
    let list = value.as_array().ok_or_else(|| CrmError::invalid("buttons", "`buttons` is a list of { id, title }"))?;
    list.iter()
        .enumerate()
        .map(|(at, button)| {
            let members = button.as_object().ok_or_else(|| wrong(at))?;
            let members = Input::within(members, "buttons");
            let title = members.text("title")?.ok_or_else(|| wrong(at))?;
            Ok(Button { id: members.text("id")?.unwrap_or_else(|| title.clone()), title })
        })
        .collect()
}

/// A list is positional (`1`, `2` …), an object goes by its names.
pub(super) fn params(field: &str, value: Option<&Value>) -> Result<Vec<(String, Value)>, CrmError> {
    match value {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(list)) => Ok(list.iter().zip(1_usize..).map(|(value, at)| (at.to_string(), value.clone())).collect()),
        Some(Value::Object(members)) => Ok(members.iter().map(|(name, value)| (name.clone(), value.clone())).collect()),
        Some(_) => Err(CrmError::invalid(field, format!("`{field}` is an object of names and values, or a list"))),
    }
}
