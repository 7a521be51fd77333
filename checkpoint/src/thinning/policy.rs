//! Which checkpoints are missed least.

use std::collections::BTreeSet;

/// What may stay at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// So many checkpoints.
    Checkpoints(usize),
    /// Edges of so many bytes.
    Bytes(u64),
}

/// How a trace is thinned. The limit yields to what must stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// What may stay at most.
    pub limit: Limit,
    /// No checkpoint within this many steps of the last one, or of a step that was asked
    /// for, is dropped.
    pub dense: u64,
}

/// How large thinning to a number of checkpoints can make a gap, divided by how far what
/// was in it is from the nearest focus, that is, a step asked for or the last checkpoint.
///
/// Let `range` be the trace's length divided by its smallest gap, and `fixed` the number
/// of checkpoints that must stay (the first, the last, those of root edges, bases, and
/// those within [`Policy::dense`] of a focus). No gap is made larger than
/// `range ^ (4 foci / (kept - fixed - 10 foci)) - 1` times that distance; there is no
/// bound if `kept` is too small for this.
///
/// For the largest ratio `s` at which something was dropped, all droppable ones that are
/// left have at least that ratio, since dropping only widens gaps. So on either side of
/// a focus, the distances of a checkpoint's two neighbours differ by a factor of `1 + s`
/// at least, and at most `2 ln(range) / ln(1 + s) + 5` droppable ones fit on one side.
#[must_use]
pub fn gap_bound(range: f64, foci: usize, kept: usize, fixed: usize) -> f64 {
    let free = kept as f64 - fixed as f64 - 10.0 * foci as f64;
    match free > 0.0 {
        true => range.powf(4.0 * foci as f64 / free) - 1.0,
        false => f64::INFINITY,
    }
}

/// A checkpoint that is still there.
struct Candidate {
    step: u64,
    /// Steps to the nearest focus; none if it must stay.
    distance: Option<u64>,
}

/// The choice of what goes.
pub(crate) struct Plan {
    left: Vec<Candidate>,
    /// In order.
    all: Vec<u64>,
}

impl Plan {
    /// Steps are in order.
    pub fn new(steps: &[u64], asked: &[u64], dense: u64, must_stay: impl Fn(u64) -> bool) -> Self {
        let mut foci: BTreeSet<u64> = asked.iter().copied().collect();
        foci.extend(steps.last());
        let candidate = |step: &u64| {
            let below = foci.range(..=step).next_back().map(|focus| step - focus);
            let above = foci.range(step..).next().map(|focus| focus - step);
            let distance = below.into_iter().chain(above).min().unwrap_or(0);
            let stays = distance <= dense || must_stay(*step) || Some(step) == steps.first();
            Candidate {
                step: *step,
                distance: (!stays).then_some(distance),
            }
        };
        Self {
            left: steps.iter().map(candidate).collect(),
            all: steps.into(),
        }
    }

    /// Chooses some victims, in groups that have nothing between them.
    pub fn victims(mut self, count: usize) -> Vec<Vec<u64>> {
        for _ in 0..count {
            let Some((at, _)) = self.least_missed() else {
                break;
            };
            self.left.remove(at);
        }
        let left: BTreeSet<u64> = self.left.iter().map(|candidate| candidate.step).collect();
        let groups = self
            .all
            .chunk_by(|one, two| !left.contains(one) && !left.contains(two));
        groups
            .filter(|group| !left.contains(&group[0]))
            .map(Vec::from)
            .collect()
    }

    /// Which one leaves the smallest gap behind, divided by its distance; and that ratio.
    fn least_missed(&self) -> Option<(usize, f64)> {
        let ratio = |(at, three): (usize, &[Candidate])| {
            let distance = three[1].distance?;
            let gap = three[2].step - three[0].step;
            Some((at + 1, gap as f64 / distance as f64))
        };
        let ratios = self.left.windows(3).enumerate().filter_map(ratio);
        ratios.min_by(|one, two| one.1.total_cmp(&two.1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Steps with a smallest gap of 1, from a seed.
    fn steps(seed: u64) -> Vec<u64> {
        let mut state = seed;
        let mut step = 0;
        let next = |_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            step += 1 + ((state >> 33) % 100) * (seed % 3);
            step
        };
        std::iter::once(0).chain((0..600).map(next)).collect()
    }

    #[test]
    fn gaps_stay_within_their_bound() {
        let mut bounded = 0;
        for seed in 0..60 {
            let steps = steps(seed);
            let last = steps[steps.len() - 1];
            let asked = &[last / 3, last / 2][..(seed % 3) as usize];
            let kept = 60 + seed as usize;
            let plan = Plan::new(&steps, asked, 3, |_| false);
            let fixed = plan
                .left
                .iter()
                .filter(|one| one.distance.is_none())
                .count();
            let gone: Vec<_> = plan.victims(steps.len() - kept).concat();
            let left: Vec<_> = steps.iter().filter(|step| !gone.contains(step)).collect();
            assert_eq!(left.len(), kept);
            let bound = gap_bound(last as f64, asked.len() + 1, kept, fixed);
            let original = steps.windows(2).map(|two| two[1] - two[0]).max().unwrap();
            for two in left.windows(2) {
                let foci = asked.iter().chain([&last]);
                // What was dropped lies in between, no further away than the lower end.
                let distance = foci
                    .map(|focus| two[0].abs_diff(*focus).max(two[1].abs_diff(*focus)))
                    .min();
                let most = (bound * distance.unwrap() as f64).max(original as f64);
                assert!(
                    (two[1] - two[0]) as f64 <= most,
                    "seed {seed}: {two:?}, {bound}"
                );
            }
            bounded += usize::from(bound.is_finite() && bound < 1.0);
        }
        assert!(bounded > 10, "{bounded}");
    }

    #[test]
    fn what_was_asked_for_stays_dense() {
        let steps: Vec<u64> = (0..1000).map(|n| n * 10).collect();
        let gone: BTreeSet<u64> = Plan::new(&steps, &[4005], 0, |_| false)
            .victims(940)
            .into_iter()
            .flatten()
            .collect();
        for near in [0, 3990, 4000, 4010, 4020, 9970, 9980, 9990] {
            assert!(!gone.contains(&near), "{near}");
        }
        assert_eq!(gone.len(), 940);
    }

    #[test]
    fn what_must_stay_stays() {
        let steps: Vec<u64> = (0..100).collect();
        let victims = Plan::new(&steps, &[50], 5, |step| step == 20).victims(1000);
        let gone: BTreeSet<u64> = victims.into_iter().flatten().collect();
        let left: Vec<u64> = steps
            .into_iter()
            .filter(|step| !gone.contains(step))
            .collect();
        let near: Vec<u64> = [0, 20].into_iter().chain(45..=55).chain(94..100).collect();
        assert_eq!(left, near);
    }

    #[test]
    fn groups_have_nothing_between_them() {
        let steps: Vec<u64> = (0..50).collect();
        let groups = Plan::new(&steps, &[], 0, |step| step % 10 == 0).victims(1000);
        let ends: Vec<_> = groups
            .iter()
            .map(|group| (group[0], group[group.len() - 1]))
            .collect();
        assert_eq!(ends, [(1, 9), (11, 19), (21, 29), (31, 39), (41, 48)]);
    }
}
