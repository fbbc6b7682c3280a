//! Bodies of our own, written after the provider's contract; the recorded ones are read where they are at hand.

mod normalising;
mod recorded;
mod sending;
mod verifying;

use super::*;
use crate::http::AllowPrivate;
use onward_core::{Object, ports::Secret};
use std::sync::LazyLock;

fn connection(config: &Value, secrets: &[(&str, &str)]) -> Connection {
    let mut all: Object = [("phone_number_id".to_owned(), json!("700000000000001"))].into_iter().collect();
    all.extend(config.as_object().cloned().unwrap_or_default());
    let secrets = secrets.iter().map(|(name, value)| ((*name).to_owned(), Secret::new(*value))).collect();
    Connection { id: uuid::Uuid::nil().into(), connector: ID.into(), name: "main".into(), config: all, secrets: Arc::new(secrets) }
}

/// One client for all: making one reads the system's certificates, which takes longer than most of these tests.
static CLIENT: LazyLock<HttpClient> = LazyLock::new(|| HttpClient::new(AllowPrivate::All).unwrap());

fn connector() -> WhatsApp {
    WhatsApp::new(CLIENT.clone())
}
