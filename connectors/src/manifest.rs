//! What people and programs must know of a connector: the names of its config and secrets stand here once, and give the
//! form, the JSON Schema and the validation.

use onward_core::{Object, Value};
use serde::Serialize;
use serde_json::json;

/// A connector, described.
#[derive(Clone, Debug)]
pub struct Manifest {
    /// `whatsapp`: as in addresses, definitions and events.
    pub id: &'static str,
    /// For people.
    pub title: &'static str,
    /// One or two sentences.
    pub description: &'static str,
    /// What is not secret. `base_url` is part of every connector and need not be named.
    pub config: Vec<Field>,
    /// What is.
    pub secrets: Vec<Field>,
    /// The config key that names the provider's account, when one webhook address may serve several.
    pub account: Option<&'static str>,
    /// What it can do.
    pub capabilities: Vec<Capability>,
}

/// What a connector can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Capability {
    /// Takes deliveries at `/hooks/{connector}/{connection_id}`.
    Webhooks,
    /// Carries messages both ways.
    Messages,
    /// Makes calls on behalf of a workflow.
    Calls,
}

/// One entry of config or secrets.
#[derive(Clone, Debug)]
pub struct Field {
    /// Its name, fixed for ever.
    pub name: &'static str,
    /// For people.
    pub title: &'static str,
    /// What it is and where to find it.
    pub description: &'static str,
    /// What it holds.
    pub kind: FieldKind,
    /// Whether a connection is useless without it.
    pub required: bool,
}

/// What a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldKind {
    /// Text that is not empty. A number is taken as its text: ids are text.
    Text,
    /// An `http` or `https` address.
    Url,
    /// One of these.
    Choice(&'static [&'static str]),
    /// An object whose values are texts.
    TextMap,
}

impl Field {
    /// A field that may be left out.
    pub fn optional(name: &'static str, kind: FieldKind, title: &'static str, description: &'static str) -> Self {
        Self { name, title, description, kind, required: false }
    }
    /// A field that must be given.
    pub fn required(name: &'static str, kind: FieldKind, title: &'static str, description: &'static str) -> Self {
        Self { name, title, description, kind, required: true }
    }

    fn schema(&self) -> Value {
        let mut schema = match self.kind {
            FieldKind::Text => json!({ "type": "string", "minLength": 1 }),
            FieldKind::Url => json!({ "type": "string", "format": "uri" }),
            FieldKind::Choice(names) => json!({ "type": "string", "enum": names }),
            FieldKind::TextMap => json!({ "type": "object", "additionalProperties": { "type": "string" } }),
        };
        schema["title"] = self.title.into();
        schema["description"] = self.description.into();
        schema
    }
}

impl Manifest {
    /// Every field of `config`, `base_url` included.
    pub fn config_fields(&self) -> Vec<Field> {
        let mut fields = self.config.clone();
        fields.push(Field::optional("base_url", FieldKind::Url, "Base address", "Sends the calls to another host: a proxy, the sandbox, a test."));
        fields
    }
    /// JSON Schema 2020-12 of `config`.
    pub fn config_schema(&self) -> Value {
        schema_of(&self.config_fields())
    }
    /// JSON Schema 2020-12 of `secrets`.
    pub fn secrets_schema(&self) -> Value {
        schema_of(&self.secrets)
    }
    /// The catalogue's entry (`GET /connectors`).
    pub fn to_json(&self) -> Value {
        json!({
            "id": self.id,
            "title": self.title,
            "description": self.description,
            "capabilities": self.capabilities,
            "config": self.config_schema(),
            "secrets": self.secrets_schema(),
        })
    }
}

fn schema_of(fields: &[Field]) -> Value {
    let properties: Object = fields.iter().map(|field| (field.name.to_owned(), field.schema())).collect();
    let required: Vec<&str> = fields.iter().filter(|field| field.required).map(|field| field.name).collect();
    json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_names_what_is_required_and_nothing_else_is_allowed() {
        let manifest = crate::whatsapp::manifest();
        let schema = manifest.config_schema();
        assert_eq!(schema["required"], json!(["phone_number_id"]));
        assert_eq!(schema["additionalProperties"], json!(false));
        assert_eq!(schema["properties"]["base_url"]["format"], json!("uri"));
        let entry = manifest.to_json();
        let names: Vec<&String> = entry["secrets"]["properties"].as_object().unwrap().keys().collect();
        assert_eq!(names, ["access_token", "app_secret", "verify_token"]);
    }
}
