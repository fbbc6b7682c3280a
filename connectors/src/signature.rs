//! HMAC signatures of webhooks, compared in constant time.

use base64::Engine as _;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Sha256, Sha512};
use subtle::ConstantTimeEq as _;

/// The hash that a signature is made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Algorithm {
    /// 32 bytes.
    Sha256,
    /// 64 bytes.
    Sha512,
}

impl Algorithm {
    fn bytes(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }
    fn prefix(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256=",
            Self::Sha512 => "sha512=",
        }
    }
}

/// Whether `signature` (hex or base64, with or without the prefix `sha256=`) is the HMAC-SHA256 of the bytes under the key.
pub(crate) fn hmac_sha256_matches(key: &[u8], bytes: &[u8], signature: &str) -> bool {
    matches(Algorithm::Sha256, key, bytes, signature)
}

/// Whether `signature` (hex or base64, with or without the algorithm's name before it) is the HMAC of the bytes under the key.
/// Only the decoding of the signature, which its sender knows anyway, takes a time that depends on it.
pub(crate) fn matches(algorithm: Algorithm, key: &[u8], bytes: &[u8], signature: &str) -> bool {
    let signature = signature.trim();
    let signature = signature.strip_prefix(algorithm.prefix()).unwrap_or(signature);
    let Some(given) = decode(signature, algorithm.bytes()) else { return false };
    match algorithm {
        Algorithm::Sha256 => {
            let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return false };
            mac.update(bytes);
            mac.verify_slice(&given).is_ok()
        }
        Algorithm::Sha512 => {
            let Ok(mut mac) = Hmac::<Sha512>::new_from_slice(key) else { return false };
            mac.update(bytes);
            mac.verify_slice(&given).is_ok()
        }
    }
}

/// Whether two secrets are the same, in a time that does not depend on where they differ.
pub(crate) fn equal(given: &[u8], wanted: &[u8]) -> bool {
    given.ct_eq(wanted).into()
}

/// Bytes of that number written in hex or base64; that many hex digits are never base64 of as many bytes.
fn decode(text: &str, bytes: usize) -> Option<Vec<u8>> {
    if text.len() == 2 * bytes {
        return hex::decode(text).ok();
    }
    [base64::engine::general_purpose::STANDARD, base64::engine::general_purpose::URL_SAFE_NO_PAD]
        .iter()
        .find_map(|engine| engine.decode(text).ok())
        .filter(|decoded| decoded.len() == bytes)
}

/// A signature in hex, for tests that sign.
#[cfg(test)]
pub(crate) fn hex_of(algorithm: Algorithm, key: &[u8], bytes: &[u8]) -> String {
    match algorithm {
        Algorithm::Sha256 => hex::encode(Hmac::<Sha256>::new_from_slice(key).unwrap().chain_update(bytes).finalize().into_bytes()),
        Algorithm::Sha512 => hex::encode(Hmac::<Sha512>::new_from_slice(key).unwrap().chain_update(bytes).finalize().into_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // The vector of the provider's contract.
    const KEY: &[u8] = b"fixture-meta-app-secret";
    const BODY: &[u8] = br#"{"object":"whatsapp_business_account","entry":[]}"#;
    const HEX: &str = "52e98a5a5f97b4050c9b6a5b5765a2925749023bcf20d64bec8d405123109e4c";

    #[test]
    fn the_contract_vector_matches_in_every_writing() {
        let base64 = base64::engine::general_purpose::STANDARD.encode(hex::decode(HEX).unwrap());
        for text in [HEX.to_owned(), format!("sha256={HEX}"), HEX.to_uppercase(), base64] {
            assert!(hmac_sha256_matches(KEY, BODY, &text), "{text}");
        }
    }

    #[test]
    fn anything_else_does_not() {
        let mut flipped = BODY.to_vec();
        flipped[10] ^= 1;
        assert!(!hmac_sha256_matches(KEY, &flipped, HEX));
        assert!(!hmac_sha256_matches(b"other", BODY, HEX));
        assert!(!hmac_sha256_matches(KEY, BODY, &HEX[..62]));
        for text in ["", "sha256=", "zz", "ü", &"0".repeat(64), &"g".repeat(64)] {
            assert!(!hmac_sha256_matches(KEY, BODY, text), "{text}");
        }
    }
}
