//! Pre-images in the files of op-program and kona-host, which op-challenger reads too.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Read as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::OFlags;

use super::format::{Format, claim, recorded};
use super::{Store, StoreError, TEMPORARY, Visit, write_atomic};

/// The age from which a temporary file is taken for one that a killed host has left.
const ABANDONED: Duration = Duration::from_secs(3600);

/// How pre-images are laid out in files. Each file holds bare lower-case hex, no line end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// `<first 4 hex digits>/<other 60>.txt` (op-program's `kvstore/directory.go`).
    Directory,
    /// `0x<64 hex digits>.txt` (op-program's `kvstore/file.go`).
    File,
}

impl Layout {
    /// The layout as one of all formats.
    #[must_use]
    pub const fn format(self) -> Format {
        match self {
            Self::Directory => Format::Directory,
            Self::File => Format::File,
        }
    }

    /// The layout of a format; a database has none.
    fn of(format: Format, root: &Path) -> Result<Self, StoreError> {
        match format {
            Format::Directory => Ok(Self::Directory),
            Format::File => Ok(Self::File),
            Format::Database => Err(StoreError::OtherFormat {
                path: root.to_owned(),
                found: format.name(),
                wanted: "directory or file",
            }),
        }
    }

    /// The key in a file's name, relative to the store's folder; `None` for other files.
    fn key(self, folder: &str, file: &str) -> Option<[u8; 32]> {
        let hex = file.strip_suffix(".txt")?;
        let hex = match self {
            Self::Directory => format!("{folder}{hex}"),
            Self::File => hex.strip_prefix("0x")?.to_owned(),
        };
        const_hex::decode_to_array(hex).ok()
    }

    /// Where the pre-image of `key` is, relative to the store's folder.
    ///
    /// The name is made of hex digits only, so no key leads out of the folder.
    fn file_name(self, key: &[u8; 32]) -> PathBuf {
        let hex = const_hex::encode(key);
        match self {
            Self::Directory => PathBuf::from(&hex[..4]).join(format!("{}.txt", &hex[4..])),
            Self::File => PathBuf::from(format!("0x{hex}.txt")),
        }
    }
}

/// A folder of pre-images.
#[derive(Debug, Clone)]
pub struct FileStore {
    root: PathBuf,
    layout: Layout,
}

impl FileStore {
    /// Opens an existing folder and changes nothing in it; the layout is that of its `kvformat`
    /// file, without which it is [`Layout::File`], as op-challenger has it.
    ///
    /// # Errors
    /// When the folder is missing or of another format.
    pub fn open(root: &Path) -> Result<Self, StoreError> {
        fs::read_dir(root).map_err(StoreError::io(root))?;
        let layout = Layout::of(recorded(root)?.unwrap_or(Format::File), root)?;
        Ok(Self {
            root: root.to_owned(),
            layout,
        })
    }

    /// Opens a folder, making it if need be. The layout is that of its `kvformat` file; if it
    /// has none, it becomes `layout` and is recorded.
    ///
    /// # Errors
    /// When the folder cannot be made or written or is of another format.
    pub fn create(root: &Path, layout: Layout) -> Result<Self, StoreError> {
        fs::create_dir_all(root).map_err(StoreError::io(root))?;
        let layout = Layout::of(claim(root, layout.format())?, root)?;
        sweep(root)?;
        Ok(Self {
            root: root.to_owned(),
            layout,
        })
    }

    /// The layout in use.
    #[must_use]
    pub fn layout(&self) -> Layout {
        self.layout
    }
}

/// Fails if the folder of a pre-image's file is a symbolic link, which could lead elsewhere.
fn check_folder(root: &Path, path: &Path) -> Result<(), StoreError> {
    let Some(folder) = path.parent().filter(|folder| *folder != root) else {
        return Ok(());
    };
    match fs::symlink_metadata(folder) {
        Ok(metadata) if metadata.is_dir() => Ok(()),
        Ok(_) => Err(StoreError::NotRegular {
            path: folder.to_owned(),
        }),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(StoreError::io(folder)(error)),
    }
}

/// The content of a file of the store, or `None` if there is none; refuses links, pipes and
/// devices.
pub(super) fn read_regular(path: &Path) -> Result<Option<Vec<u8>>, StoreError> {
    match read_flagged(path, OFlags::NOFOLLOW) {
        Err(StoreError::Io { source, .. }) if source.kind() == ErrorKind::NotFound => Ok(None),
        Err(StoreError::Io { source, .. }) if is_link(&source) => Err(StoreError::NotRegular {
            path: path.to_owned(),
        }),
        read => read.map(Some),
    }
}

/// The content of a file that a user names, by way of links or not; refuses folders, pipes and
/// devices, which may have no end or never begin.
///
/// # Errors
/// When it cannot be read, or is not a regular file.
pub(super) fn read_file(path: &Path) -> Result<Vec<u8>, StoreError> {
    read_flagged(path, OFlags::empty())
}

fn read_flagged(path: &Path, flags: OFlags) -> Result<Vec<u8>, StoreError> {
    // Non-blocking, or opening a named pipe would wait for its writer.
    let flags = flags | OFlags::NONBLOCK;
    let mut file = OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits().cast_signed())
        .open(path)
        .map_err(StoreError::io(path))?;
    refuse_irregular(path, &file.metadata().map_err(StoreError::io(path))?)?;
    let mut data = Vec::new();
    file.read_to_end(&mut data).map_err(StoreError::io(path))?;
    Ok(data)
}

/// Fails unless this is a regular file's metadata.
pub(super) fn refuse_irregular(path: &Path, found: &fs::Metadata) -> Result<(), StoreError> {
    if found.is_file() {
        return Ok(());
    }
    Err(StoreError::NotRegular {
        path: path.to_owned(),
    })
}

/// Removes what killed hosts have left half written. A host needs its temporary files for
/// moments, so those that are older than an hour are nobody's; process ids would tell less, since
/// hosts in containers or on other machines may share a folder.
///
/// # Errors
/// When the folder cannot be read. Files that cannot be removed stay.
pub(super) fn sweep(root: &Path) -> Result<(), StoreError> {
    for entry in fs::read_dir(root).map_err(StoreError::io(root))? {
        let entry = entry.map_err(StoreError::io(root))?;
        if !entry
            .file_name()
            .as_bytes()
            .starts_with(TEMPORARY.as_bytes())
        {
            continue;
        }
        let Ok(found) = entry.metadata() else {
            continue;
        };
        let age = found.modified().ok().and_then(|time| time.elapsed().ok());
        if found.is_file() && age.is_some_and(|age| age >= ABANDONED) {
            // Another host may sweep at the same time.
            let _ = fs::remove_file(entry.path());
        }
    }
    Ok(())
}

/// Whether opening failed because of a symbolic link.
fn is_link(error: &io::Error) -> bool {
    error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error())
}

impl Store for FileStore {
    fn get(&self, key: &[u8; 32]) -> Result<Option<Vec<u8>>, StoreError> {
        let path = self.root.join(self.layout.file_name(key));
        check_folder(&self.root, &path)?;
        let Some(text) = read_regular(&path)? else {
            return Ok(None);
        };
        match const_hex::decode(text.trim_ascii()) {
            Ok(data) => Ok(Some(data)),
            Err(error) => Err(StoreError::Hex {
                path,
                reason: error.to_string(),
            }),
        }
    }

    fn put(&self, key: &[u8; 32], value: &[u8]) -> Result<(), StoreError> {
        let path = self.root.join(self.layout.file_name(key));
        check_folder(&self.root, &path)?;
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(StoreError::io(folder))?;
        }
        // Renaming replaces a symbolic link instead of following it.
        write_atomic(&self.root, &path, const_hex::encode(value).as_bytes())
    }

    fn each(&self, visit: Visit<'_>) -> Result<(), StoreError> {
        match self.layout {
            Layout::File => self.each_in(&self.root, "", visit),
            Layout::Directory => {
                for folder in names(&self.root)? {
                    let path = self.root.join(&folder);
                    if folder.len() == 4 && path.is_dir() {
                        self.each_in(&path, &folder, visit)?;
                    }
                }
                Ok(())
            }
        }
    }
}

impl FileStore {
    /// Visits the pre-images whose files are right in `path`.
    fn each_in(&self, path: &Path, folder: &str, visit: Visit<'_>) -> Result<(), StoreError> {
        for file in names(path)? {
            if let Some(key) = self.layout.key(folder, &file)
                && let Some(value) = self.get(&key)?
            {
                visit(key, value)?;
            }
        }
        Ok(())
    }
}

/// What is in a folder, sorted; names that are no text are not ours.
fn names(folder: &Path) -> Result<Vec<String>, StoreError> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(StoreError::io(folder))? {
        let name = entry.map_err(StoreError::io(folder))?.file_name();
        names.extend(name.into_string());
    }
    names.sort();
    Ok(names)
}
