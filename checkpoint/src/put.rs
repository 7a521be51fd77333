//! Writing edges.

use crate::backend::if_there;
use crate::edge::{Edge, Point};
use crate::error::{Error, Result};
use crate::format::encode::encode;
use crate::format::object::Object;
use crate::name::EdgeName;
use crate::trace::TraceStore;
use std::collections::BTreeSet;

impl TraceStore {
    /// Stores an edge. When this returns without an error, its checkpoint can be opened,
    /// also after a power cut. An edge that is there already is not written again.
    ///
    /// # Errors
    /// - [`Error::NoCheckpoint`] if the edge does not help: what it is based on is not in
    ///   the store or is being thinned away; a root edge, or one from a checkpoint that
    ///   is there, will do instead. Or its own checkpoint is being thinned away.
    /// - [`Error::Conflict`] if the store knows another state hash for its step.
    /// - [`Error::Invalid`] if it makes no sense, [`Error::Full`] if there is no room for
    ///   it, and others when it cannot be written; then nothing is left behind.
    pub fn put(&self, mut edge: Edge<'_>) -> Result<()> {
        edge.settle()?;
        let name = edge.name();
        if let Some(from) = edge.from {
            self.expect(from, from.step)?;
        }
        if !self.has(name, edge.from, edge.to)? {
            let bytes = encode(self.id(), &edge);
            match (self.write_edge(name, edge.from, edge.to, bytes), edge.from) {
                // Somebody removes the whole trace, again and again.
                (Err(Error::Missing { .. }), Some(from)) => {
                    return Err(Error::NoCheckpoint { step: from.step });
                }
                (written, _) => written?,
            }
        }
        self.trust(name);
        // The other half of a bargain: whoever thins looks at the edges after it has said
        // which it will remove, so it sees this one or is seen here.
        self.expect(edge.to, edge.from.map_or(name.to, |from| from.step))
    }

    /// Makes sure that a checkpoint can be opened and is what a writer thinks it is. If it
    /// cannot, some step is to blame.
    fn expect(&self, point: Point, blamed: u64) -> Result<()> {
        let path = match self.path_to(point.step, &mut BTreeSet::new()) {
            Err(Error::NoCheckpoint { .. } | Error::Damaged { .. }) => {
                return Err(Error::NoCheckpoint { step: blamed });
            }
            other => other?,
        };
        let last = &path[path.len() - 1];
        if last.manifest.to != point {
            return Err(Error::Conflict {
                object: last.source.path.clone(),
            });
        }
        Ok(())
    }

    /// Writes an object, unless there is one just as good. One that is damaged is replaced.
    pub(crate) fn write_edge(
        &self,
        name: EdgeName,
        from: Option<Point>,
        to: Point,
        bytes: Vec<u8>,
    ) -> Result<()> {
        let path = self.edge_path(name);
        if !self.backend().create(&path, &bytes)? {
            if self.has(name, from, to)? {
                return Ok(());
            }
            self.cache().forget(name);
            self.backend().replace(&path, &bytes)?;
        }
        self.add_written(bytes.len() as u64);
        Ok(())
    }

    /// Whether there is a sound object of this name, which then survives a power cut.
    fn has(&self, name: EdgeName, from: Option<Point>, to: Point) -> Result<bool> {
        let path = self.edge_path(name);
        let mut opened = Object::open(self.backend(), &self.id(), &[(name, path)]);
        let sound = opened.pop().expect("one answer").and_then(|object| {
            if self.backend().is_near() {
                object.verify(self.backend())?;
            }
            Ok(object)
        });
        let object = match sound {
            Err(error) if error.is_of_object() => return Ok(false),
            other => other?,
        };
        if object.manifest.to != to || object.manifest.from != from {
            return Err(Error::Conflict {
                object: object.source.path.clone(),
            });
        }
        // All may have been removed meanwhile.
        let kept = if_there(self.backend().sync(&self.folder("edges")))?;
        Ok(kept.is_some())
    }
}
