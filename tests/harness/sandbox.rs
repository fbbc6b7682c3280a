//! The provider sandbox in this process, and a connection to it.

use super::{Api, Home, Server};
use hmac::{Hmac, KeyInit as _, Mac as _};
use onward_core::Value;
use onward_sandbox::{Account, Config, Sandbox, SandboxHandle};
use serde_json::json;
use sha2::Sha256;
use tokio::net::TcpListener;

/// The business number that the sandbox plays.
const PHONE_NUMBER_ID: &str = "106540352242922";

/// What connection and sandbox agree on.
pub(crate) struct Secrets;

impl Secrets {
    pub(crate) const ACCESS_TOKEN: &'static str = "test-access-token";
    pub(crate) const APP_SECRET: &'static str = "test-app-secret";
    pub(crate) const VERIFY_TOKEN: &'static str = "test-verify-token";
}

/// A sandbox; it posts nothing until [`connect`] tells it where.
pub(crate) async fn sandbox(seed: u64) -> SandboxHandle {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let account = Account::new(PHONE_NUMBER_ID, Secrets::ACCESS_TOKEN, Secrets::APP_SECRET, Secrets::VERIFY_TOKEN);
    Sandbox::start(listener, Config::new(account, seed)).unwrap()
}

/// Makes a connection from the server to the sandbox, and points the sandbox's webhooks at it; gives the webhook's path.
pub(crate) async fn connect(server: &Server, api: &Api, sandbox: &SandboxHandle) -> String {
    let made = api
        .post(
            "/api/v1/connections",
            &json!({
                "connector": "whatsapp", "name": "main",
                "config": { "phone_number_id": PHONE_NUMBER_ID, "base_url": sandbox.base_url() },
                "secrets": { "access_token": Secrets::ACCESS_TOKEN, "app_secret": Secrets::APP_SECRET, "verify_token": Secrets::VERIFY_TOKEN },
            }),
        )
        .await
        .expect(201);
    let path = format!("/hooks/whatsapp/{}", made["id"].as_str().unwrap());
    assert!(made["webhook_url"].as_str().unwrap().ends_with(&path), "{made}");
    sandbox.set_webhook_url(PHONE_NUMBER_ID, format!("{}{path}", server.url()));
    path
}

/// A server on the home's database with the sandbox connected; the last is the path of its webhook.
pub(crate) async fn connected(home: &Home, seed: u64) -> (SandboxHandle, Server, Api, String) {
    let sandbox = sandbox(seed).await;
    let server = Server::start_with(home, "127.0.0.1:0", &["--allow-private-urls"]).await;
    let api = server.api(home).await;
    let path = connect(&server, &api, &sandbox).await;
    (sandbox, server, api, path)
}

/// The customer writes, and it arrives.
pub(crate) async fn customer_writes(sandbox: &SandboxHandle, message: Value) {
    let outside = Api::new(&sandbox.base_url(), "none");
    let answer = outside.post("/sandbox/customers/919812345678/messages", &message).await.expect(200);
    assert_eq!(answer["delivered"], true, "{answer}");
}

/// The signature that Meta puts into `X-Hub-Signature-256`.
pub(crate) fn signature(secret: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body);
    format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
}
