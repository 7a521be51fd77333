//! Where a server listens: a socket file, or a port that only this machine reaches.

use anyhow::{Context, Result, anyhow, bail};
use std::fmt;
use std::fs::{self, File, Metadata};
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

/// What accepts connections.
pub enum Listener {
    /// At a socket file.
    Unix(UnixListener),
    /// At a port.
    Tcp(TcpListener),
}

/// A place that is listened at.
pub struct Bound {
    /// What accepts connections.
    pub listener: Listener,
    /// The socket file, if there is one.
    pub socket: Option<SocketFile>,
    shown: String,
}

impl fmt::Display for Bound {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.shown)
    }
}

/// The socket file that the server of a store listens at by default, if the store is a
/// folder.
#[must_use]
pub fn socket_in(store: &str) -> Option<PathBuf> {
    (!store.contains("://")).then(|| Path::new(store).join("serve.sock"))
}

/// Listens where a flag says, or at the store's own socket.
///
/// # Errors
/// When that is no place for it, or somebody listens there.
pub fn bind(flag: Option<&str>, store: &str) -> Result<Bound> {
    let Some(words) = flag else {
        let path = socket_in(store);
        let path = path.ok_or_else(|| anyhow!("--listen is needed: the store is no folder"))?;
        fs::create_dir_all(store).with_context(|| format!("cannot make the folder {store}"))?;
        return bind_unix(&path);
    };
    match words.strip_prefix("unix:") {
        Some(path) => bind_unix(Path::new(path)),
        None => bind_tcp(words),
    }
}

fn bind_tcp(words: &str) -> Result<Bound> {
    let Ok(address) = words.parse::<SocketAddr>() else {
        bail!("invalid --listen {words:?}: neither unix:PATH nor IP:PORT");
    };
    if !address.ip().is_loopback() {
        bail!(
            "invalid --listen {words:?}: whoever reaches the server can make it work, so it \
             listens at loopback addresses only"
        );
    }
    let listener = TcpListener::bind(address);
    let listener = listener.with_context(|| format!("cannot listen at {address}"))?;
    Ok(Bound {
        shown: listener.local_addr()?.to_string(),
        listener: Listener::Tcp(listener),
        socket: None,
    })
}

fn bind_unix(path: &Path) -> Result<Bound> {
    let shown = format!("unix:{}", path.display());
    let complaint = || format!("cannot listen at {shown}");
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    // Two servers that start at once must not take each other's sockets for left behind.
    let folder = File::open(folder).with_context(complaint)?;
    folder.lock().with_context(complaint)?;
    remove_stale(path).with_context(complaint)?;
    let listener = UnixListener::bind(path).with_context(complaint)?;
    let metadata = fs::symlink_metadata(path).with_context(complaint)?;
    let socket = SocketFile(path.into(), identity(&metadata));
    Ok(Bound {
        listener: Listener::Unix(listener),
        socket: Some(socket),
        shown,
    })
}

/// Removes a socket file that nobody listens at.
fn remove_stale(path: &Path) -> Result<()> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Ok(found) if !found.file_type().is_socket() => bail!("there is a file of this name"),
        found => found?,
    };
    match UnixStream::connect(path) {
        Ok(_) => bail!("somebody listens there already"),
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => Ok(fs::remove_file(path)?),
        Err(error) => Err(error.into()),
    }
}

/// What tells a file from another one of the same name.
fn identity(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

/// A socket file, removed with its owner.
pub struct SocketFile(PathBuf, (u64, u64));

impl Drop for SocketFile {
    fn drop(&mut self) {
        let Self(path, own) = self;
        // Somebody may have put another one in its place.
        if fs::symlink_metadata(&*path).is_ok_and(|found| identity(&found) == *own) {
            let _ = fs::remove_file(path);
        }
    }
}
