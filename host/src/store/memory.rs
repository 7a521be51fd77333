//! Pre-images in memory, and in JSON files.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::sync::{PoisonError, RwLock};

use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;

use super::{Store, StoreError, Visit, parse_key, read_file, write_atomic};

/// The first two bytes of a gzip file.
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// Pre-images in memory.
#[derive(Debug, Default)]
pub struct MemoryStore {
    images: RwLock<BTreeMap<[u8; 32], Vec<u8>>>,
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads a JSON object of `"0xkey": "0xvalue"` pairs, with keys of 32 bytes; the file may be
    /// gzipped, whatever it is called.
    ///
    /// # Errors
    /// When the file cannot be read or is not such an object.
    pub fn read_json(path: &Path) -> Result<Self, StoreError> {
        let mut data = read_file(path)?;
        if data.starts_with(&GZIP_MAGIC) {
            let mut plain = Vec::new();
            MultiGzDecoder::new(&data[..])
                .read_to_end(&mut plain)
                .map_err(StoreError::io(path))?;
            data = plain;
        }
        let bad = |reason: String| StoreError::Json {
            path: path.to_owned(),
            reason,
        };
        let pairs: BTreeMap<String, String> =
            serde_json::from_slice(&data).map_err(|error| bad(error.to_string()))?;
        let mut images = BTreeMap::new();
        for (name, value) in pairs {
            let key = parse_key(&name)
                .ok_or_else(|| bad(format!("the key {name:?} is not 32 bytes in hex")))?;
            let image = const_hex::decode(value)
                .map_err(|error| bad(format!("the value of key {name} is not hex: {error}")))?;
            images.insert(key, image);
        }
        Ok(Self {
            images: RwLock::new(images),
        })
    }

    /// Writes what [`Self::read_json`] reads, sorted by key; gzipped if the name ends in `.gz`.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write_json(&self, path: &Path) -> Result<(), StoreError> {
        let images = self.images.read().unwrap_or_else(PoisonError::into_inner);
        let pairs: BTreeMap<String, String> = images
            .iter()
            .map(|(key, value)| {
                (
                    const_hex::encode_prefixed(key),
                    const_hex::encode_prefixed(value),
                )
            })
            .collect();
        let mut data = serde_json::to_vec_pretty(&pairs).map_err(|error| StoreError::Json {
            path: path.to_owned(),
            reason: error.to_string(),
        })?;
        data.push(b'\n');
        if path.extension().is_some_and(|extension| extension == "gz") {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
            encoder.write_all(&data).map_err(StoreError::io(path))?;
            data = encoder.finish().map_err(StoreError::io(path))?;
        }
        let parent = path
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty());
        write_atomic(parent.unwrap_or(Path::new(".")), path, &data)
    }
}

impl FromIterator<([u8; 32], Vec<u8>)> for MemoryStore {
    fn from_iter<I: IntoIterator<Item = ([u8; 32], Vec<u8>)>>(pairs: I) -> Self {
        Self {
            images: RwLock::new(pairs.into_iter().collect()),
        }
    }
}

impl Store for MemoryStore {
    fn get(&self, key: &[u8; 32]) -> Result<Option<Vec<u8>>, StoreError> {
        // A map is whole even if a thread panicked with the lock: `insert` does not panic.
        Ok(self
            .images
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(key)
            .cloned())
    }

    fn put(&self, key: &[u8; 32], value: &[u8]) -> Result<(), StoreError> {
        let mut images = self.images.write().unwrap_or_else(PoisonError::into_inner);
        images.insert(*key, value.to_vec());
        Ok(())
    }

    fn each(&self, visit: Visit<'_>) -> Result<(), StoreError> {
        let images = self.images.read().unwrap_or_else(PoisonError::into_inner);
        images
            .iter()
            .try_for_each(|(key, value)| visit(*key, value.clone()))
    }
}
