//! The recorded bodies of the provider, each signed as the provider signs, posted to the built binary.

use super::harness::{Api, Home, Server, shared, signature};
use http::Method;
use onward_core::Value;
use serde_json::json;

/// The number that most of the recorded bodies are about.
const RECORDED_NUMBER: &str = "1122334455667";

async fn deliver(api: &Api, path: &str, signature: &str, body: Vec<u8>) -> u16 {
    api.send(Method::POST, path, &[("content-type", "application/json"), ("x-hub-signature-256", signature)], Some(body)).await.unwrap().status
}

/// The id of the message in a body.
fn own_id(body: &str) -> String {
    let body: Value = serde_json::from_str(body).unwrap();
    body["entry"][0]["changes"][0]["value"]["messages"][0]["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn every_recorded_body_is_taken_in_once() {
    let Some(folder) = shared().map(|shared| shared.join("contracts/fixtures/whatsapp")).filter(|folder| folder.is_dir()) else {
        println!("the recorded bodies are not here (set ONWARD_SHARED): skipped");
        return;
    };
    let signatures: Value = serde_json::from_slice(&std::fs::read(folder.join("signatures.json")).unwrap()).unwrap();
    let home = Home::fresh();
    let server = Server::start(&home).await;
    let api = server.api(&home).await;
    let secrets = json!({ "access_token": "t", "app_secret": signatures["app_secret"], "verify_token": "v" });
    let made = api
        .post(
            "/api/v1/connections",
            &json!({ "connector": "whatsapp", "name": "recorded", "config": { "phone_number_id": RECORDED_NUMBER }, "secrets": secrets }),
        )
        .await
        .expect(201);
    let path = format!("/hooks/whatsapp/{}", made["id"].as_str().unwrap());
    let files = signatures["files"].as_object().unwrap();
    let mut posted = 0;
    for round in 0..2 {
        for (name, signature) in files {
            let body = std::fs::read(folder.join(name)).unwrap();
            let signature = signature.as_str().unwrap();
            if round == 0 {
                let mut flipped = body.clone();
                let middle = flipped.len() / 2;
                flipped[middle] ^= 1;
                assert_eq!(deliver(&api, &path, signature, flipped).await, 401, "{name} with one bit flipped");
            }
            assert_eq!(deliver(&api, &path, signature, body).await, 200, "{name}");
            posted += 1;
        }
        if round == 0 {
            assert!(!api.all("/api/v1/events?type=message.received").await.is_empty());
        }
    }
    assert!(posted > 100, "{posted}");
    // Of the second round nothing took effect: each of the provider's message ids is one message.
    let received = api.all("/api/v1/events?type=message.received").await;
    let mut ids: Vec<String> = received.iter().map(|event| event["id"].to_string()).collect();
    ids.sort();
    let all = ids.len();
    ids.dedup();
    assert_eq!(ids.len(), all, "a message was taken in twice");

    // Most recordings share one id; with an id of its own each kind of message is taken in.
    let secret = signatures["app_secret"].as_str().unwrap();
    let kinds: Vec<&String> = files.keys().filter(|name| name.starts_with("message.")).collect();
    for name in &kinds {
        let text = std::fs::read_to_string(folder.join(name)).unwrap();
        let own = own_id(&text);
        let body = text.replace(&format!("\"{own}\""), &format!("\"wamid.{name}\"")).into_bytes();
        assert_eq!(deliver(&api, &path, &signature(secret, &body), body).await, 200, "{name}");
    }
    let received = api.all("/api/v1/events?type=message.received").await;
    let missing: Vec<_> = kinds.iter().filter(|name| !received.iter().any(|event| event["id"] == format!("wamid.{name}"))).collect();
    assert!(missing.is_empty(), "{missing:?}");
    assert!(!server.log().contains("panicked"), "{}", server.log());
}
