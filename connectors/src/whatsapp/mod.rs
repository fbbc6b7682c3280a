//! WhatsApp Business Cloud API.

mod codes;
mod normalise;
mod request;
mod send;
mod template;
#[cfg(test)]
mod tests;

use crate::{
    channel::Channel,
    connector::{Challenge, Connector, NormaliseError, TestReport, Verified, WebhookRequest},
    http::{HttpClient, HttpRequest},
    incoming::Incoming,
    manifest::{Capability, Field, FieldKind, Manifest},
    signature::hmac_sha256_matches,
};
use onward_core::{ErrorCode, StepError, Value, ports::Connection};
use serde_json::json;
use std::{sync::Arc, time::Duration};
use subtle::ConstantTimeEq as _;

pub use codes::{Act, Verdict, verdict};
pub use send::WhatsAppChannel;

/// The connector's id.
pub const ID: &str = "whatsapp";
const SIGNATURE_HEADER: &str = "X-Hub-Signature-256";

/// What people and programs must know of the connector.
pub fn manifest() -> Manifest {
    Manifest {
        id: ID,
        title: "WhatsApp",
        description: "Messages over the WhatsApp Business Cloud API of Meta.",
        config: vec![
            Field::required(
                "phone_number_id",
                FieldKind::Text,
                "Phone number id",
                "The id of the business number, from WhatsApp > API Setup; not the number itself.",
            ),
            Field::optional("waba_id", FieldKind::Text, "Business account id", "The id of the WhatsApp Business Account; for templates."),
            Field::optional("api_version", FieldKind::Text, "API version", "v25.0 when left out."),
            Field::optional(
                "user_id_field",
                FieldKind::Choice(&["recipient", "to"]),
                "Field for user ids",
                "Where a business-scoped user id goes in a send: Meta's partners disagree. `recipient` when left out.",
            ),
        ],
        secrets: vec![
            Field::optional("access_token", FieldKind::Text, "Access token", "Of a system user with whatsapp_business_messaging."),
            Field::optional("app_secret", FieldKind::Text, "App secret", "Of the Meta app; signs every delivery."),
            Field::optional("verify_token", FieldKind::Text, "Verify token", "A word of your choice; Meta sends it when the webhook is set up."),
        ],
        account: Some("phone_number_id"),
        capabilities: vec![Capability::Webhooks, Capability::Messages],
    }
}

/// The `whatsapp` connector.
pub struct WhatsApp {
    client: HttpClient,
    manifest: Manifest,
}

impl WhatsApp {
    /// The connector over this client.
    pub fn new(client: HttpClient) -> Self {
        Self { client, manifest: manifest() }
    }
}

#[onward_core::async_trait]
impl Connector for WhatsApp {
    fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    fn verify(&self, connection: &Connection, request: &WebhookRequest) -> Verified {
        let Some(secret) = connection.secrets.get("app_secret") else {
            return Verified::Forged { reason: "the connection has no app_secret" };
        };
        let Some(signature) = request.header(SIGNATURE_HEADER).and_then(|text| text.strip_prefix("sha256=")) else {
            return Verified::Forged { reason: "X-Hub-Signature-256 is missing or is not sha256=…" };
        };
        if hmac_sha256_matches(secret.expose().as_bytes(), &request.body, signature) {
            Verified::Genuine
        } else {
            Verified::Forged { reason: "the signature does not match" }
        }
    }

    fn challenge(&self, connection: &Connection, request: &WebhookRequest) -> Challenge {
        let expected = connection.secrets.get("verify_token");
        match (request.query("hub.mode"), request.query("hub.verify_token"), request.query("hub.challenge"), expected) {
            (Some("subscribe"), Some(token), Some(challenge), Some(expected)) if bool::from(token.as_bytes().ct_eq(expected.expose().as_bytes())) => {
                Challenge::Answer(challenge.to_owned())
            }
            _ => Challenge::Refused,
        }
    }

    fn normalise(&self, body: &[u8]) -> Result<Vec<Incoming>, NormaliseError> {
        normalise::normalise(body)
    }

    fn channel(&self) -> Option<Arc<dyn Channel>> {
        Some(Arc::new(WhatsAppChannel::new(self.client.clone())))
    }

    async fn test(&self, connection: &Connection) -> Result<TestReport, StepError> {
        let (mut url, headers) = request::target(connection, "")?;
        url.query_pairs_mut().append_pair("fields", "display_phone_number,verified_name,quality_rating");
        let call = HttpRequest { method: ::http::Method::GET, url, headers, body: None, timeout: Duration::from_secs(10), max_reply_bytes: 64 << 10 };
        let reply = self.client.call(call).await.map_err(|error| StepError::new(ErrorCode::Unavailable, error.to_string()))?;
        let answer = crate::json::parse(&reply.body).unwrap_or_default();
        if reply.status == 200 && answer["error"].is_null() {
            let shown = answer["display_phone_number"].as_str().or(answer["id"].as_str()).unwrap_or("the number");
            let name = answer["verified_name"].as_str().map(|name| format!(" ({name})")).unwrap_or_default();
            return Ok(TestReport { message: format!("Connected to {shown}{name}."), details: answer });
        }
        Err(codes::graph_error(&answer, Some(connection)).map_or_else(
            || {
                StepError::new(ErrorCode::Unavailable, format!("the server answered {} without an explanation", reply.status))
                    .with_details(json!({ "status": reply.status }))
            },
            |(_, error)| error,
        ))
    }
}

/// A config value as text.
fn setting<'a>(connection: &'a Connection, name: &str) -> Option<&'a str> {
    connection.config.get(name).and_then(Value::as_str)
}
