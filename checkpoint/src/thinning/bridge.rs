//! Writing edges that bridge victims.

use super::bridge_name;
use crate::error::{Error, Result};
use crate::format::merge::merge;
use crate::graph::{Mark, Tree};
use crate::name::EdgeName;
use crate::resolve::Survey;
use crate::trace::TraceStore;
use std::collections::BTreeSet;

impl TraceStore {
    /// Removes some checkpoints, which stand next to each other, and keeps all others in
    /// reach. Says whether it did: damage or other writers may keep it from it.
    pub(super) fn drop_group(&self, group: &[u64]) -> Result<bool> {
        let victims: BTreeSet<u64> = group.iter().copied().collect();
        let mut survey = self.survey()?;
        let tree = survey.tree();
        let touched = |edge: &EdgeName| victims.iter().any(|step| edge.touches(*step));
        let all = survey.graph.edges.iter().filter(|edge| touched(edge));
        let edges: BTreeSet<EdgeName> = all.copied().collect();
        match self.write_bridges(&survey, &tree, &victims) {
            // What is damaged cannot be merged; what is missing somebody else has thinned.
            Err(error) if error.is_of_object() => return Ok(false),
            other => other?,
        }
        self.remove(Mark { edges, victims })
    }

    /// Writes an edge to each checkpoint that would be lost with the victims, from the
    /// last one before it that would not.
    fn write_bridges(&self, survey: &Survey, tree: &Tree, victims: &BTreeSet<u64>) -> Result<()> {
        let graph = &survey.graph;
        let stays = |edge: &EdgeName| {
            let touched =
                victims.contains(&edge.to) || edge.from.is_some_and(|from| victims.contains(&from));
            !touched && !graph.is_marked(edge) && !survey.bad.contains(edge)
        };
        let mut edges: BTreeSet<EdgeName> = graph
            .edges
            .iter()
            .filter(|edge| stays(edge))
            .copied()
            .collect();
        loop {
            let rest = Tree::over(edges.iter().copied());
            let lost = |step: &u64| !victims.contains(step) && !rest.reaches(*step);
            let Some(step) = tree.steps().find(lost) else {
                return Ok(());
            };
            let path = tree.path(step).ok_or(Error::NoCheckpoint { step })?;
            let start = path
                .iter()
                .rposition(|edge| edge.from.is_none_or(|from| !victims.contains(&from)));
            let path = &path[start.expect("a path begins with a root edge")..];
            let objects: Vec<_> = path
                .iter()
                .map(|edge| survey.objects[edge].clone())
                .collect();
            let from = objects[0].manifest.from;
            let to = objects[objects.len() - 1].manifest.to;
            let name = bridge_name(from, to);
            self.write_edge(name, from, to, merge(self.backend(), &objects)?)?;
            edges.insert(name);
        }
    }
}
