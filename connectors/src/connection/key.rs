//! The key that seals the secrets of connections.

use base64::Engine as _;
use secrecy::{ExposeSecret as _, SecretBox};
use sha2::{Digest as _, Sha256};
use std::{
    fs::{self, File, OpenOptions},
    io::{ErrorKind, Read as _, Write as _},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    sync::Arc,
};

/// Bytes of the key.
const KEY_BYTES: usize = 32;
/// Bytes of the key's id.
pub(super) const KEY_ID_BYTES: usize = 8;
/// No key file is longer; whatever else lies there is not read.
const KEY_FILE_BYTES: u64 = 4 << 10;

/// 32 bytes, wiped from memory when dropped. Cheap to clone.
#[derive(Clone)]
pub struct MasterKey(Arc<SecretBox<[u8; KEY_BYTES]>>);

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The text is no key.
    #[error("a secret key is 32 bytes, written as 64 hex digits or as 44 characters of base64; this text is neither")]
    Text,
    /// The file's text is no key.
    #[error("{} holds no secret key (32 bytes in hex or base64); give the right file back, or set ONWARD_SECRET_KEY", .0.display())]
    File(PathBuf),
    /// Others can read the file.
    #[error("{} can be read by others (mode {mode:o}); run `chmod 600 {}`", path.display(), path.display())]
    Readable {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// The file cannot be read or made.
    #[error("the key file {} cannot be used", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The operating system gave no random bytes.
    #[error("the operating system gave no random bytes")]
    NoRandomness,
}

impl MasterKey {
    /// From its bytes.
    pub fn new(bytes: [u8; KEY_BYTES]) -> Self {
        Self(Arc::new(SecretBox::new(Box::new(bytes))))
    }

    /// From text: hex or base64 (`ONWARD_SECRET_KEY`).
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let text = text.trim();
        let decoded = if text.len() == 2 * KEY_BYTES {
            hex::decode(text).ok()
        } else {
            use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
            [STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD].iter().find_map(|engine| engine.decode(text).ok())
        };
        decoded.and_then(|bytes| <[u8; KEY_BYTES]>::try_from(bytes).ok()).map(Self::new).ok_or(KeyError::Text)
    }

    /// The key in the file; made with mode 0600 when there is no file yet. Two processes that start at once agree on one.
    pub fn load_or_create(path: &Path) -> Result<Self, KeyError> {
        if let Some(key) = Self::load(path)? {
            return Ok(key);
        }
        let mut bytes = [0; KEY_BYTES];
        rand::TryRng::try_fill_bytes(&mut rand::rngs::SysRng, &mut bytes).map_err(|_| KeyError::NoRandomness)?;
        create(path, &bytes).map_err(|source| KeyError::Io { path: path.to_owned(), source })?;
        // Read back what counts: ours, or the one of whoever was faster.
        Self::load(path)?.ok_or_else(|| KeyError::File(path.to_owned()))
    }

    /// The key in the file; `None` when there is no file.
    pub fn load(path: &Path) -> Result<Option<Self>, KeyError> {
        let io = |source| KeyError::Io { path: path.to_owned(), source };
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(io(error)),
        };
        let mode = file.metadata().map_err(io)?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(KeyError::Readable { path: path.to_owned(), mode });
        }
        let mut text = String::new();
        file.take(KEY_FILE_BYTES).read_to_string(&mut text).map_err(|_| KeyError::File(path.to_owned()))?;
        Self::parse(&text).map(Some).map_err(|_| KeyError::File(path.to_owned()))
    }

    pub(super) fn expose(&self) -> &[u8; KEY_BYTES] {
        self.0.expose_secret()
    }

    /// A secret of its own for a purpose: every node that has the key knows it, and the key cannot be told from it.
    pub fn derive(&self, purpose: &str) -> [u8; KEY_BYTES] {
        Sha256::new().chain_update(b"onward derived key\0").chain_update(self.expose()).chain_update(purpose.as_bytes()).finalize().into()
    }

    /// Tells keys apart without telling anything of them.
    pub(super) fn id(&self) -> [u8; KEY_ID_BYTES] {
        let digest = Sha256::new().chain_update(b"onward key id").chain_update(self.expose()).finalize();
        let mut id = [0; KEY_ID_BYTES];
        id.copy_from_slice(&digest[..KEY_ID_BYTES]);
        id
    }
}

impl std::fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MasterKey(…)")
    }
}

/// Writes a whole file under a name of its own and links it to its place, so that nobody ever sees a half-written key and
/// an existing one is never replaced.
fn create(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}", std::process::id()));
    let draft = folder.join(name);
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
    file.write_all(hex::encode(bytes).as_bytes())?;
    file.write_all(b"\n")?;
    file.sync_all()?;
    let linked = fs::hard_link(&draft, path);
    fs::remove_file(&draft)?;
    match linked {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_and_base64_are_the_same_key() {
        let hex = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
        let base64 = base64::engine::general_purpose::STANDARD.encode(hex::decode(hex).unwrap());
        let id = MasterKey::parse(hex).unwrap().id();
        for text in [base64.as_str(), base64.trim_end_matches('='), &hex.to_uppercase(), &format!(" {hex}\n")] {
            assert_eq!(MasterKey::parse(text).unwrap().id(), id, "{text}");
        }
        for text in ["", "abc", &hex[..62], &hex.replace('f', "g")] {
            assert!(MasterKey::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_key_file_is_made_once_and_private() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("onward.key");
        let id = MasterKey::load_or_create(&path).unwrap().id();
        assert_eq!(MasterKey::load_or_create(&path).unwrap().id(), id);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no draft is left behind");
    }

    #[test]
    fn a_faster_process_keeps_its_key() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("onward.key");
        create(&path, &[1; 32]).unwrap();
        create(&path, &[2; 32]).unwrap();
        assert_eq!(MasterKey::load(&path).unwrap().unwrap().expose(), &[1; 32]);
    }

    #[test]
    fn a_bad_key_file_is_refused_and_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("onward.key");
        fs::write(&path, "oops").unwrap();
        assert!(matches!(MasterKey::load_or_create(&path), Err(KeyError::Readable { .. })));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        assert!(matches!(MasterKey::load_or_create(&path), Err(KeyError::File(_))));
        assert_eq!(fs::read_to_string(&path).unwrap(), "oops");
    }
}
