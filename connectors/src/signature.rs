//! HMAC-SHA256 signatures of webhooks, compared in constant time.

use base64::Engine as _;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Whether `signature` (hex or base64, with or without the prefix `sha256=`) is the HMAC of the bytes under the key.
/// Only the decoding of the signature, which its sender knows anyway, takes a time that depends on it.
pub(crate) fn hmac_sha256_matches(key: &[u8], bytes: &[u8], signature: &str) -> bool {
    let signature = signature.trim();
    let signature = signature.strip_prefix("sha256=").unwrap_or(signature);
    let Some(given) = decode(signature) else { return false };
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return false };
    mac.update(bytes);
    mac.verify_slice(&given).is_ok()
}

/// 32 bytes written in hex or base64; 64 hex digits are never base64 of 32 bytes.
fn decode(text: &str) -> Option<Vec<u8>> {
    if text.len() == 64 {
        return hex::decode(text).ok();
    }
    [base64::engine::general_purpose::STANDARD, base64::engine::general_purpose::URL_SAFE_NO_PAD]
        .iter()
        .find_map(|engine| engine.decode(text).ok())
        .filter(|bytes| bytes.len() == 32)
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
