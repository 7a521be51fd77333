//! From a step to sound objects that lead to it, while others write and thin.
//!
//! A listing is out of date as soon as it is made. An object that is missing is no error
//! then: list again. A damaged one is left out, and another path is looked for.

use crate::checkpoint::Checkpoint;
use crate::edge::Point;
use crate::error::{Error, Result};
use crate::format::object::Object;
use crate::graph::{Graph, Tree};
use crate::name::EdgeName;
use crate::trace::TraceStore;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// How often somebody may thin away what was just looked for.
const PATIENCE: usize = 100;

/// A trace whose edges have all been opened.
pub(crate) struct Survey {
    pub graph: Graph,
    /// Those that are sound.
    pub objects: BTreeMap<EdgeName, Arc<Object>>,
    /// Those that are not, or that disagree with what they are based on.
    pub bad: BTreeSet<EdgeName>,
}

impl Survey {
    /// What is reached over sound edges that stay. Leaves out edges whose base has
    /// another state hash than they say.
    pub fn tree(&mut self) -> Tree {
        loop {
            let tree = self.graph.lasting(&self.bad);
            let disagrees = |edge: &&EdgeName| {
                let from = self.objects[edge].manifest.from;
                tree.uses(edge)
                    && from.is_some_and(|from| self.point(&tree, from.step) != Some(from))
            };
            let liars: Vec<_> = self.objects.keys().filter(disagrees).copied().collect();
            if liars.is_empty() {
                return tree;
            }
            self.bad.extend(liars.iter());
        }
    }

    /// The checkpoint at a step that is reached.
    pub fn point(&self, tree: &Tree, step: u64) -> Option<Point> {
        let object = self.objects.get(&tree.last_edge(step)?)?;
        Some(object.manifest.to)
    }
}

/// What came of opening the edges of a path.
enum Opened {
    Whole(Vec<Arc<Object>>),
    /// Somebody has removed one.
    Missing(Error),
    /// One is not sound, and was put among the bad ones.
    Bad(Error),
}

impl TraceStore {
    /// All checkpoints that can be opened, by step.
    ///
    /// # Errors
    /// When the store cannot be read. Damaged objects are no error: they do not count.
    pub fn checkpoints(&self) -> Result<Vec<Point>> {
        let mut survey = self.survey()?;
        let tree = survey.tree();
        Ok(tree
            .steps()
            .filter_map(|step| survey.point(&tree, step))
            .collect())
    }

    /// The last checkpoint at or before a step, if there is one that can be opened.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn nearest(&self, step: u64) -> Result<Option<Point>> {
        let found = self.find_nearest(step)?;
        Ok(found.map(|path| path[path.len() - 1].manifest.to))
    }

    /// Opens the last checkpoint at or before a step, if there is one that can be opened.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn open_nearest(&self, step: u64) -> Result<Option<Checkpoint>> {
        let found = self.find_nearest(step)?;
        Ok(found.map(|path| Checkpoint::new(self.clone(), path)))
    }

    /// Opens the checkpoint at a step.
    ///
    /// # Errors
    /// [`Error::NoCheckpoint`] if there is none; if there is but an object on every path
    /// is damaged, an error that names one.
    pub fn open(&self, step: u64) -> Result<Checkpoint> {
        let path = self.path_to(step, &mut BTreeSet::new())?;
        Ok(Checkpoint::new(self.clone(), path))
    }

    /// Reads every byte of every edge, and tells what is damaged.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn verify(&self) -> Result<Vec<Error>> {
        let mut problems = Vec::new();
        for name in self.settled()?.edges {
            let object = self.objects(&[name]).pop().expect("one answer");
            match object.and_then(|object| object.verify(self.backend())) {
                // Somebody thins.
                Ok(()) | Err(Error::Missing { .. }) => {}
                Err(error @ Error::Damaged { .. }) => problems.push(error),
                Err(error) => return Err(error),
            }
        }
        Ok(problems)
    }

    /// The names of edges that no way leads over: damaged ones, and those whose base is not
    /// reached.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn stranded(&self) -> Result<Vec<String>> {
        let mut survey = self.survey()?;
        let tree = survey.tree();
        let reached = |edge: &EdgeName| edge.from.is_none_or(|from| tree.reaches(from));
        let edges = survey.graph.edges.iter();
        let stranded = edges.filter(|edge| survey.bad.contains(edge) || !reached(edge));
        Ok(stranded.map(EdgeName::to_string).collect())
    }

    /// Opens all edges of the trace.
    pub(crate) fn survey(&self) -> Result<Survey> {
        let mut missing = None;
        for _ in 0..PATIENCE {
            let graph = self.settled()?;
            let names: Vec<_> = graph.edges.iter().copied().collect();
            let (mut objects, mut bad) = (BTreeMap::new(), BTreeSet::new());
            missing = None;
            for (name, object) in names.iter().zip(self.objects(&names)) {
                match object {
                    Ok(object) => drop(objects.insert(*name, object)),
                    Err(Error::Damaged { .. }) => drop(bad.insert(*name)),
                    Err(error @ Error::Missing { .. }) => missing = Some(error),
                    Err(error) => return Err(error),
                }
            }
            if missing.is_none() {
                return Ok(Survey {
                    graph,
                    objects,
                    bad,
                });
            }
        }
        Err(missing.expect("only a missing object takes so long"))
    }

    fn find_nearest(&self, step: u64) -> Result<Option<Vec<Arc<Object>>>> {
        let mut bad = BTreeSet::new();
        for _ in 0..PATIENCE {
            let tree = self.settled()?.lasting(&bad);
            let Some(candidate) = tree.nearest(step) else {
                return Ok(None);
            };
            match self.path_to(candidate, &mut bad) {
                // It was thinned away just now, or cannot be opened: the next one.
                Err(Error::NoCheckpoint { .. } | Error::Damaged { .. }) => {}
                other => return other.map(Some),
            }
        }
        Err(Error::NoCheckpoint { step })
    }

    /// Sound objects that lead to a step over none of the bad edges; more may turn out bad.
    pub(crate) fn path_to(
        &self,
        step: u64,
        bad: &mut BTreeSet<EdgeName>,
    ) -> Result<Vec<Arc<Object>>> {
        let (mut graph, mut reason) = (self.graph()?, None);
        for attempt in 0..PATIENCE {
            let Some(path) = graph.lasting(bad).path(step) else {
                if attempt > 0 {
                    break;
                }
                graph = self.settled()?;
                continue;
            };
            match self.open_path(&path, bad)? {
                Opened::Whole(objects) => return Ok(objects),
                Opened::Bad(error) => reason = Some(error),
                Opened::Missing(error) => {
                    reason.get_or_insert(error);
                    graph = self.settled()?;
                }
            }
        }
        match reason {
            Some(error @ Error::Damaged { .. }) => Err(error),
            _ => Err(Error::NoCheckpoint { step }),
        }
    }

    fn open_path(&self, path: &[EdgeName], bad: &mut BTreeSet<EdgeName>) -> Result<Opened> {
        let mut objects: Vec<Arc<Object>> = Vec::with_capacity(path.len());
        for (name, object) in path.iter().zip(self.objects(path)) {
            let sound = object.and_then(|object| {
                let base = objects.last().map(|last| last.manifest.to);
                match object.manifest.from == base {
                    true => Ok(object),
                    false => Err(object.damaged("what it is based on has another state hash")),
                }
            });
            match sound {
                Ok(object) => objects.push(object),
                Err(error @ Error::Missing { .. }) => return Ok(Opened::Missing(error)),
                Err(error @ Error::Damaged { .. }) => {
                    bad.insert(*name);
                    return Ok(Opened::Bad(error));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(Opened::Whole(objects))
    }
}
