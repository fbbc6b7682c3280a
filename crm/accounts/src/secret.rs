//! Secrets that we hand out: session cookies and API tokens. Only their SHA-256 is stored: they are random and long, so
//! that nothing slower is needed, and a stolen database opens no door.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

/// Where randomness for secrets comes from.
pub trait SecretSource: Send + Sync {
    /// 32 bytes that nobody can guess.
    fn bytes(&self) -> [u8; 32];
}

/// The operating system's randomness.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemSecrets;

impl SecretSource for SystemSecrets {
    fn bytes(&self) -> [u8; 32] {
        rand::random()
    }
}

/// A new secret text: 43 URL-safe characters behind `prefix`.
pub fn fresh(source: &dyn SecretSource, prefix: &str) -> String {
    format!("{prefix}{}", URL_SAFE_NO_PAD.encode(source.bytes()))
}

/// What is stored of a secret.
pub fn hash(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}
