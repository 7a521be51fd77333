//! Writers, readers and a thinner at once, each on a store of its own.

use super::Dice;
use super::world::World;
use carronade_checkpoint::{Error, Limit, Policy, Store};
use std::io::Write;
use std::time::{Duration, Instant};

/// What somebody does.
#[derive(Debug, Clone, Copy)]
pub enum Role {
    /// Writes a grid of this many steps.
    Writer(u64),
    Reader(u64),
    Thinner,
}

/// Does it for a time, and reports `put STEP` and `dropped STEP`, each on a line.
pub fn play(role: Role, world: World, store: &Store, time: Duration, report: &mut dyn Write) {
    let end = Instant::now() + time;
    match role {
        Role::Writer(grid) => write(world, store, grid, end, report),
        Role::Reader(seed) => read(world, store, seed, end, report),
        Role::Thinner => thin(world, store, end, report),
    }
}

fn write(world: World, store: &Store, grid: u64, end: Instant, report: &mut dyn Write) {
    let trace = world.trace(store);
    let (mut from, mut step) = (None, 0);
    while Instant::now() < end {
        match world.put(&trace, from, step) {
            Ok(()) => {
                writeln!(report, "put {step}").unwrap();
                (from, step) = (Some(step), step + grid);
            }
            // The base was thinned away: all there is will do.
            Err(Error::NoCheckpoint { .. }) if from.is_some() => {
                writeln!(report, "rebased {step}").unwrap();
                from = trace.nearest(step - 1).unwrap().map(|point| point.step);
            }
            // The step itself is being thinned away: go on to the next.
            Err(Error::NoCheckpoint { .. }) => step += grid,
            Err(error) => panic!("writer: {error}"),
        }
    }
}

fn read(world: World, store: &Store, seed: u64, end: Instant, report: &mut dyn Write) {
    let (trace, mut dice) = (world.trace(store), Dice::new(seed));
    while trace.nearest(0).unwrap().is_none() {
        std::thread::sleep(Duration::from_millis(1));
    }
    let mut last = 0;
    while Instant::now() < end {
        let step = dice.below(last * 2 + 2);
        let checkpoint = trace.open_nearest(step).unwrap().expect("there is a root");
        world.check(&checkpoint).unwrap();
        writeln!(report, "read {}", checkpoint.point().step).unwrap();
        let newest = trace
            .nearest(u64::MAX)
            .unwrap()
            .expect("there is a root")
            .step;
        assert!(
            newest >= last,
            "the last checkpoint is never lost: {newest}, {last}"
        );
        last = newest;
        if dice.below(20) == 0 {
            trace.checkpoints().unwrap();
        }
    }
}

fn thin(world: World, store: &Store, end: Instant, report: &mut dyn Write) {
    let trace = world.trace(store);
    while Instant::now() < end {
        let policy = Policy {
            limit: Limit::Checkpoints(15),
            dense: 0,
        };
        for step in trace.thin(&policy, &[]).unwrap().dropped {
            writeln!(report, "dropped {step}").unwrap();
        }
    }
}

/// What a whole crowd must have left behind, given all that was reported.
pub fn judge(world: World, store: &Store, reports: &str) {
    let there = world.check_all(&world.trace(store));
    let steps = |what: &str| -> Vec<u64> {
        let steps = reports.lines().filter_map(|line| line.strip_prefix(what));
        steps.map(|step| step.trim().parse().unwrap()).collect()
    };
    let (put, dropped) = (steps("put "), steps("dropped "));
    let lost: Vec<_> = put
        .iter()
        .filter(|step| !there.contains(step) && !dropped.contains(step))
        .collect();
    assert!(lost.is_empty(), "written, not thinned, not there: {lost:?}");
    let (read, rebased) = (steps("read ").len(), steps("rebased ").len());
    println!(
        "{} put, {} dropped, {} left, {read} read, {rebased} rebased",
        put.len(),
        dropped.len(),
        there.len()
    );
    assert!(put.len() > 20 && !dropped.is_empty() && read > 5);
}
