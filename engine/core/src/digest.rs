//! Hashes that are part of stored data: they must never change.

use sha2::{Digest, Sha256};

/// SHA-256 over parts, each preceded by its length, so that ("ab","c") and ("a","bc") differ.
pub fn hash(parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    hasher.finalize().into()
}

/// The first 16 bytes of [`hash`]: the keys of dedupe and correlation tables.
pub fn short(parts: &[&[u8]]) -> [u8; 16] {
    let full = hash(parts);
    let mut out = [0; 16];
    out.copy_from_slice(&full[..16]);
    out
}

/// Lower-case hex of SHA-256 over one text.
pub fn hex(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// A number in `0.0..1.0` from a hash: chance as an input (variants, jitter).
pub fn fraction(parts: &[&[u8]]) -> f64 {
    let full = hash(parts);
    let mut eight = [0; 8];
    eight.copy_from_slice(&full[..8]);
    (u64::from_be_bytes(eight) >> 11) as f64 / (1_u64 << 53) as f64
}
