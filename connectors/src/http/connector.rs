//! The `http` connector: credentials for `http.request`, and the signature of webhook triggers.

use super::client::{HttpClient, HttpRequest};
use crate::{
    connector::{Connector, NormaliseError, TestReport, Verified, WebhookRequest},
    incoming::{Incoming, IncomingItem},
    manifest::{Capability, Field, FieldKind, Manifest},
};
use ::http::Method;
use onward_core::{ErrorCode, StepError, Value, ports::Connection};
use serde_json::json;
use std::time::Duration;

/// What people and programs must know of the connector.
pub fn manifest() -> Manifest {
    Manifest {
        id: "http",
        title: "HTTP",
        description: "Calls any server with a token and headers of its own, and takes signed webhooks.",
        config: vec![
            Field::optional("headers", FieldKind::TextMap, "Headers", "Sent with every call."),
            Field::optional(
                "signature_header",
                FieldKind::Text,
                "Signature header",
                "The header of incoming webhooks that carries their signature; X-Signature when left out. Webhook-Signature means Standard Webhooks.",
            ),
            Field::optional(
                "signature_algorithm",
                FieldKind::Choice(&["sha256", "sha512"]),
                "Signature algorithm",
                "The hash of the HMAC; sha256 when left out.",
            ),
            Field::optional(
                "timestamp_header",
                FieldKind::Text,
                "Timestamp header",
                "The header of incoming webhooks with their time in seconds since 1970; then TIME.BODY is signed.",
            ),
            Field::optional(
                "timestamp_tolerance_s",
                FieldKind::Text,
                "Timestamp tolerance",
                "Seconds that a signed time may lie away from now; 300 when left out.",
            ),
            Field::optional(
                "id_header",
                FieldKind::Text,
                "Id header",
                "The header of incoming webhooks with their id, by which a repeated delivery is known; Idempotency-Key or webhook-id when left out.",
            ),
            Field::optional(
                "username",
                FieldKind::Text,
                "User name",
                "The name that incoming webhooks with basic authentication must give; the token is the password.",
            ),
        ],
        secrets: vec![
            Field::optional(
                "token",
                FieldKind::Text,
                "Token",
                "Sent as a bearer token; without a signing secret, incoming webhooks must give it, as a bearer token or as the password.",
            ),
            Field::optional(
                "signing_secret",
                FieldKind::Text,
                "Signing secret",
                "Key of the HMAC over the body of incoming webhooks; the signature is in hex or base64.",
            ),
        ],
        account: None,
        capabilities: vec![Capability::Webhooks, Capability::Calls],
    }
}

/// The `http` connector.
pub struct HttpConnector {
    client: HttpClient,
    manifest: Manifest,
}

impl HttpConnector {
    /// The connector over this client.
    pub fn new(client: HttpClient) -> Self {
        Self { client, manifest: manifest() }
    }
}

#[onward_core::async_trait]
impl Connector for HttpConnector {
    fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    fn verify(&self, connection: &Connection, request: &WebhookRequest) -> Verified {
        super::verify::verify(connection, request)
    }

    fn normalise(&self, body: &[u8]) -> Result<Vec<Incoming>, NormaliseError> {
        let raw = crate::json::parse(body)?;
        Ok(vec![Incoming { account: None, item: IncomingItem::Raw { name: "delivery".into(), dedupe_id: None }, raw }])
    }

    async fn test(&self, connection: &Connection) -> Result<TestReport, StepError> {
        let Some(base) = connection.config.get("base_url") else {
            return Ok(TestReport { message: "Nothing to ask: the connection has no base_url.".into(), details: Value::Null });
        };
        // A path of "" keeps the base address as it is; the answer's status is no concern: the server is there.
        let input = json!({ "method": "HEAD", "url": base });
        let call = super::request::prepare(&input, Some(connection), "connection-test")?.request;
        let reply = self.client.call(HttpRequest { method: Method::HEAD, timeout: Duration::from_secs(10), max_reply_bytes: 0, ..call }).await;
        match reply {
            Ok(reply) if reply.status == 401 => Err(StepError::new(ErrorCode::Unauthorized, "the server answered 401: the token is missing, wrong or expired")),
            Ok(reply) => Ok(TestReport { message: format!("The server answered {}.", reply.status), details: json!({ "status": reply.status }) }),
            Err(error) => Err(StepError::new(ErrorCode::Unavailable, error.to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::AllowPrivate;
    use onward_core::{ConnectionId, ports::Secret};
    use std::sync::Arc;

    const SIGNATURE: &str = "52e98a5a5f97b4050c9b6a5b5765a2925749023bcf20d64bec8d405123109e4c";

    fn connection(config: &Value, secret: Option<&str>) -> Connection {
        let secrets = secret.map(|secret| ("signing_secret".to_owned(), Secret::new(secret))).into_iter().collect();
        Connection {
            id: ConnectionId(uuid::Uuid::nil()),
            connector: "http".into(),
            name: "a".into(),
            config: config.as_object().cloned().unwrap(),
            secrets: Arc::new(secrets),
        }
    }

    fn request(header: &'static str, signature: &str) -> WebhookRequest {
        let body = br#"{"object":"whatsapp_business_account","entry":[]}"#.as_slice().into();
        let headers = [(::http::HeaderName::from_static(header), signature.parse().unwrap())].into_iter().collect();
        WebhookRequest { method: Method::POST, headers, query: Vec::new(), body, received_at: onward_core::Timestamp::default() }
    }

    #[test]
    fn webhooks_are_verified_by_the_named_header() {
        let http = HttpConnector::new(HttpClient::new(AllowPrivate::None).unwrap());
        let secret = Some("fixture-meta-app-secret");
        let verify = |config: Value, secret, header| http.verify(&connection(&config, secret), &request(header, SIGNATURE)).is_genuine();
        assert!(verify(json!({}), secret, "x-signature"));
        assert!(verify(json!({ "signature_header": "X-Hub-Signature" }), secret, "x-hub-signature"));
        assert!(!verify(json!({ "signature_header": "X-Other" }), secret, "x-signature"));
        assert!(!verify(json!({}), None, "x-signature"));
        assert!(!verify(json!({}), Some("wrong"), "x-signature"));
    }

    #[test]
    fn any_json_is_kept_raw() {
        let http = HttpConnector::new(HttpClient::new(AllowPrivate::None).unwrap());
        let items = http.normalise(br#"{"a":1}"#).unwrap();
        assert_eq!(items.len(), 1);
        assert_eq!(items[0].raw, json!({ "a": 1 }));
        assert!(http.normalise(b"{").is_err());
    }
}
