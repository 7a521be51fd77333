//! Objects whose damage shows only when a piece of them is read: until then every way leads
//! over them, and each run would meet them again.

use super::marks::{MARKS, new_name};
use crate::error::{Error, Result};
use crate::graph::Mark;
use crate::name::EdgeName;
use crate::notes::encode;
use crate::trace::TraceStore;
use std::collections::BTreeSet;

impl TraceStore {
    /// Removes the objects that were found damaged as they were read, so that no run meets
    /// them again: whoever comes there writes them anew. Where they cannot be removed, no
    /// way of this store leads over them at least. Says whether any was found since the
    /// last call.
    pub fn set_damaged_aside(&self) -> bool {
        let found = std::mem::take(&mut self.damaged().found);
        for name in &found {
            // In a store that cannot be written, leaving it out has to do.
            if self.discard(*name).is_err() {
                self.damaged().left_out.insert(*name);
            }
        }
        !found.is_empty()
    }

    /// An object is not what its manifest says.
    pub(crate) fn distrust(&self, name: EdgeName) {
        self.damaged().found.insert(name);
    }

    /// An object was looked at as a whole, or written anew.
    pub(crate) fn trust(&self, name: EdgeName) {
        self.damaged().left_out.remove(&name);
    }

    /// Removes an object if it is damaged. Whoever writes it again meanwhile either sees the
    /// mark, and does not rely on it, or is seen.
    fn discard(&self, name: EdgeName) -> Result<()> {
        if !self.is_damaged(name)? {
            return Ok(());
        }
        let mark = Mark {
            edges: BTreeSet::from([name]),
            victims: BTreeSet::new(),
        };
        let mark_name = new_name();
        self.create_small(MARKS, &mark_name, &encode(&mark))?;
        if self.is_damaged(name)? {
            self.backend().remove(&self.edge_path(name))?;
        }
        self.cache().forget(name);
        self.withdraw(&mark_name)
    }

    fn is_damaged(&self, name: EdgeName) -> Result<bool> {
        self.cache().forget(name);
        let object = self.objects(&[name]).pop().expect("one answer");
        match object.and_then(|object| object.verify(self.backend())) {
            Ok(()) | Err(Error::Missing { .. }) => Ok(false),
            Err(Error::Damaged { .. }) => Ok(true),
            Err(error) => Err(error),
        }
    }
}
