//! Traces that are removed as a whole.

use super::world::World;
use carronade_checkpoint::{Store, TraceId};
use std::time::Duration;

/// Only what nothing has been written to for long goes; what comes later finds an empty place.
pub fn prune(store: &Store) {
    assert_eq!(store.traces().unwrap(), []);
    let worlds = [World(51), World(52)];
    for world in worlds {
        let trace = world.trace(store);
        world.put(&trace, None, 0).unwrap();
        world.put(&trace, Some(0), 100).unwrap();
        trace.keep_end(world.point(100)).unwrap();
        trace.claim("a", "one", Duration::from_secs(60)).unwrap();
    }
    let ids = |store: &Store| -> Vec<TraceId> {
        let mut ids: Vec<_> = store
            .traces()
            .unwrap()
            .iter()
            .map(|trace| trace.id)
            .collect();
        ids.sort_by_key(ToString::to_string);
        ids
    };
    let mut both = worlds.map(|world| world.trace(store).id());
    both.sort_by_key(ToString::to_string);
    assert_eq!(ids(store), both);
    for trace in store.traces().unwrap() {
        let weight = store
            .trace(trace.id.prestate, trace.id.inputs)
            .weigh()
            .unwrap();
        assert!(trace.bytes > weight, "notes and claims count too");
    }
    assert_eq!(store.prune(Duration::from_secs(3600)).unwrap(), []);
    assert_eq!(ids(store), both);
    for world in worlds {
        assert_eq!(world.check_all(&world.trace(store)), [0, 100]);
    }
    assert_eq!(store.prune(Duration::ZERO).unwrap().len(), 2);
    assert_eq!(ids(store), []);
    let (world, trace) = (worlds[0], worlds[0].trace(store));
    assert_eq!(trace.checkpoints().unwrap(), []);
    assert_eq!(trace.end().unwrap(), None);
    world.put(&trace, None, 7).unwrap();
    assert_eq!(world.check_all(&trace), [7]);
}
