//! A backend that lets a test act just before a chosen operation.

use crate::backend::folder::Folder;
use crate::backend::{Backend, Extent, Small, Source, Version};
use crate::error::Result;
use std::ops::Range;
use std::sync::Mutex;
use std::time::Duration;

/// What somebody else does.
pub type Act = Box<dyn FnOnce() + Send>;

/// A folder whose users can be disturbed.
pub struct Disturbed {
    pub folder: Folder,
    /// To be done before an operation (its name, and what the path has in it).
    pub acts: Mutex<Vec<(&'static str, String, Act)>>,
    /// Edges that the next listing misses.
    pub missed: Mutex<Vec<String>>,
}

impl Disturbed {
    fn before(&self, operation: &str, path: &str) {
        let mut acts = self.acts.lock().unwrap();
        let due = acts
            .iter()
            .position(|(name, part, _)| *name == operation && path.contains(part));
        let act = due.map(|due| acts.remove(due).2);
        drop(acts);
        if let Some(act) = act {
            act();
        }
    }
}

impl Backend for Disturbed {
    fn list(&self, folder: &str) -> Result<Vec<String>> {
        self.before("list", folder);
        let mut names = self.folder.list(folder)?;
        if folder.ends_with("edges") {
            let missed = std::mem::take(&mut *self.missed.lock().unwrap());
            names.retain(|name| !missed.contains(name));
        }
        Ok(names)
    }

    fn folders(&self) -> Result<Vec<String>> {
        self.folder.folders()
    }

    fn measure(&self, folder: &str) -> Result<Extent> {
        self.folder.measure(folder)
    }

    fn open(&self, paths: &[String]) -> Vec<Result<(Source, Vec<u8>)>> {
        paths.iter().for_each(|path| self.before("open", path));
        self.folder.open(paths)
    }

    fn read(&self, requests: &[(&Source, Range<u64>)]) -> Vec<Result<Vec<u8>>> {
        self.folder.read(requests)
    }

    fn create(&self, path: &str, bytes: &[u8]) -> Result<bool> {
        self.before("create", path);
        self.folder.create(path, bytes)
    }

    fn replace(&self, path: &str, bytes: &[u8]) -> Result<()> {
        self.folder.replace(path, bytes)
    }

    fn get(&self, path: &str) -> Result<Option<Small<Vec<u8>>>> {
        self.folder.get(path)
    }

    fn swap(&self, path: &str, version: &Version, bytes: &[u8]) -> Result<bool> {
        self.folder.swap(path, version, bytes)
    }

    fn remove(&self, path: &str) -> Result<()> {
        self.before("remove", path);
        self.folder.remove(path)
    }

    fn remove_folder(&self, folder: &str, order: &[&str]) -> Result<bool> {
        self.folder.remove_folder(folder, order)
    }

    fn finish_removing(&self) -> Result<()> {
        self.folder.finish_removing()
    }

    fn sync(&self, folder: &str) -> Result<()> {
        self.folder.sync(folder)
    }

    fn sweep(&self, folder: &str, age: Duration) -> Result<()> {
        self.folder.sweep(folder, age)
    }

    fn is_near(&self) -> bool {
        true
    }
}
