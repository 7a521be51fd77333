//! Which edges there are, and how checkpoints are reached over them.

use crate::name::EdgeName;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

/// Says which edges are about to be removed. Nobody relies on those any more.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Mark {
    pub edges: BTreeSet<EdgeName>,
    /// The checkpoints that are meant to go with them.
    pub victims: BTreeSet<u64>,
}

/// A listing of a trace.
#[derive(Debug, Clone, Default)]
pub(crate) struct Graph {
    pub edges: BTreeSet<EdgeName>,
    /// By name, with the time they were made.
    pub marks: BTreeMap<String, (SystemTime, Mark)>,
}

/// How each checkpoint is reached over the fewest edges.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    /// By step: the number of edges, and the last one of them.
    reached: BTreeMap<u64, (usize, EdgeName)>,
}

impl Graph {
    /// Whether an edge is about to be removed.
    pub fn is_marked(&self, edge: &EdgeName) -> bool {
        self.marks
            .values()
            .any(|(_, mark)| mark.edges.contains(edge))
    }

    /// What is reached over some of the edges.
    pub fn tree(&self, usable: impl Fn(&EdgeName) -> bool) -> Tree {
        Tree::over(self.edges.iter().filter(|edge| usable(edge)).copied())
    }

    /// What is reached over edges that stay and are not among the bad ones.
    pub fn lasting(&self, bad: &BTreeSet<EdgeName>) -> Tree {
        self.tree(|edge| !self.is_marked(edge) && !bad.contains(edge))
    }

    /// Whether two listings have the same edges and marks.
    pub fn is_like(&self, other: &Self) -> bool {
        self.edges == other.edges && self.marks.keys().eq(other.marks.keys())
    }
}

impl Tree {
    /// What is reached over edges, which are in order.
    pub fn over(edges: impl IntoIterator<Item = EdgeName>) -> Self {
        let mut tree = Self::default();
        // Edges lead forward, so by the time those from a step come all those to it have.
        for edge in edges {
            let hops = match edge.from {
                None => 1,
                Some(from) => match tree.reached.get(&from) {
                    Some((hops, _)) => hops + 1,
                    None => continue,
                },
            };
            let best = tree.reached.entry(edge.to).or_insert((hops, edge));
            if hops < best.0 {
                *best = (hops, edge);
            }
        }
        tree
    }

    /// The steps that are reached, in order.
    pub fn steps(&self) -> impl DoubleEndedIterator<Item = u64> + '_ {
        self.reached.keys().copied()
    }

    /// Whether a step is reached.
    pub fn reaches(&self, step: u64) -> bool {
        self.reached.contains_key(&step)
    }

    /// Whether some checkpoint is reached over this very edge.
    pub fn uses(&self, edge: &EdgeName) -> bool {
        self.reached
            .get(&edge.to)
            .is_some_and(|(_, last)| last == edge)
    }

    /// The last edge on the way to a step.
    pub fn last_edge(&self, step: u64) -> Option<EdgeName> {
        self.reached.get(&step).map(|(_, edge)| *edge)
    }

    /// The greatest step that is reached and not above this one.
    pub fn nearest(&self, step: u64) -> Option<u64> {
        self.reached
            .range(..=step)
            .next_back()
            .map(|(step, _)| *step)
    }

    /// The edges to a step, the root edge first.
    pub fn path(&self, step: u64) -> Option<Vec<EdgeName>> {
        let mut path = vec![self.last_edge(step)?];
        while let Some(from) = path[path.len() - 1].from {
            path.push(self.last_edge(from)?);
        }
        path.reverse();
        Some(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(edges: &[(i64, u64)]) -> Tree {
        let mut edges: Vec<_> = edges
            .iter()
            .map(|(from, to)| EdgeName {
                from: u64::try_from(*from).ok(),
                to: *to,
            })
            .collect();
        edges.sort();
        Tree::over(edges)
    }

    #[test]
    fn the_shortest_path_is_taken() {
        let tree = tree(&[(-1, 0), (0, 1), (1, 2), (2, 3), (0, 3), (3, 4)]);
        let path: Vec<_> = tree.path(4).unwrap().iter().map(|edge| edge.to).collect();
        assert_eq!(path, [0, 3, 4]);
        // Also if it comes last.
        let tree = self::tree(&[(-1, 0), (0, 1), (1, 9), (-1, 5), (5, 9)]);
        let path: Vec<_> = tree.path(9).unwrap().iter().map(|edge| edge.to).collect();
        assert_eq!(path, [5, 9]);
    }

    #[test]
    fn what_no_root_leads_to_is_not_reached() {
        let tree = tree(&[(-1, 5), (0, 1), (1, 5), (5, 6), (7, 8)]);
        assert_eq!(tree.steps().collect::<Vec<_>>(), [5, 6]);
        assert_eq!(tree.nearest(100), Some(6));
        assert_eq!(tree.nearest(4), None);
    }
}
