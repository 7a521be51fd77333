//! Notes and work items.

use super::world::World;
use carronade_checkpoint::{Claim, Error, Store, TraceStore};
use std::sync::Barrier;
use std::thread::{scope, sleep};
use std::time::{Duration, SystemTime};

const LONG: Duration = Duration::from_secs(600);

/// Notes are written once.
pub fn notes(store: &Store) {
    let world = World(11);
    let trace = world.trace(store);
    assert_eq!(trace.end().unwrap(), None);
    assert!(trace.keep_end(world.point(77)).unwrap());
    assert!(!trace.keep_end(world.point(77)).unwrap());
    assert!(matches!(
        trace.keep_end(world.point(78)),
        Err(Error::Conflict { .. })
    ));
    assert_eq!(world.trace(store).end().unwrap(), Some(world.point(77)));
    // An end whose checkpoint was never there, or is gone.
    world.put(&trace, None, 50).unwrap();
    assert!(!trace.keep_sound_end(world.point(60)).unwrap());
    assert_eq!(trace.end().unwrap(), Some(world.point(77)));
    assert!(trace.keep_sound_end(world.point(50)).unwrap());
    assert!(trace.keep_sound_end(world.point(50)).unwrap());
    assert_eq!(trace.end().unwrap(), Some(world.point(50)));
    world.put(&trace, Some(50), 60).unwrap();
    assert!(matches!(
        trace.keep_sound_end(world.point(60)),
        Err(Error::Conflict { .. })
    ));
    assert!(trace.keep_note("speed", b"fast").unwrap());
    assert_eq!(trace.note("speed").unwrap().unwrap(), b"fast");
    assert_eq!(trace.note("other").unwrap(), None);
    assert!(trace.keep_note("../up", b"").is_err());
    assert!(trace.set_note("../up", b"").is_err());
    trace.set_note("place", b"here").unwrap();
    trace.set_note("place", b"there").unwrap();
    assert_eq!(trace.note("place").unwrap().unwrap(), b"there");
    assert_eq!(World(12).trace(store).end().unwrap(), None);
}

/// A claim is one owner's until it ends.
pub fn claims(store: &Store) {
    let trace = World(13).trace(store);
    let before = SystemTime::now() + LONG - Duration::from_secs(1);
    assert!(matches!(trace.claim("a", "one", LONG).unwrap(), Claim::Mine(until) if until > before));
    assert!(
        matches!(trace.claim("a", "two", LONG).unwrap(), Claim::Taken { owner, .. } if owner == "one")
    );
    // Its owner may renew it, here to an end that has come.
    assert!(matches!(
        trace.claim("a", "one", Duration::ZERO).unwrap(),
        Claim::Mine(_)
    ));
    sleep(Duration::from_millis(2));
    assert!(matches!(
        trace.claim("a", "two", LONG).unwrap(),
        Claim::Mine(_)
    ));
    assert!(
        matches!(trace.claim("a", "one", LONG).unwrap(), Claim::Taken { owner, .. } if owner == "two")
    );
    assert_eq!(trace.completed("a").unwrap(), None);
    assert_eq!(trace.complete("a", b"first").unwrap(), b"first");
    assert_eq!(
        trace.complete("a", b"second").unwrap(),
        b"first",
        "the first result stays"
    );
    assert_eq!(trace.completed("a").unwrap().unwrap(), b"first");
    assert!(
        matches!(trace.claim("a", "one", LONG).unwrap(), Claim::Done(result) if result == b"first")
    );
    trace.complete("b", b"").unwrap();
    assert_eq!(trace.all_completed().unwrap(), ["a", "b"]);
}

/// Many want the same items at once, new ones and ones whose claim has ended; each item
/// gets just one owner.
pub fn races(store: &Store, items: u32) {
    let trace = World(14).trace(store);
    for item in 0..items {
        if item % 2 == 1 {
            trace
                .claim(&format!("item-{item}"), "crashed", Duration::ZERO)
                .unwrap();
        }
    }
    sleep(Duration::from_millis(2));
    let barrier = Barrier::new(4);
    let work = |owner: usize, trace: TraceStore| {
        let mut mine = 0;
        for item in 0..items {
            barrier.wait();
            let claim = trace.claim(&format!("item-{item}"), &format!("owner-{owner}"), LONG);
            mine += u32::from(matches!(claim.unwrap(), Claim::Mine(_)));
        }
        mine
    };
    let total: u32 = scope(|scope| {
        let jobs: Vec<_> = (0..4)
            .map(|owner| {
                let (trace, work) = (World(14).trace(store), &work);
                scope.spawn(move || work(owner, trace))
            })
            .collect();
        jobs.into_iter().map(|job| job.join().unwrap()).sum()
    });
    assert_eq!(total, items);
}
