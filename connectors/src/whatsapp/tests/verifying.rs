//! Who sent a delivery, and whose the address is.

use super::*;

const BODY: &[u8] = br#"{"object":"whatsapp_business_account","entry":[]}"#;
const SIGNATURE: &str = "sha256=52e98a5a5f97b4050c9b6a5b5765a2925749023bcf20d64bec8d405123109e4c";

fn delivery(body: &[u8], signature: Option<&str>) -> WebhookRequest {
    let headers = signature.map(|signature| (::http::HeaderName::from_static("x-hub-signature-256"), signature.parse().unwrap())).into_iter().collect();
    WebhookRequest { method: ::http::Method::POST, headers, query: Vec::new(), body: body.to_vec().into(), received_at: onward_core::Timestamp::default() }
}

#[test]
fn the_contract_vector_verifies_and_nothing_else_does() {
    let genuine = connection(&json!({}), &[("app_secret", "fixture-meta-app-secret")]);
    let verify = |connection: &Connection, body: &[u8], signature: Option<&str>| connector().verify(connection, &delivery(body, signature)).is_genuine();
    assert!(verify(&genuine, BODY, Some(SIGNATURE)));
    assert!(!verify(&genuine, BODY, None));
    assert!(!verify(&genuine, BODY, Some(&SIGNATURE["sha256=".len()..])), "without its prefix");
    assert!(!verify(&genuine, BODY, Some("sha256=")));
    assert!(!verify(&genuine, BODY, Some(&SIGNATURE.replace("52e9", "52e8"))));
    assert!(!verify(&genuine, &BODY[1..], Some(SIGNATURE)));
    assert!(!verify(&connection(&json!({}), &[("app_secret", "other")]), BODY, Some(SIGNATURE)));
    assert!(!verify(&connection(&json!({}), &[]), BODY, Some(SIGNATURE)), "a connection without a secret trusts nobody");
}

#[test]
fn the_challenge_is_answered_to_who_knows_the_token() {
    let known = connection(&json!({}), &[("verify_token", "fixture-verify-token")]);
    let ask = |connection: &Connection, mode: &str, token: &str| {
        let query = [("hub.mode", mode), ("hub.challenge", "1158201444"), ("hub.verify_token", token)];
        let query = query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        connector().challenge(connection, &WebhookRequest { method: ::http::Method::GET, query, ..delivery(b"", None) })
    };
    assert_eq!(ask(&known, "subscribe", "fixture-verify-token"), Challenge::Answer("1158201444".into()));
    for (connection, mode, token) in [
        (&known, "subscribe", "wrong"),
        (&known, "subscribe", ""),
        (&known, "unsubscribe", "fixture-verify-token"),
        (&connection(&json!({}), &[]), "subscribe", ""),
    ] {
        assert_eq!(ask(connection, mode, token), Challenge::Refused);
    }
    assert_eq!(connector().challenge(&known, &delivery(b"", None)), Challenge::Refused);
}
