//! Posts webhooks the way Meta does: signed over the exact bytes, again and again with falling frequency until answered 200.

use crate::{
    config::Account,
    state::{Shared, pause},
};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;
use std::sync::Arc;

/// The envelope of one change of the number's messages.
pub(crate) fn envelope(account: &Account, mut value: Value) -> Value {
    value["messaging_product"] = "whatsapp".into();
    value["metadata"] = json!({ "display_phone_number": account.display_phone_number, "phone_number_id": account.phone_number_id });
    json!({ "object": "whatsapp_business_account", "entry": [{ "id": account.waba_id, "changes": [{ "value": value, "field": "messages" }] }] })
}

/// `sha256=` and the HMAC of the bytes in hex.
pub(crate) fn signature(app_secret: &str, bytes: &[u8]) -> Option<String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(app_secret.as_bytes()).ok()?;
    mac.update(bytes);
    Some(format!("sha256={}", hex::encode(mac.finalize().into_bytes())))
}

/// What came of posting a webhook once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Delivery {
    /// Answered 200.
    Taken,
    /// Answered otherwise (with which status), or not at all.
    NotTaken(Option<u16>),
    /// The number has no webhook address.
    Nowhere,
}

/// Posts once; when that is not taken, goes on in the background.
pub(crate) async fn deliver(shared: &Arc<Shared>, account: &Account, body: &Value) -> Delivery {
    let Some(url) = account.webhook_url.clone() else { return Delivery::Nowhere };
    let bytes = body.to_string().into_bytes();
    let Some(signature) = signature(&account.app_secret, &bytes) else { return Delivery::Nowhere };
    let first = post(shared, &url, &bytes, &signature).await;
    if first != Delivery::Taken {
        let again = Arc::clone(shared);
        shared.spawn(async move { repeat(&again, &url, &bytes, &signature).await });
    }
    first
}

async fn repeat(shared: &Shared, url: &str, bytes: &[u8], signature: &str) {
    let mut wait = shared.config.first_retry;
    for _ in 1..shared.config.attempts {
        pause(wait).await;
        wait = wait.saturating_mul(2);
        if post(shared, url, bytes, signature).await == Delivery::Taken {
            return;
        }
    }
    shared.change(|inner| inner.counters.webhooks_given_up += 1);
    tracing::warn!(url, "the sandbox gives a webhook up");
}

async fn post(shared: &Shared, url: &str, bytes: &[u8], signature: &str) -> Delivery {
    let request = shared.client.post(url).header("Content-Type", "application/json").header("X-Hub-Signature-256", signature).body(bytes.to_vec());
    let status = request.send().await.ok().map(|response| response.status().as_u16());
    let taken = status == Some(200);
    shared.change(|inner| if taken { inner.counters.webhooks_delivered += 1 } else { inner.counters.webhooks_failed += 1 });
    if taken { Delivery::Taken } else { Delivery::NotTaken(status) }
}
