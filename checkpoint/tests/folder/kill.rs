//! A writer that is killed at random moments, over and over.

use super::children::start;
use crate::suite::Dice;
use crate::suite::world::World;
use carronade_checkpoint::gap_bound;
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::time::Duration;

/// Checkpoints that the writer keeps.
pub const KEPT: usize = 40;
const KILLS: u64 = 200;

#[test]
fn nothing_reported_is_lost_when_writers_are_killed() {
    let folder = tempfile::TempDir::new().unwrap();
    let (world, store) = (World(22), crate::open(&folder));
    let (mut reported, mut dice) = (BTreeSet::new(), Dice::new(22));
    for kill in 0..KILLS {
        let mut child = start("endless", folder.path().to_str().unwrap());
        // Let it begin, so that the kill comes anywhere in its work.
        let mut first = String::new();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        while !first.starts_with("put ") {
            first.clear();
            assert!(out.read_line(&mut first).unwrap() > 0, "the child ended");
        }
        std::thread::sleep(Duration::from_micros(dice.below(60_000)));
        child.kill().unwrap();
        let mut rest = String::new();
        std::io::Read::read_to_string(&mut out, &mut rest).unwrap();
        child.wait().unwrap();
        // A line is written at once, so none is cut.
        let lines = first.lines().chain(rest.lines());
        reported.extend(lines.filter_map(|line| line.strip_prefix("put ")?.parse::<u64>().ok()));
        // A store of its own, which knows nothing yet.
        let there = world.check_all(&world.trace(&store));
        judge(&reported, &there, kill);
    }
    let left = std::fs::read_dir(folder.path()).unwrap().count();
    println!("{} written, {left} trace", reported.len());
    assert!(reported.len() as u64 > KILLS * 2, "{}", reported.len());
}

/// Every step reported is there, or thinned: then it lies in a gap that thinning may make.
fn judge(reported: &BTreeSet<u64>, there: &[u64], kill: u64) {
    let (Some(newest), Some(last)) = (reported.last(), there.last()) else {
        panic!("nothing was written");
    };
    assert!(
        last >= newest,
        "kill {kill}: {newest} was the last reported, {last} is there"
    );
    // The first and the last checkpoint are fixed.
    let bound = gap_bound(*last as f64 / 5.0, 1, KEPT, 2);
    for two in there.windows(2) {
        let missing = reported.range(two[0] + 1..two[1]).count();
        let (gap, distance) = (two[1] - two[0], last - two[0]);
        let allowed = (bound * distance as f64).max(5.0);
        assert!(
            missing == 0 || gap as f64 <= allowed,
            "kill {kill}: {two:?}, {bound}"
        );
    }
    assert_eq!(there[0], 0);
}

/// A child that is stopped while others thin is not needed by anybody.
#[test]
fn temporary_files_of_the_dead_go() {
    let folder = tempfile::TempDir::new().unwrap();
    let (world, store) = (World(24), crate::open(&folder));
    let trace = world.trace(&store);
    world.put(&trace, None, 0).unwrap();
    let edges = folder.path().join(trace.id().to_string()).join("edges");
    let (old, young) = (edges.join(".writing-old"), edges.join(".writing-young"));
    for file in [&old, &young] {
        std::fs::write(file, b"half").unwrap();
    }
    let then = std::time::SystemTime::now() - Duration::from_secs(7200);
    std::fs::File::options()
        .write(true)
        .open(&old)
        .unwrap()
        .set_modified(then)
        .unwrap();
    let limit = carronade_checkpoint::Limit::Checkpoints(9);
    trace
        .thin(&carronade_checkpoint::Policy { limit, dense: 0 }, &[])
        .unwrap();
    assert!(!old.exists() && young.exists());
}
