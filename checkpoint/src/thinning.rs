//! Removing checkpoints so that no other one is lost, whoever else writes, reads or thins.
//!
//! 1. Edges that bridge the victims are written.
//! 2. A mark is written: these edges will go. From now on nobody relies on them.
//! 3. The trace is listed again. If a checkpoint other than the victims of marks is reached
//!    only over marked edges, the mark is withdrawn: somebody has written an edge from
//!    a victim, or thins too.
//! 4. The marked edges are removed, then the mark.
//!
//! A writer lists the trace after it has written its edge, and does not count marked ones.
//! If it listed before step 2, step 3 sees its edge; if after, it sees the mark and reports
//! that its checkpoint cannot be opened. Two thinners who would take each other's bridges
//! away see each other in step 3 in the same way. Who is ended in between leaves a mark;
//! the next one to thin goes on with step 3.

mod bridge;
mod damaged;
mod marks;
pub(crate) mod policy;
#[cfg(test)]
mod races;

use crate::backend::age;
use crate::edge::Point;
use crate::error::Result;
use crate::format::object::Object;
use crate::graph::Mark;
use crate::name::EdgeName;
use crate::resolve::Survey;
use crate::trace::{KINDS, TraceStore};
use policy::{Limit, Plan, Policy};
use std::collections::BTreeSet;

/// How often the bytes are counted again: each time, an eighth of the checkpoints may go.
const ROUNDS: usize = 100;

/// What thinning has left.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Thinned {
    /// The checkpoints that went.
    pub dropped: Vec<u64>,
    /// The checkpoints that are there.
    pub kept: Vec<u64>,
    /// The bytes of their edges.
    pub bytes: u64,
}

impl TraceStore {
    /// Removes checkpoints until the rest is within the policy's limit, those first that
    /// are missed least: all stay near the steps that were asked for and near the last
    /// one, and elsewhere the more, the nearer to those ([`gap_bound`](crate::gap_bound)).
    /// Never the first and the last one, those of root edges, and those that some run may
    /// go on from. Also removes edges that nobody needs, and what others left behind.
    ///
    /// # Errors
    /// When the store cannot be read or written. Nothing is lost then.
    pub fn thin(&self, policy: &Policy, asked: &[u64]) -> Result<Thinned> {
        self.sweep()?;
        self.finish_abandoned()?;
        self.remove_useless()?;
        let mut dropped = Vec::new();
        for _ in 0..ROUNDS {
            let victims = self.victims(policy, asked)?;
            let before = dropped.len();
            for group in victims {
                if self.drop_group(&group)? {
                    dropped.extend(group);
                }
            }
            // What could not be dropped now will not be the next time.
            if dropped.len() == before || matches!(policy.limit, Limit::Checkpoints(_)) {
                break;
            }
        }
        dropped.sort_unstable();
        let mut survey = self.survey()?;
        let kept = survey.tree().steps().collect();
        let bytes = size(&survey);
        Ok(Thinned {
            dropped,
            kept,
            bytes,
        })
    }

    /// What should go, in groups of neighbours.
    fn victims(&self, policy: &Policy, asked: &[u64]) -> Result<Vec<Vec<u64>>> {
        let mut survey = self.survey()?;
        let tree = survey.tree();
        let steps: Vec<_> = tree.steps().collect();
        let excess = match policy.limit {
            Limit::Checkpoints(most) => steps.len().saturating_sub(most),
            Limit::Bytes(most) if size(&survey) > most => steps.len().div_ceil(8),
            Limit::Bytes(_) => 0,
        };
        let bases = self.bases(&survey);
        let plan = Plan::new(&steps, asked, policy.dense, |step| bases.contains(&step));
        Ok(plan.victims(excess))
    }

    /// Checkpoints that must stay: those of root edges, and those without an edge from
    /// them that are fresh, from which some run may be about to write one.
    fn bases(&self, survey: &Survey) -> BTreeSet<u64> {
        let left: BTreeSet<_> = staying(survey)
            .filter_map(|object| object.name.from)
            .collect();
        let must = staying(survey).filter(|object| {
            let fresh = age(object.source.modified) < self.options().fresh;
            object.name.from.is_none() || fresh && !left.contains(&object.name.to)
        });
        must.map(|object| object.name.to).collect()
    }

    /// Removes edges that no checkpoint is reached over: those of abandoned bases, and
    /// those that others replace.
    fn remove_useless(&self) -> Result<()> {
        let mut survey = self.survey()?;
        let tree = survey.tree();
        let useless = staying(&survey).filter(|object| {
            let based = object.name.from.is_none_or(|from| tree.reaches(from));
            let abandoned = age(object.source.modified) > self.options().abandoned;
            !tree.uses(&object.name) && (based || abandoned)
        });
        let edges: BTreeSet<EdgeName> = useless.map(|object| object.name).collect();
        if !edges.is_empty() {
            self.remove(Mark {
                edges,
                victims: BTreeSet::new(),
            })?;
        }
        Ok(())
    }

    /// Removes what writers left behind that were ended long ago.
    ///
    /// # Errors
    /// When that cannot be done.
    pub fn sweep(&self) -> Result<()> {
        for kind in KINDS {
            self.backend()
                .sweep(&self.folder(kind), self.options().abandoned)?;
        }
        Ok(())
    }
}

/// The edges that stay and are sound.
fn staying(survey: &Survey) -> impl Iterator<Item = &Object> {
    let objects = survey.objects.values().map(|object| &**object);
    objects.filter(|object| !survey.graph.is_marked(&object.name))
}

/// Their bytes.
fn size(survey: &Survey) -> u64 {
    staying(survey).map(|object| object.source.size).sum()
}

/// The bridge between two points is an edge like any other.
fn bridge_name(from: Option<Point>, to: Point) -> EdgeName {
    EdgeName {
        from: from.map(|from| from.step),
        to: to.step,
    }
}
