//! Graphs of edges against a simple model of what can be reached.

use super::Dice;
use super::world::World;
use carronade_checkpoint::{Error, Limit, Policy, Store, TraceStore};
use std::collections::BTreeSet;

/// What comes back is what was written.
pub fn round_trip(store: &Store) {
    let world = World(1);
    let trace = world.trace(store);
    assert_eq!(trace.checkpoints().unwrap(), []);
    assert_eq!(trace.nearest(u64::MAX).unwrap(), None);
    assert!(trace.open_nearest(5).unwrap().is_none());
    assert!(matches!(
        trace.open(0),
        Err(Error::NoCheckpoint { step: 0 })
    ));
    let steps = [0, 1, 50, 51, 170, 1000, 1001, 5000];
    world.put(&trace, None, 0).unwrap();
    for two in steps.windows(2) {
        world.put(&trace, Some(two[0]), two[1]).unwrap();
        // The same once more is no error.
        world.put(&trace, Some(two[0]), two[1]).unwrap();
    }
    assert_eq!(world.check_all(&trace), steps);
    // And for somebody who knows nothing yet.
    assert_eq!(world.check_all(&world.trace(store)), steps);
    for (step, nearest) in [(0, 0), (49, 1), (50, 50), (999, 170), (u64::MAX, 5000)] {
        assert_eq!(trace.nearest(step).unwrap(), Some(world.point(nearest)));
    }
    let checkpoint = trace.open(5000).unwrap();
    assert_eq!(checkpoint.path(), steps);
    assert!(matches!(
        checkpoint.load(77),
        Err(Error::NoPage {
            index: 77,
            step: 5000
        })
    ));
    assert_eq!(checkpoint.preimage(&[9; 32]).unwrap(), None);
    assert_eq!(
        World(2).trace(store).checkpoints().unwrap(),
        [],
        "traces are apart"
    );
}

/// Edges that make no sense, or lead on from nowhere, are refused.
pub fn refusals(store: &Store) {
    let world = World(3);
    let trace = world.trace(store);
    assert!(matches!(
        world.put(&trace, Some(5), 6),
        Err(Error::NoCheckpoint { step: 5 })
    ));
    world.put(&trace, None, 0).unwrap();
    let parts = world.parts(Some(0), 100);
    let mut twice = world.edge(Some(0), 100, &parts);
    twice.pages.push(twice.pages[0]);
    assert!(matches!(trace.put(twice), Err(Error::Invalid { .. })));
    let backward = world.edge(Some(100), 100, &parts);
    assert!(matches!(trace.put(backward), Err(Error::Invalid { .. })));
    world.put(&trace, Some(0), 100).unwrap();
    let mut other = world.edge(Some(0), 100, &parts);
    other.to.state_hash[0] ^= 1;
    assert!(matches!(trace.put(other), Err(Error::Conflict { .. })));
    // As is an edge that says its base is another state than it is.
    let parts = world.parts(Some(100), 200);
    let mut liar = world.edge(Some(100), 200, &parts);
    liar.from.as_mut().unwrap().state_hash[0] ^= 1;
    assert!(matches!(trace.put(liar), Err(Error::Conflict { .. })));
    assert_eq!(world.check_all(&trace), [0, 100]);
    assert_eq!(trace.nearest(300).unwrap(), Some(world.point(100)));
    assert!(trace.open(200).is_err());
}

/// Random edges of several roots and grids; what can be opened is what the model says,
/// before and after thinning.
pub fn random_graphs(store: &Store, seeds: std::ops::Range<u64>, step_by: usize) {
    for seed in seeds {
        let (world, mut dice) = (World(1000 + seed), Dice::new(seed));
        let trace = world.trace(store);
        let steps: Vec<u64> = (0..12).map(|n| n * 30 + dice.below(30)).collect();
        let mut reached = BTreeSet::new();
        for _ in 0..dice.below(40) {
            let to = dice.below(12) as usize;
            let from = match dice.below(6) {
                0 => None,
                _ if to == 0 => continue,
                _ => Some(steps[dice.below(to as u64) as usize]),
            };
            let based = from.is_none_or(|from| reached.contains(&from));
            match world.put(&trace, from, steps[to]) {
                Ok(()) => assert!(based),
                Err(Error::NoCheckpoint { step }) => assert!(!based && Some(step) == from),
                Err(error) => panic!("{error}"),
            }
            if based {
                reached.insert(steps[to]);
            }
        }
        let before: Vec<u64> = reached.iter().copied().collect();
        assert_eq!(world.check_all(&trace), before, "seed {seed}");
        for step in (0..400).step_by(step_by) {
            let model = reached
                .range(..=step)
                .next_back()
                .map(|step| world.point(*step));
            assert_eq!(trace.nearest(step).unwrap(), model, "seed {seed}");
        }
        thin_some(&trace, &world, &mut dice, before);
    }
}

fn thin_some(trace: &TraceStore, world: &World, dice: &mut Dice, mut before: Vec<u64>) {
    for _ in 0..3 {
        let most = 1 + dice.below(12) as usize;
        let asked = [dice.below(400)];
        let policy = Policy {
            limit: Limit::Checkpoints(most),
            dense: 0,
        };
        let thinned = trace.thin(&policy, &asked).unwrap();
        let after = world.check_all(trace);
        assert_eq!(after, thinned.kept);
        let mut all = [&after[..], &thinned.dropped].concat();
        all.sort_unstable();
        assert_eq!(all, before, "each checkpoint is kept or dropped");
        assert_eq!(
            (after.first(), after.last()),
            (before.first(), before.last())
        );
        assert!(after.len() <= most.max(before.len() - thinned.dropped.len()));
        before = after;
    }
}

/// A long chain keeps within its limits, and keeps the steps that matter.
pub fn chains(store: &Store, length: u64) {
    let world = World(5);
    let trace = world.trace(store);
    world.put(&trace, None, 0).unwrap();
    for step in 1..length {
        world.put(&trace, Some((step - 1) * 10), step * 10).unwrap();
    }
    let (last, asked) = ((length - 1) * 10, length / 2 * 10 + 3);
    let policy = Policy {
        limit: Limit::Checkpoints(20),
        dense: 0,
    };
    let thinned = trace.thin(&policy, &[asked]).unwrap();
    assert_eq!(thinned.kept.len(), 20);
    assert_eq!(world.check_all(&trace), thinned.kept);
    for step in [0, asked - 3, last - 10, last] {
        assert!(thinned.kept.contains(&step), "{step}");
    }
    // Every checkpoint has one edge now; nothing else is left.
    assert_eq!(trace.open(last).unwrap().path(), thinned.kept);
    let again = trace.thin(&policy, &[asked]).unwrap();
    assert_eq!(
        (again.dropped, again.kept, again.bytes),
        (vec![], thinned.kept, thinned.bytes)
    );
    let policy = Policy {
        limit: Limit::Bytes(thinned.bytes / 2),
        dense: 0,
    };
    let half = trace.thin(&policy, &[]).unwrap();
    assert!(half.bytes <= thinned.bytes / 2 && half.bytes > 0);
    assert_eq!(world.check_all(&trace), half.kept);
}
