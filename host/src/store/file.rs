//! Pre-images in the files of op-program and kona-host, which op-challenger reads too.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use super::{Store, StoreError, write_atomic};

/// The file that names a store's layout (op-program's `kvstore/format.go`).
const FORMAT_FILE: &str = "kvformat";

/// How pre-images are laid out in files. Each file holds bare lower-case hex, no line end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// `<first 4 hex digits>/<other 60>.txt` (op-program's `kvstore/directory.go`).
    Directory,
    /// `0x<64 hex digits>.txt` (op-program's `kvstore/file.go`).
    File,
}

impl Layout {
    /// The layout's name in the `kvformat` file.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Directory => "directory",
            Self::File => "file",
        }
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
        let layout = read_layout(root)?.unwrap_or(Layout::File);
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
        let layout = match read_layout(root)? {
            Some(recorded) => recorded,
            None => {
                // Byte for byte: op-challenger compares without trimming.
                write_atomic(root, &root.join(FORMAT_FILE), layout.name().as_bytes())?;
                layout
            }
        };
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

/// The layout that the folder's `kvformat` file names, if there is such a file.
fn read_layout(root: &Path) -> Result<Option<Layout>, StoreError> {
    let path = root.join(FORMAT_FILE);
    let Some(text) = read_regular(&path)? else {
        return Ok(None);
    };
    match text.trim_ascii() {
        b"directory" => Ok(Some(Layout::Directory)),
        b"file" => Ok(Some(Layout::File)),
        other => Err(StoreError::Format {
            path: root.to_owned(),
            format: String::from_utf8_lossy(&other[..other.len().min(40)]).into_owned(),
        }),
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

/// The content of a file, or `None` if there is none; refuses links, pipes and devices.
fn read_regular(path: &Path) -> Result<Option<Vec<u8>>, StoreError> {
    // Non-blocking, or opening a named pipe would wait for its writer.
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let opened = OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits().cast_signed())
        .open(path);
    let not_regular = || StoreError::NotRegular {
        path: path.to_owned(),
    };
    let mut file = match opened {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) if is_link(&error) => return Err(not_regular()),
        Err(error) => return Err(StoreError::io(path)(error)),
    };
    if !file.metadata().map_err(StoreError::io(path))?.is_file() {
        return Err(not_regular());
    }
    let mut data = Vec::new();
    file.read_to_end(&mut data).map_err(StoreError::io(path))?;
    Ok(Some(data))
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
}
