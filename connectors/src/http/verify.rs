//! Who may deliver to a webhook trigger: a signature over the raw bytes, a token, or a name and a password. All are compared in
//! constant time, and before anything is parsed.

use crate::{
    connector::{Verified, WebhookRequest},
    signature::{self, Algorithm},
};
use base64::Engine as _;
use onward_core::{
    Value,
    ports::{Connection, Secret},
};

/// The header that carries the signature when the connection names none.
const SIGNATURE_HEADER: &str = "X-Signature";
/// The header of Standard Webhooks signatures, which sign id and time besides the body.
const STANDARD_HEADER: &str = "webhook-signature";
/// Seconds that a signed time may lie away from ours, either way, when the connection says nothing else.
const TOLERANCE_S: i64 = 300;

/// Whether a delivery comes from whom the connection says.
///
/// With a `signing_secret`, only a signature counts; without one, the `token` does, as a bearer token or as the password of
/// basic authentication.
pub(super) fn verify(connection: &Connection, request: &WebhookRequest) -> Verified {
    let reason = match (connection.secrets.get("signing_secret"), connection.secrets.get("token")) {
        (Some(secret), _) => signed(connection, request, secret).err(),
        (None, Some(token)) => authorised(connection, request, token).err(),
        (None, None) => Some("the connection has neither a signing_secret nor a token"),
    };
    reason.map_or(Verified::Genuine, |reason| Verified::Forged { reason })
}

fn setting<'c>(connection: &'c Connection, name: &str) -> Option<&'c str> {
    connection.config.get(name).and_then(Value::as_str)
}

fn signed(connection: &Connection, request: &WebhookRequest, secret: &Secret) -> Result<(), &'static str> {
    let header = setting(connection, "signature_header").unwrap_or(SIGNATURE_HEADER);
    let given = request.header(header).ok_or("the signature header is missing")?;
    if header.eq_ignore_ascii_case(STANDARD_HEADER) {
        return standard(connection, request, secret, given);
    }
    let algorithm = match setting(connection, "signature_algorithm") {
        Some("sha512") => Algorithm::Sha512,
        _ => Algorithm::Sha256,
    };
    let mut signed = Vec::new();
    if let Some(header) = setting(connection, "timestamp_header") {
        let time = request.header(header).ok_or("the timestamp header is missing")?;
        in_time(connection, request, time)?;
        signed.extend_from_slice(time.trim().as_bytes());
        signed.push(b'.');
    }
    signed.extend_from_slice(&request.body);
    if signature::matches(algorithm, secret.expose().as_bytes(), &signed, given) { Ok(()) } else { Err("the signature does not match") }
}

/// Standard Webhooks 1.0: any of the space-separated `v1,BASE64` over `ID.TIME.BODY` may match.
fn standard(connection: &Connection, request: &WebhookRequest, secret: &Secret, given: &str) -> Result<(), &'static str> {
    let id = request.header("webhook-id").ok_or("the webhook-id header is missing")?;
    let time = request.header("webhook-timestamp").ok_or("the webhook-timestamp header is missing")?;
    in_time(connection, request, time)?;
    let text = secret.expose();
    let key = match text.strip_prefix("whsec_") {
        Some(encoded) => base64::engine::general_purpose::STANDARD_NO_PAD
            .decode(encoded.trim_end_matches('='))
            .map_err(|_| "the signing_secret is no base64 after whsec_")?,
        None => text.as_bytes().to_vec(),
    };
    let mut signed = format!("{id}.{}.", time.trim()).into_bytes();
    signed.extend_from_slice(&request.body);
    let mut signatures = given.split(' ').filter_map(|one| one.strip_prefix("v1,"));
    if signatures.any(|one| signature::matches(Algorithm::Sha256, &key, &signed, one)) { Ok(()) } else { Err("no signature matches") }
}

/// A signed time must be near ours, so that an old delivery cannot be played again.
fn in_time(connection: &Connection, request: &WebhookRequest, time: &str) -> Result<(), &'static str> {
    let tolerance = setting(connection, "timestamp_tolerance_s").and_then(|text| text.parse().ok()).unwrap_or(TOLERANCE_S);
    let sent: i64 = time.trim().parse().map_err(|_| "the timestamp is no number of seconds")?;
    let now = request.received_at.as_millis().div_euclid(1_000);
    if now.saturating_sub(sent).saturating_abs() > tolerance { Err("the timestamp is too far from now") } else { Ok(()) }
}

fn authorised(connection: &Connection, request: &WebhookRequest, token: &Secret) -> Result<(), &'static str> {
    let given = request.header("authorization").ok_or("the authorization header is missing")?;
    let (scheme, value) = given.split_once(' ').ok_or("the authorization header has no scheme")?;
    let equal = |given: &[u8], wanted: &[u8]| signature::equal(given, wanted);
    let right = if scheme.eq_ignore_ascii_case("bearer") {
        equal(value.trim().as_bytes(), token.expose().as_bytes())
    } else if scheme.eq_ignore_ascii_case("basic") {
        let decoded = base64::engine::general_purpose::STANDARD.decode(value.trim()).map_err(|_| "the basic credentials are no base64")?;
        let split = decoded.iter().position(|byte| *byte == b':').ok_or("the basic credentials have no colon")?;
        let (name, password) = (decoded.get(..split).unwrap_or_default(), decoded.get(split + 1..).unwrap_or_default());
        // Both are compared, whatever the first says.
        let name = setting(connection, "username").is_none_or(|wanted| equal(name, wanted.as_bytes()));
        equal(password, token.expose().as_bytes()) & name
    } else {
        return Err("the authorization header is neither bearer nor basic");
    };
    if right { Ok(()) } else { Err("the token is wrong") }
}

/// The sender's id of a delivery, where the connection or a custom of the trade says.
pub fn delivery_id<'r>(connection: Option<&Connection>, request: &'r WebhookRequest) -> Option<&'r str> {
    let named = connection.and_then(|connection| setting(connection, "id_header"));
    let id = match named {
        Some(header) => request.header(header),
        None => request.header("idempotency-key").or_else(|| request.header("webhook-id")),
    };
    id.map(str::trim).filter(|id| !id.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ::http::{HeaderMap, HeaderName, Method};
    use onward_core::{ConnectionId, Timestamp};
    use serde_json::json;
    use std::{collections::BTreeMap, sync::Arc};

    fn connection(config: &Value, secrets: &[(&str, &str)]) -> Connection {
        let secrets: BTreeMap<String, Secret> = secrets.iter().map(|(name, secret)| ((*name).to_owned(), Secret::new(*secret))).collect();
        Connection {
            id: ConnectionId(uuid::Uuid::nil()),
            connector: "http".into(),
            name: "a".into(),
            config: config.as_object().cloned().unwrap(),
            secrets: Arc::new(secrets),
        }
    }

    fn request(body: &str, headers: &[(&str, &str)]) -> WebhookRequest {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(HeaderName::try_from(*name).unwrap(), value.parse().unwrap());
        }
        let received_at = Timestamp::from_millis(1_614_265_330_900);
        WebhookRequest { method: Method::POST, headers: map, query: Vec::new(), body: body.to_owned().into(), received_at }
    }

    fn hmac(key: &str, text: &str) -> String {
        signature::hex_of(Algorithm::Sha256, key.as_bytes(), text.as_bytes())
    }

    #[test]
    fn a_signature_counts_and_nothing_beside_it() {
        let with_both = connection(&json!({}), &[("signing_secret", "s"), ("token", "t")]);
        let right = hmac("s", "{}");
        assert!(verify(&with_both, &request("{}", &[("x-signature", &right)])).is_genuine());
        assert!(!verify(&with_both, &request("{ }", &[("x-signature", &right)])).is_genuine());
        assert!(!verify(&with_both, &request("{}", &[("authorization", "Bearer t")])).is_genuine());
        assert!(!verify(&connection(&json!({}), &[]), &request("{}", &[])).is_genuine(), "a connection without secrets opens no door");
        let long = connection(&json!({ "signature_algorithm": "sha512" }), &[("signing_secret", "s")]);
        let right_512 = signature::hex_of(Algorithm::Sha512, b"s", b"{}");
        assert!(verify(&long, &request("{}", &[("x-signature", &format!("sha512={right_512}"))])).is_genuine());
        assert!(!verify(&long, &request("{}", &[("x-signature", &right)])).is_genuine());
    }

    #[test]
    fn a_signed_time_is_part_of_the_signature_and_must_be_near() {
        let config = json!({ "timestamp_header": "X-Time", "timestamp_tolerance_s": "60" });
        let timed = connection(&config, &[("signing_secret", "s")]);
        let deliver = |time: &str, signature: &str| verify(&timed, &request("{}", &[("x-time", time), ("x-signature", signature)])).is_genuine();
        assert!(deliver("1614265330", &hmac("s", "1614265330.{}")));
        assert!(deliver("1614265270", &hmac("s", "1614265270.{}")));
        assert!(!deliver("1614265269", &hmac("s", "1614265269.{}")), "too old");
        assert!(!deliver("1614265391", &hmac("s", "1614265391.{}")), "from the future");
        assert!(!deliver("1614265330", &hmac("s", "{}")), "the time is not signed");
        assert!(!deliver("soon", &hmac("s", "soon.{}")));
        assert!(!verify(&timed, &request("{}", &[("x-signature", &hmac("s", "{}"))])).is_genuine());
    }

    #[test]
    fn standard_webhooks_verify_by_their_vector() {
        let standard = connection(&json!({ "signature_header": "Webhook-Signature" }), &[("signing_secret", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")]);
        let deliver = |body: &str, id: &str, signature: &str| {
            let headers = [("webhook-id", id), ("webhook-timestamp", "1614265330"), ("webhook-signature", signature)];
            verify(&standard, &request(body, &headers)).is_genuine()
        };
        let (body, id) = (r#"{"test": 2432232314}"#, "msg_p5jXN8AQM9LWM0D4loKWxJek");
        let right = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        assert!(deliver(body, id, right));
        assert!(deliver(body, id, &format!("v1a,unknown v1,AAAA {right}")), "one of several is enough");
        assert!(!deliver(body, "another", right));
        assert!(!deliver("{}", id, right));
        assert!(!deliver(body, id, "v1a,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="));
    }

    #[test]
    fn a_token_or_a_password_opens_the_door() {
        let token = connection(&json!({ "username": "partner" }), &[("token", "t0ken")]);
        let deliver = |authorization: &str| verify(&token, &request("{}", &[("authorization", authorization)])).is_genuine();
        let basic = |text: &str| format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(text));
        assert!(deliver("Bearer t0ken") && deliver("bearer t0ken") && deliver(&basic("partner:t0ken")));
        for wrong in ["Bearer t0ke", "Bearer", "Bearer ", "Token t0ken", "t0ken", &basic("partner:wrong"), &basic("other:t0ken"), &basic("t0ken"), "Basic ü"] {
            assert!(!deliver_text(&token, wrong), "{wrong}");
        }
    }

    fn deliver_text(connection: &Connection, authorization: &str) -> bool {
        let mut request = request("{}", &[]);
        request.headers.insert("authorization", ::http::HeaderValue::from_bytes(authorization.as_bytes()).unwrap());
        verify(connection, &request).is_genuine()
    }

    #[test]
    fn the_id_is_read_where_the_connection_says() {
        let request = request("{}", &[("idempotency-key", "a"), ("webhook-id", "b"), ("x-event", "c")]);
        assert_eq!(delivery_id(None, &request), Some("a"));
        assert_eq!(delivery_id(Some(&connection(&json!({ "id_header": "X-Event" }), &[])), &request), Some("c"));
        assert_eq!(delivery_id(Some(&connection(&json!({ "id_header": "X-None" }), &[])), &request), None);
    }
}
