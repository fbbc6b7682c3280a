//! The Unix socket beside a database file: how commands reach the server that runs on the file.
//!
//! Whoever may open the socket (mode 0600: the server's own user) may do everything that the file itself would let them do.

use sha2::{Digest as _, Sha256};
use std::{
    fs::{self, File, Permissions},
    io,
    os::{fd::AsRawFd as _, unix::fs::PermissionsExt as _},
    path::{Path, PathBuf},
};
use tokio::net::{UnixListener, UnixStream};

/// Bytes of a socket's address that every Unix knows (macOS has 104, Linux 108, both with the closing zero).
const ADDRESS_BYTES: usize = 100;
/// Bytes of a socket's file name beside a long path; leaves room for `/proc/self/fd/N/`.
const NAME_BYTES: usize = 64;

/// Read and written by its owner alone.
const MODE: u32 = 0o600;
/// Connections that may wait to be accepted.
const BACKLOG: i32 = 128;

/// Where the socket of a database file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SocketPath {
    folder: PathBuf,
    name: String,
}

impl SocketPath {
    /// `FILE.sock` beside the file; a name made of its hash where that is too long.
    pub(crate) fn beside(file: &Path) -> Self {
        let folder = match file.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            _ => PathBuf::from("."),
        };
        let stem = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let name = format!("{stem}.sock");
        let name = if name.len() <= NAME_BYTES { name } else { format!("onward-{}.sock", hex::encode(&Sha256::digest(stem.as_bytes())[..8])) };
        Self { folder, name }
    }

    /// The socket's own path.
    pub(crate) fn path(&self) -> PathBuf {
        self.folder.join(&self.name)
    }

    /// Connects to the server that listens there.
    pub(crate) async fn connect(&self) -> io::Result<UnixStream> {
        let address = self.address()?;
        UnixStream::connect(&address.path).await
    }

    /// Listens there, with mode 0600. The caller holds the file's lock, so that a socket which lies there is a dead
    /// server's and may be replaced.
    pub(crate) fn listen(&self) -> io::Result<Listening> {
        let address = self.address()?;
        match fs::remove_file(&address.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = bind_private(&address.path)?;
        Ok(Listening { listener, remove: RemoveOnDrop(self.path()) })
    }

    /// An address that fits: the path itself, or on Linux the path through an open folder.
    fn address(&self) -> io::Result<Address> {
        let path = self.path();
        if path.as_os_str().len() <= ADDRESS_BYTES {
            return Ok(Address { path, _folder: None });
        }
        if cfg!(target_os = "linux") {
            let folder = File::open(&self.folder)?;
            let path = PathBuf::from(format!("/proc/self/fd/{}", folder.as_raw_fd())).join(&self.name);
            return Ok(Address { path, _folder: Some(folder) });
        }
        Err(io::Error::new(io::ErrorKind::InvalidInput, format!("the path {} is too long for a socket; use a shorter one", path.display())))
    }
}

/// A listening socket that nobody but its owner could ever connect to: its mode stands before it has a name.
fn bind_private(path: &Path) -> io::Result<UnixListener> {
    use rustix::net::{AddressFamily, SocketAddrUnix, SocketType, bind, listen, socket};
    let socket = socket(AddressFamily::UNIX, SocketType::STREAM, None)?;
    rustix::io::ioctl_fionbio(&socket, true)?;
    rustix::io::fcntl_setfd(&socket, rustix::io::FdFlags::CLOEXEC)?;
    #[cfg(target_os = "linux")]
    rustix::fs::fchmod(&socket, rustix::fs::Mode::from_raw_mode(MODE))?;
    bind(&socket, &SocketAddrUnix::new(path)?)?;
    // Where a socket takes no mode before its name, it takes it before anybody is listened to.
    fs::set_permissions(path, Permissions::from_mode(MODE))?;
    listen(&socket, BACKLOG)?;
    UnixListener::from_std(std::os::unix::net::UnixListener::from(socket))
}

/// A path short enough for a socket, with what must stay open while it is used.
struct Address {
    path: PathBuf,
    _folder: Option<File>,
}

/// A listening socket; its file goes when it is dropped.
pub(crate) struct Listening {
    /// Accepts connections.
    pub(crate) listener: UnixListener,
    remove: RemoveOnDrop,
}

impl Listening {
    /// The listener, and what removes the socket's file when it is dropped.
    pub(crate) fn split(self) -> (UnixListener, impl Send + 'static) {
        (self.listener, self.remove)
    }
}

struct RemoveOnDrop(PathBuf);

impl Drop for RemoveOnDrop {
    fn drop(&mut self) {
        // One that stays behind is replaced by the next server.
        let _ = fs::remove_file(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn talks(file: &Path) {
        let path = SocketPath::beside(file);
        assert!(path.connect().await.is_err(), "nobody listens yet");
        let listening = path.listen().unwrap();
        assert_eq!(fs::metadata(path.path()).unwrap().permissions().mode() & 0o777, 0o600);
        let (accepted, connected) = tokio::join!(listening.listener.accept(), path.connect());
        accepted.unwrap();
        connected.unwrap();
    }

    #[tokio::test]
    async fn a_socket_lies_beside_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("onward.db");
        talks(&file).await;
        assert!(!SocketPath::beside(&file).path().exists(), "it goes with its listener");
    }

    #[tokio::test]
    async fn a_stale_socket_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = SocketPath::beside(&folder.path().join("onward.db"));
        drop(std::os::unix::net::UnixListener::bind(path.path()).unwrap());
        assert!(path.path().exists());
        assert!(path.connect().await.is_err());
        path.listen().unwrap();
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn long_paths_are_reached_through_their_folder() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("a".repeat(120)).join("b".repeat(120));
        fs::create_dir_all(&deep).unwrap();
        talks(&deep.join("onward.db")).await;
        talks(&deep.join(format!("{}.db", "c".repeat(200)))).await;
    }
}
