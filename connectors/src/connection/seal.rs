//! Secrets at rest: XChaCha20-Poly1305 with a random nonce; organisation, connection and key id are authenticated, so that a
//! sealed secret opens in no other row than its own.

use super::key::{KEY_ID_BYTES, MasterKey};
use chacha20poly1305::{
    KeyInit as _, XChaCha20Poly1305, XNonce,
    aead::{Aead as _, Payload},
};
use onward_core::{ConnectionId, OrganisationId, ports::Secret};
use std::{collections::BTreeMap, sync::Arc};

/// First byte of everything sealed; a change of the format takes a new one.
const VERSION: u8 = 1;
const NONCE_BYTES: usize = 24;
const HEADER_BYTES: usize = 1 + KEY_ID_BYTES;

/// Why secrets could not be sealed or opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// Sealed with another key.
    #[error(
        "the secrets were stored with another secret key; start the server with the ONWARD_SECRET_KEY (or key file) of then, or set the connection's secrets again"
    )]
    OtherKey,
    /// Changed since, or moved from another row.
    #[error("the stored secrets are damaged; set the connection's secrets again")]
    Damaged,
    /// Written by a newer version.
    #[error("the secrets were stored by a newer version (format {0}); upgrade")]
    Newer(u8),
    /// The operating system gave no random bytes.
    #[error("the operating system gave no random bytes")]
    NoRandomness,
}

/// Where nonces come from. Never a seeded source outside tests: a nonce that repeats under one key gives the secrets away.
pub trait NonceSource: Send + Sync + 'static {
    /// Fills the nonce.
    fn fill(&self, nonce: &mut [u8; NONCE_BYTES]) -> Result<(), SealError>;
}

/// Nonces from the operating system.
#[derive(Clone, Copy, Debug)]
pub struct SystemNonces;

impl NonceSource for SystemNonces {
    fn fill(&self, nonce: &mut [u8; NONCE_BYTES]) -> Result<(), SealError> {
        rand::TryRng::try_fill_bytes(&mut rand::rngs::SysRng, nonce).map_err(|_| SealError::NoRandomness)
    }
}

/// Seals and opens the secrets of connections. Cheap to clone.
#[derive(Clone)]
pub struct Vault {
    key: MasterKey,
    nonces: Arc<dyn NonceSource>,
}

impl Vault {
    /// A vault under this key.
    pub fn new(key: MasterKey) -> Self {
        Self::with_nonces(key, Arc::new(SystemNonces))
    }
    /// A vault with nonces of a test's choice.
    pub fn with_nonces(key: MasterKey, nonces: Arc<dyn NonceSource>) -> Self {
        Self { key, nonces }
    }

    /// See [`MasterKey::derive`].
    pub fn derive(&self, purpose: &str) -> [u8; 32] {
        self.key.derive(purpose)
    }

    pub(super) fn seal(&self, organisation: OrganisationId, connection: ConnectionId, secrets: &BTreeMap<String, Secret>) -> Result<Vec<u8>, SealError> {
        let plain: BTreeMap<&str, &str> = secrets.iter().map(|(name, secret)| (name.as_str(), secret.expose())).collect();
        let plain = serde_json::to_vec(&plain).map_err(|_| SealError::Damaged)?;
        let mut nonce = [0; NONCE_BYTES];
        self.nonces.fill(&mut nonce)?;
        let mut sealed = Vec::with_capacity(HEADER_BYTES + NONCE_BYTES + plain.len() + 16);
        sealed.push(VERSION);
        sealed.extend_from_slice(&self.key.id());
        let aad = associated_data(organisation, connection, &sealed);
        let ciphertext = self.cipher().encrypt(&XNonce::from(nonce), Payload { msg: &plain, aad: &aad }).map_err(|_| SealError::Damaged)?;
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(&ciphertext);
        Ok(sealed)
    }

    pub(super) fn open(&self, organisation: OrganisationId, connection: ConnectionId, sealed: &[u8]) -> Result<BTreeMap<String, Secret>, SealError> {
        match sealed.first() {
            Some(&VERSION) => {}
            Some(&version) => return Err(SealError::Newer(version)),
            None => return Err(SealError::Damaged),
        }
        let (header, rest) = sealed.split_at_checked(HEADER_BYTES).ok_or(SealError::Damaged)?;
        let (nonce, ciphertext) = rest.split_first_chunk::<NONCE_BYTES>().ok_or(SealError::Damaged)?;
        if header[1..] != self.key.id() {
            return Err(SealError::OtherKey);
        }
        let aad = associated_data(organisation, connection, header);
        let plain = self.cipher().decrypt(&XNonce::from(*nonce), Payload { msg: ciphertext, aad: &aad }).map_err(|_| SealError::Damaged)?;
        let texts: BTreeMap<String, String> = serde_json::from_slice(&plain).map_err(|_| SealError::Damaged)?;
        Ok(texts.into_iter().map(|(name, text)| (name, Secret::new(text))).collect())
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(self.key.expose().into())
    }
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Vault(…)")
    }
}

fn associated_data(organisation: OrganisationId, connection: ConnectionId, header: &[u8]) -> Vec<u8> {
    [b"onward.connection".as_slice(), organisation.0.as_bytes(), connection.0.as_bytes(), header].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn vault(key: u8) -> Vault {
        Vault::new(MasterKey::new([key; 32]))
    }
    fn place(organisation: u128, connection: u128) -> (OrganisationId, ConnectionId) {
        (Uuid::from_u128(organisation).into(), Uuid::from_u128(connection).into())
    }
    fn secrets() -> BTreeMap<String, Secret> {
        [("token".to_owned(), Secret::new("s3cret"))].into()
    }

    #[test]
    fn what_is_sealed_opens_in_its_own_row_only() {
        let (organisation, connection) = place(1, 2);
        let sealed = vault(1).seal(organisation, connection, &secrets()).unwrap();
        assert!(!sealed.windows(6).any(|part| part == b"s3cret"));
        assert_eq!(vault(1).open(organisation, connection, &sealed).unwrap()["token"].expose(), "s3cret");
        for (organisation, connection) in [place(1, 3), place(9, 2), place(2, 1)] {
            assert_eq!(vault(1).open(organisation, connection, &sealed).unwrap_err(), SealError::Damaged);
        }
        assert_eq!(vault(2).open(organisation, connection, &sealed).unwrap_err(), SealError::OtherKey);
    }

    #[test]
    fn no_byte_can_be_changed() {
        let (organisation, connection) = place(1, 2);
        let sealed = vault(1).seal(organisation, connection, &secrets()).unwrap();
        for index in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[index] ^= 1;
            assert!(vault(1).open(organisation, connection, &changed).is_err(), "byte {index}");
            assert!(vault(1).open(organisation, connection, &sealed[..index]).is_err(), "first {index} bytes");
        }
    }

    #[test]
    fn nonces_differ() {
        let (organisation, connection) = place(1, 2);
        let seal = || vault(1).seal(organisation, connection, &secrets()).unwrap();
        assert_ne!(seal(), seal());
    }

    #[test]
    fn the_stored_form_never_changes() {
        struct Zeros;
        impl NonceSource for Zeros {
            fn fill(&self, _: &mut [u8; NONCE_BYTES]) -> Result<(), SealError> {
                Ok(())
            }
        }
        let (organisation, connection) = place(1, 2);
        let vault = Vault::with_nonces(MasterKey::new([7; 32]), Arc::new(Zeros));
        let sealed = vault.seal(organisation, connection, &secrets()).unwrap();
        let header = "011236a6d81d04031f";
        let ciphertext = "4b429aad1d4850103744d4167d5788346ea78e006cc6938fecc89ece0eb6bd49b7c1";
        assert_eq!(hex::encode(&sealed), format!("{header}{}{ciphertext}", "00".repeat(NONCE_BYTES)));
    }
}
