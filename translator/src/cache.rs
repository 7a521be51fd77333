//! Translated regions on disk, so that a program is translated once.
//!
//! A folder, named after all that code depends on besides the guest (the sources of this
//! crate, Cranelift's version and settings, the processor's features), holds *segments*:
//! files that are written whole, renamed into place and never changed, so any number of
//! processes may read and write them at once. A process that has translated something
//! writes a segment with all regions of its program, and removes those it replaces.
//!
//! ```text
//! segment = magic, hash of the index, length of the index, index, code of all records
//! index   = for each record: the record, where its code is, the hash of that
//! ```
//!
//! Nothing is believed: the folder must be ours alone, the index and each piece of code
//! must have their hashes, and a record is used only if the guest's memory holds the very
//! instructions that it was made from. Code is checked after it was copied out of the file.

use crate::record::{Record, guest_hash};
use carronade_emulator::memory::Memory;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, SystemTime};

const MAGIC: [u8; 8] = *b"carrcach";
const HEADER: usize = MAGIC.len() + 32 + 8;
const EXTENSION: &str = "segment";
/// How the names of files begin that are being written.
const TEMPORARY: &str = ".writing-";
/// After so long a file that is being written is nobody's any more.
const ABANDONED: Duration = Duration::from_secs(3600);

/// A cache folder.
pub struct Cache {
    /// The folder of all fingerprints.
    root: PathBuf,
    folder: PathBuf,
    /// Most bytes on disk.
    limit: u64,
    /// Segments all regions of which are of this program. Programs may have some regions
    /// in common, those of a language's runtime above all.
    used: Vec<PathBuf>,
}

#[derive(Serialize, Deserialize)]
struct Place {
    record: Record,
    offset: u64,
    length: u64,
    hash: [u8; 32],
}

impl Cache {
    /// The cache in a folder, for code with a fingerprint.
    ///
    /// # Errors
    /// When the folder cannot be made, or others can write to it.
    pub fn open(root: &Path, fingerprint: &str, limit: u64) -> io::Result<Self> {
        let name = blake3::hash(fingerprint.as_bytes()).to_hex();
        let folder = root.join(&name.as_str()[..32]);
        fs::create_dir_all(root)?;
        make_private(&folder)?;
        Ok(Self {
            root: root.into(),
            folder,
            limit,
            used: Vec::new(),
        })
    }

    /// All records whose instructions are in the guest's memory, newer ones first, at most
    /// one for a leader.
    pub fn load(&mut self, memory: &Memory) -> Vec<Record> {
        let (mut found, mut starts) = (Vec::new(), HashSet::new());
        for (path, _, _) in segments(&self.folder) {
            // A segment that is damaged, or was removed just now, is as good as none.
            let Ok(mut segment) = Segment::open(&path) else {
                continue;
            };
            let (before, mut whole) = (found.len(), true);
            for place in segment.index {
                let fits = guest_hash(memory, &place.record.runs) == place.record.guest;
                whole &= fits;
                if fits
                    && starts.insert(place.record.start)
                    && let Some(record) = place.take(&mut segment.file)
                {
                    found.push(record);
                }
            }
            if found.len() > before {
                // The time of a segment says when it was last of use.
                let _ = segment.file.set_modified(SystemTime::now());
            }
            if whole {
                self.used.push(path);
            }
        }
        found
    }

    /// Whether records have been loaded from a segment that [`Cache::save`] would replace.
    pub fn would_replace(&self) -> bool {
        !self.used.is_empty()
    }

    /// Keeps the records in place of those that were loaded.
    ///
    /// # Errors
    /// When the segment cannot be written; what was there stays.
    pub fn save<'a>(&mut self, records: impl Iterator<Item = &'a Rc<Record>>) -> io::Result<()> {
        let bytes = encode(records)?;
        let name = blake3::hash(&bytes).to_hex();
        let path = self
            .folder
            .join(format!("{}.{EXTENSION}", &name.as_str()[..32]));
        let mut file = tempfile::Builder::new()
            .prefix(TEMPORARY)
            .tempfile_in(&self.folder)?;
        file.write_all(&bytes)?;
        file.persist(&path).map_err(|error| error.error)?;
        for old in std::mem::replace(&mut self.used, vec![path.clone()]) {
            if old != path {
                let _ = fs::remove_file(old);
            }
        }
        self.evict(&path);
        Ok(())
    }

    /// Removes what was of use longest ago until the rest is within the limit, and what
    /// processes left behind that were ended while they wrote.
    fn evict(&self, keep: &Path) {
        let folders = fs::read_dir(&self.root).into_iter().flatten().flatten();
        let folders: Vec<_> = folders.map(|folder| folder.path()).collect();
        folders.iter().for_each(|folder| remove_abandoned(folder));
        let mut all: Vec<_> = folders.iter().flat_map(|folder| segments(folder)).collect();
        all.sort_by_key(|(_, time, _)| std::cmp::Reverse(*time));
        let mut total = 0;
        for (path, _, size) in all {
            total += size;
            if total > self.limit && path != keep {
                let _ = fs::remove_file(path);
            }
        }
    }
}

/// Removes files that somebody began to write so long ago that nobody still does.
fn remove_abandoned(folder: &Path) {
    for file in fs::read_dir(folder).into_iter().flatten().flatten() {
        let (path, data) = (file.path(), file.metadata());
        let age = data
            .and_then(|data| data.modified())
            .map(|time| time.elapsed().unwrap_or_default());
        let temporary = file
            .file_name()
            .as_encoded_bytes()
            .starts_with(TEMPORARY.as_bytes());
        if temporary && age.is_ok_and(|age| age > ABANDONED) {
            let _ = fs::remove_file(path);
        }
    }
}

/// The segments of a folder, newest first: path, time, size.
fn segments(folder: &Path) -> Vec<(PathBuf, SystemTime, u64)> {
    let files = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut segments: Vec<_> = files
        .filter_map(|file| {
            let (path, data) = (file.path(), file.metadata().ok()?);
            // What else could have the name, a pipe say, need not come to an end.
            let named = data.is_file()
                && path
                    .extension()
                    .is_some_and(|extension| extension == EXTENSION);
            named.then_some((path, data.modified().ok()?, data.len()))
        })
        .collect();
    segments.sort_by_key(|(_, time, _)| std::cmp::Reverse(*time));
    segments
}

/// A segment whose index is sound.
struct Segment {
    file: File,
    index: Vec<Place>,
}

impl Segment {
    fn open(path: &Path) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let size = file.metadata()?.len();
        let mut header = [0; HEADER];
        file.read_exact(&mut header)?;
        let (magic, rest) = header.split_at(MAGIC.len());
        let (hash, length) = rest.split_at(32);
        let length = length
            .iter()
            .rev()
            .fold(0, |length, byte| length << 8 | u64::from(*byte));
        if magic != MAGIC || length > size {
            return Err(io::Error::other("not a segment"));
        }
        let mut index = vec![0; length as usize];
        file.read_exact(&mut index)?;
        if blake3::hash(&index).as_bytes() != hash {
            return Err(io::Error::other("a damaged segment"));
        }
        let index = postcard::from_bytes(&index).map_err(io::Error::other)?;
        Ok(Self { file, index })
    }
}

impl Place {
    /// The record with its code, if that is what it was.
    fn take(self, file: &mut File) -> Option<Record> {
        if self.length > file.metadata().ok()?.len() {
            return None;
        }
        let mut code = vec![0; self.length as usize];
        file.seek(SeekFrom::Start(self.offset)).ok()?;
        file.read_exact(&mut code).ok()?;
        let sound = blake3::hash(&code) == self.hash
            && !self.record.entries.is_empty()
            && self.record.runs.iter().all(|(_, count)| *count > 0)
            && self
                .record
                .entries
                .iter()
                .all(|(_, at)| (*at as usize) < code.len());
        sound.then_some(Record {
            code,
            ..self.record
        })
    }
}

fn encode<'a>(records: impl Iterator<Item = &'a Rc<Record>>) -> io::Result<Vec<u8>> {
    let records: Vec<&Rc<Record>> = records.collect();
    let index = |start: u64| {
        let mut offset = start;
        let places = records.iter().map(|record| {
            let length = record.code.len() as u64;
            offset += length;
            Place {
                record: Record::clone(record),
                offset: offset - length,
                length,
                hash: blake3::hash(&record.code).into(),
            }
        });
        postcard::to_stdvec(&places.collect::<Vec<_>>()).map_err(io::Error::other)
    };
    // Offsets have lengths of their own in the index: begin behind the longest it may get.
    let spare = 10 * records.len() as u64;
    let start = HEADER as u64 + index(0)?.len() as u64 + spare;
    let index = index(start)?;
    let mut bytes = MAGIC.to_vec();
    bytes.extend(blake3::hash(&index).as_bytes());
    bytes.extend((index.len() as u64).to_le_bytes());
    bytes.extend(&index);
    bytes.resize(start as usize, 0);
    for record in records {
        bytes.extend(&record.code);
    }
    Ok(bytes)
}

/// Makes a folder that only we can use, or refuses one that others can write to.
#[cfg(unix)]
fn make_private(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::{DirBuilderExt, MetadataExt};
    match fs::DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let data = fs::symlink_metadata(folder)?;
    let ours = data.uid() == rustix::process::geteuid().as_raw();
    if !ours || !data.is_dir() || data.mode() & 0o022 != 0 {
        return Err(io::Error::other("others can write to the cache folder"));
    }
    Ok(())
}

#[cfg(not(unix))]
fn make_private(_: &Path) -> io::Result<()> {
    Err(io::Error::other("no cache on this system"))
}
