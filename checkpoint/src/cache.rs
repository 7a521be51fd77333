//! Opened objects that may be needed again.

use crate::format::object::Object;
use crate::name::EdgeName;
use std::collections::HashMap;
use std::sync::Arc;

/// What an object counts at least: it may be an open file, which is dear too.
const LEAST: usize = 16 << 10;

/// Objects by name, those used last, up to some bytes of manifests.
pub(crate) struct Cache {
    objects: HashMap<EdgeName, (Arc<Object>, u64)>,
    clock: u64,
    bytes: usize,
    limit: usize,
}

impl Cache {
    pub fn new(limit: usize) -> Self {
        Self {
            objects: HashMap::new(),
            clock: 0,
            bytes: 0,
            limit,
        }
    }

    pub fn get(&mut self, name: EdgeName) -> Option<Arc<Object>> {
        self.clock += 1;
        let (object, used) = self.objects.get_mut(&name)?;
        *used = self.clock;
        Some(object.clone())
    }

    pub fn insert(&mut self, object: &Arc<Object>) {
        self.clock += 1;
        self.forget(object.name);
        self.bytes += object.weight.max(LEAST);
        self.objects
            .insert(object.name, (object.clone(), self.clock));
        while self.bytes > self.limit {
            let oldest = self.objects.values().min_by_key(|(_, used)| *used);
            let Some((oldest, _)) = oldest else { return };
            self.forget(oldest.name);
        }
    }

    pub fn forget(&mut self, name: EdgeName) {
        if let Some((object, _)) = self.objects.remove(&name) {
            self.bytes -= object.weight.max(LEAST);
        }
    }

    /// Forgets what is not there any more: an open file would keep its space on disk.
    pub fn keep(&mut self, there: impl Fn(&EdgeName) -> bool) {
        let gone: Vec<_> = self
            .objects
            .keys()
            .filter(|name| !there(name))
            .copied()
            .collect();
        gone.into_iter().for_each(|name| self.forget(name));
    }
}
