//! Deliveries as the Cloud API posts them: a text message in the shape of a real one, signed.

use crate::{Result, clock};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

/// The app secret with which deliveries are signed.
const APP_SECRET: &str = "benchmark-app-secret";
/// The business number's id.
const PHONE_NUMBER_ID: &str = "1122334455667";
/// The business account's id.
const ACCOUNT_ID: &str = "1234567890987654321";

/// The body that makes the connection.
pub(crate) fn connection() -> Value {
    json!({
        "connector": "whatsapp", "name": "benchmark",
        "config": { "phone_number_id": PHONE_NUMBER_ID, "waba_id": ACCOUNT_ID },
        "secrets": { "access_token": "benchmark", "app_secret": APP_SECRET, "verify_token": "benchmark" },
    })
}

/// The `number`th message, from one of so many senders: body and signature header.
pub(crate) fn text_message(number: u64, senders: u64) -> Result<(String, String)> {
    let sender = 919_800_000_000 + number % senders;
    let second = clock::wall_millis() / 1000;
    let body = format!(
        r#"{{"object":"whatsapp_business_account","entry":[{{"id":"{ACCOUNT_ID}","changes":[{{"value":{{"messaging_product":"whatsapp","metadata":{{"display_phone_number":"972123456789","phone_number_id":"{PHONE_NUMBER_ID}"}},"contacts":[{{"profile":{{"name":"Sender {sender}"}},"wa_id":"{sender}"}}],"messages":[{{"from":"{sender}","id":"wamid.benchmark{number}","timestamp":"{second}","text":{{"body":"Message number {number}"}},"type":"text"}}]}},"field":"messages"}}]}}]}}"#
    );
    let mut mac = Hmac::<Sha256>::new_from_slice(APP_SECRET.as_bytes())?;
    mac.update(body.as_bytes());
    let signature = format!("x-hub-signature-256: sha256={}\r\n", hex::encode(mac.finalize().into_bytes()));
    Ok((body, signature))
}
