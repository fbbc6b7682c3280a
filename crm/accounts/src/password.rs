//! Passwords: argon2id. Pure and heavy (tens of milliseconds, 19 MiB): callers run these functions off the async threads.

use crate::{CrmError, SecretSource};
use argon2::{
    Argon2,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};

/// Characters a password must have; NIST SP 800-63B asks for 8, and for no other rules.
pub const MIN_CHARACTERS: usize = 8;
/// Bytes a password may have: nobody types more, and hashing is not a place to spend memory on.
pub const MAX_BYTES: usize = 1024;

/// A hash of no password that anybody has, with the cost of a real one: what an unknown e-mail is checked against, so that
/// the answer takes as long as for a known one.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$AAECAwQFBgcICQoLDA0ODw$6Bfj0x7ZQ6aH1UeCnGqZ8LIBbf1RpCbU+ybEBm2FYmY";

/// Refuses a password that is too short or too long.
pub fn check_rules(password: &str) -> Result<(), CrmError> {
    if password.chars().count() < MIN_CHARACTERS {
        return Err(CrmError::invalid("password", format!("a password needs at least {MIN_CHARACTERS} characters")));
    }
    if password.len() > MAX_BYTES {
        return Err(CrmError::invalid("password", format!("a password has at most {MAX_BYTES} bytes")));
    }
    Ok(())
}

/// The PHC string to store.
pub fn hash(password: &str, secrets: &dyn SecretSource) -> Result<String, CrmError> {
    check_rules(password)?;
    let salt = secrets.bytes();
    let hash: PasswordHash = Argon2::default()
        .hash_password_with_salt(password.as_bytes(), &salt[..16])
        .map_err(|error| CrmError::invalid("password", format!("the password cannot be hashed: {error}")))?;
    Ok(hash.to_string())
}

/// Whether the password is right. `None` (an unknown e-mail, an inactive user) is always wrong, after the same work.
pub fn verify(password: &str, stored: Option<&str>) -> bool {
    // A longer one can never have been set; hashing its beginning costs the same and says nothing.
    let bytes = password.as_bytes();
    let bytes = &bytes[..bytes.len().min(MAX_BYTES + 1)];
    let known = stored.and_then(|text| PasswordHash::new(text).ok());
    let usable = known.is_some();
    let right = match known.or_else(|| PasswordHash::new(NOBODY).ok()) {
        Some(hash) => Argon2::default().verify_password(bytes, &hash).is_ok(),
        None => false,
    };
    right && usable
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SystemSecrets;

    #[test]
    fn right_is_right_and_wrong_is_wrong() {
        let stored = hash("correct horse", &SystemSecrets).unwrap();
        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
        assert!(verify("correct horse", Some(&stored)));
        assert!(!verify("correct horsf", Some(&stored)));
        assert!(!verify("", Some(&stored)));
        assert_ne!(stored, hash("correct horse", &SystemSecrets).unwrap(), "each hash has its own salt");
    }

    #[test]
    fn unknown_users_cost_the_same_hash_and_are_refused() {
        let nobody = PasswordHash::new(NOBODY).unwrap();
        let real = hash("correct horse", &SystemSecrets).unwrap();
        let real = PasswordHash::new(&real).unwrap();
        assert_eq!((nobody.algorithm, nobody.version, &nobody.params), (real.algorithm, real.version, &real.params));
        assert!(!verify("correct horse", None));
        assert!(!verify("correct horse", Some("not a hash")));
    }

    #[test]
    fn rules() {
        assert!(check_rules("1234567").is_err());
        assert!(check_rules("12345678").is_ok());
        assert!(check_rules("пароль12").is_ok(), "characters are counted, not bytes");
        assert!(check_rules(&"x".repeat(MAX_BYTES + 1)).is_err());
        assert!(!verify(&"x".repeat(1 << 20), None));
    }
}
