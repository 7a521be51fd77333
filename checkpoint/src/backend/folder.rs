//! Objects as files.
//!
//! A file is written under another name, synchronised, renamed, and its folder is
//! synchronised: after a power cut it is there whole, or it was never reported written.
//!
//! Files are read at offsets rather than mapped. A mapping of a file that somebody cuts
//! short, or whose disk fails, ends the process with a signal; here it is an error that
//! names the file. What was read is checked where no other process can change it.

use super::{Backend, Extent, Small, Source, TAIL, Version, age, if_there};
use crate::error::{Error, Result};
use rustix::process::{Resource, getrlimit, setrlimit};
use std::fs::{self, File, Permissions};
use std::io::{self, ErrorKind, Write};
use std::ops::Range;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::{Builder, NamedTempFile};

/// How the names of files begin that are being written.
const TEMPORARY: &str = ".writing-";
/// How the names of folders begin that had an object's name.
const ASIDE: &str = ".aside-";
/// How the names of folders begin that are being removed.
const PRUNED: &str = ".pruned-";
/// How often something is written again if its folder goes meanwhile.
const TRIES: usize = 3;
/// Locked by who replaces a small object of the folder.
const LOCK: &str = ".lock";
const PERMISSIONS: u32 = 0o644;

/// A folder as a place for objects.
pub(crate) struct Folder {
    root: PathBuf,
}

impl Folder {
    /// The folder, which is made if it is missing.
    pub fn open(root: &Path) -> Result<Self> {
        let made = make_folder(root).and_then(|()| fs::read_dir(root));
        made.map_err(|error| Error::Location {
            location: root.display().to_string(),
            why: error.to_string(),
        })?;
        Ok(Self { root: root.into() })
    }

    /// Does something with the file of an object, and names it in errors.
    fn at<T>(&self, path: &str, act: impl Fn(&Path) -> io::Result<T>) -> Result<T> {
        let file = self.root.join(path);
        let done = match act(&file) {
            Err(error) if error.raw_os_error() == Some(TOO_MANY_FILES) => {
                allow_more_files().and_then(|()| act(&file))
            }
            other => other,
        };
        done.map_err(|error| Error::io(file.display(), error))
    }

    /// A folder, a link or whatever else has an object's name is no object: it counts as a
    /// damaged one, and is replaced.
    fn expect_file(&self, path: &str) -> Result<()> {
        let file = self.root.join(path);
        match fs::symlink_metadata(&file) {
            Ok(found) if !found.is_file() => {
                Err(Error::damaged(file.display(), "it is not a plain file"))
            }
            _ => Ok(()),
        }
    }

    fn remove_tree(&self, folder: &Path) -> Result<()> {
        let removed = fs::remove_dir_all(folder);
        // Another one may be removing it, too.
        if_there(removed.map_err(|error| Error::io(folder.display(), error))).map(drop)
    }

    fn write(&self, path: &str, bytes: &[u8], place: Place) -> Result<bool> {
        let mut tries = 0;
        loop {
            tries += 1;
            match self.try_to_write(path, bytes, place) {
                Err(Error::Missing { .. }) if tries < TRIES => {}
                other => return other,
            }
        }
    }

    /// Its folder may go after it was made.
    fn try_to_write(&self, path: &str, bytes: &[u8], place: Place) -> Result<bool> {
        self.at(path, |target| {
            let folder = target.parent().unwrap_or(&self.root);
            make_folder(folder)?;
            let written = place(write_temporary(folder, bytes)?, target);
            let written = match written {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => false,
                other => other.map(|()| true)?,
            };
            // Also if it was there: who wrote it may not have come so far yet.
            sync_folder(folder)?;
            Ok(written)
        })
    }
}

/// Gives a temporary file its name.
type Place = fn(NamedTempFile, &Path) -> io::Result<()>;

fn place_new(file: NamedTempFile, target: &Path) -> io::Result<()> {
    file.persist_noclobber(target)
        .map_err(|error| error.error)?;
    Ok(())
}

fn place_over(file: NamedTempFile, target: &Path) -> io::Result<()> {
    file.persist(target).map_err(|error| error.error)?;
    Ok(())
}

impl Backend for Folder {
    fn list(&self, folder: &str) -> Result<Vec<String>> {
        let listed = self.at(folder, |folder| {
            fs::read_dir(folder)?
                .filter_map(|file| name(file).transpose())
                .collect()
        });
        Ok(if_there(listed)?.unwrap_or_default())
    }

    fn folders(&self) -> Result<Vec<String>> {
        self.at("", |root| {
            let entries: io::Result<Vec<_>> = fs::read_dir(root)?.collect();
            let folders = entries?.into_iter().filter(may_be_folder);
            let names = folders.map(|folder| folder.file_name().into_string());
            Ok(names.filter_map(Result::ok).collect())
        })
    }

    /// It gets another name first, so that nobody sees a part of it, and who writes makes a new
    /// one.
    fn remove_folder(&self, folder: &str, _: &[&str]) -> Result<bool> {
        let aside = self.at(folder, |folder| {
            let aside = Builder::new().prefix(PRUNED).tempdir_in(&self.root)?;
            match fs::rename(folder, aside.path().join("trace")) {
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
                other => other.map(|()| Some(aside.keep())),
            }
        })?;
        match &aside {
            Some(aside) => self.remove_tree(aside).map(|()| true),
            None => Ok(false),
        }
    }

    fn finish_removing(&self) -> Result<()> {
        let mut names = self.folders()?;
        names.retain(|name| name.starts_with(PRUNED));
        let removed = names
            .iter()
            .map(|name| self.remove_tree(&self.root.join(name)));
        // One that cannot be removed does not keep the others.
        removed.fold(Ok(()), Result::and)
    }

    fn measure(&self, folder: &str) -> Result<Extent> {
        let measured = self.at(folder, |folder| {
            // A folder's own time tells of files that were removed, or are not named yet.
            let own = Extent {
                bytes: 0,
                modified: Some(fs::metadata(folder)?.modified()?),
            };
            // What goes meanwhile is nothing.
            let files = fs::read_dir(folder)?.flatten();
            let extents = files.filter_map(|file| extent(&file.metadata().ok()?));
            Ok(extents.fold(own, Extent::and))
        });
        Ok(if_there(measured)?.unwrap_or_default())
    }

    fn open(&self, paths: &[String]) -> Vec<Result<(Source, Vec<u8>)>> {
        let open = |path: &String| {
            self.expect_file(path)?;
            self.at(path, |file| {
                let file = File::open(file)?;
                let data = file.metadata()?;
                let (size, modified) = (data.len(), data.modified()?);
                let tail = read_at(&file, size.saturating_sub(TAIL)..size)?;
                let path = self.root.join(path).display().to_string();
                let file = Some(file);
                Ok((
                    Source {
                        path,
                        size,
                        modified,
                        version: None,
                        file,
                    },
                    tail,
                ))
            })
        };
        paths.iter().map(open).collect()
    }

    fn read(&self, requests: &[(&Source, Range<u64>)]) -> Vec<Result<Vec<u8>>> {
        let read = |(source, range): &(&Source, Range<u64>)| {
            let file = source.file.as_ref().expect("sources of a folder are files");
            read_at(file, range.clone()).map_err(|error| Error::io(&source.path, error))
        };
        requests.iter().map(read).collect()
    }

    fn create(&self, path: &str, bytes: &[u8]) -> Result<bool> {
        self.write(path, bytes, place_new)
    }

    fn replace(&self, path: &str, bytes: &[u8]) -> Result<()> {
        self.at(path, make_way)?;
        self.write(path, bytes, place_over).map(drop)
    }

    fn get(&self, path: &str) -> Result<Option<Small<Vec<u8>>>> {
        if_there(self.at(path, |file| {
            let modified = fs::metadata(file)?.modified()?;
            let value = fs::read(file)?;
            let version = version(&value);
            Ok(Small {
                value,
                version,
                modified,
            })
        }))
    }

    fn swap(&self, path: &str, expected: &Version, bytes: &[u8]) -> Result<bool> {
        // The lock goes with its file, also if this process is killed.
        let lock = if_there(self.at(path, |file| {
            let lock = file.with_file_name(LOCK);
            let lock = File::options().create(true).append(true).open(lock)?;
            lock.lock()?;
            Ok(lock)
        }))?;
        // Nor is what its folder has gone with.
        let Some(_lock) = lock else {
            return Ok(false);
        };
        match self.get(path)? {
            Some(small) if small.version == *expected => {}
            _ => return Ok(false),
        }
        self.replace(path, bytes)?;
        Ok(true)
    }

    fn remove(&self, path: &str) -> Result<()> {
        if_there(self.at(path, |file| fs::remove_file(file))).map(drop)
    }

    fn sync(&self, folder: &str) -> Result<()> {
        self.at(folder, sync_folder)
    }

    fn sweep(&self, folder: &str, limit: Duration) -> Result<()> {
        let swept = self.at(folder, |folder| {
            for file in fs::read_dir(folder)? {
                let file = file?;
                let modified = file.metadata().and_then(|data| data.modified());
                let old = modified.is_ok_and(|time| age(time) > limit);
                let name = file.file_name();
                if old && name.as_encoded_bytes().starts_with(TEMPORARY.as_bytes()) {
                    let _ = fs::remove_file(file.path());
                }
            }
            Ok(())
        });
        if_there(swept).map(drop)
    }

    fn is_near(&self) -> bool {
        true
    }
}

fn version(bytes: &[u8]) -> Version {
    blake3::hash(bytes).to_string()
}

/// The name of a file; none if it is not one that the store could have made.
fn name(file: io::Result<fs::DirEntry>) -> io::Result<Option<String>> {
    let file = file?;
    let name = file.file_name().into_string().ok();
    let plain = file.file_type()?.is_file();
    Ok(name.filter(|name| plain && !name.starts_with('.')))
}

/// Whether it is a folder, or perhaps a link to one.
fn may_be_folder(entry: &fs::DirEntry) -> bool {
    entry
        .file_type()
        .is_ok_and(|kind| kind.is_dir() || kind.is_symlink())
}

/// What one file adds to its folder.
fn extent(file: &fs::Metadata) -> Option<Extent> {
    Some(Extent {
        bytes: file.len(),
        modified: Some(file.modified().ok()?),
    })
}

/// A checkpoint keeps a file open for every edge of its path. Where that is more than a
/// process may have at first, it takes what it may have at most.
fn allow_more_files() -> io::Result<()> {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    Ok(setrlimit(Resource::Nofile, limit)?)
}

/// The process has as many files open as it may.
const TOO_MANY_FILES: i32 = rustix::io::Errno::MFILE.raw_os_error();

fn read_at(file: &File, range: Range<u64>) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; (range.end - range.start) as usize];
    file.read_exact_at(&mut bytes, range.start)?;
    Ok(bytes)
}

/// A folder cannot be replaced by a file. What is in it is not ours to remove.
fn make_way(target: &Path) -> io::Result<()> {
    if !fs::symlink_metadata(target).is_ok_and(|found| found.is_dir()) {
        return Ok(());
    }
    let beside = target.parent().unwrap_or(Path::new("."));
    let aside = Builder::new().prefix(ASIDE).tempdir_in(beside)?.keep();
    fs::rename(target, aside)
}

/// A synchronised file without a name of its own yet; it goes when it is dropped.
fn write_temporary(folder: &Path, bytes: &[u8]) -> io::Result<NamedTempFile> {
    let mut file = Builder::new()
        .prefix(TEMPORARY)
        .permissions(Permissions::from_mode(PERMISSIONS))
        .tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    Ok(file)
}

/// Makes a folder and those above it that are missing, so that they survive a power cut.
fn make_folder(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let above = match folder.parent() {
        Some(above) if !above.as_os_str().is_empty() => above,
        _ => Path::new("."),
    };
    make_folder(above)?;
    match fs::create_dir(folder) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
        _ => sync_folder(above),
    }
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
