//! Traces that are removed as a whole.

use super::world::World;
use carronade_checkpoint::Store;
use std::time::Duration;

/// Only what nothing has been written to for long goes; what comes later finds an empty place.
pub fn prune(store: &Store) {
    assert_eq!(store.traces().unwrap(), []);
    store.finish_pruning().unwrap();
    let worlds = [World(51), World(52)];
    for world in worlds {
        let trace = world.trace(store);
        world.put(&trace, None, 0).unwrap();
        world.put(&trace, Some(0), 100).unwrap();
        trace.keep_end(world.point(100)).unwrap();
        trace.claim("a", "one", Duration::from_secs(60)).unwrap();
    }
    let mut both = worlds.map(|world| world.trace(store).id());
    both.sort_by_key(ToString::to_string);
    assert_eq!(store.traces().unwrap(), both);
    for id in both {
        let edges = store.trace(id.prestate, id.inputs).weigh().unwrap();
        let all = store.measure(id).unwrap().unwrap();
        assert!(all.bytes > edges, "notes and claims count too");
        assert_eq!(store.prune(id, Duration::from_secs(3600)).unwrap(), None);
    }
    assert_eq!(store.traces().unwrap(), both);
    for world in worlds {
        assert_eq!(world.check_all(&world.trace(store)), [0, 100]);
    }
    for id in both {
        let all = store.measure(id).unwrap();
        assert_eq!(store.prune(id, Duration::ZERO).unwrap(), all);
        assert_eq!(store.prune(id, Duration::ZERO).unwrap(), None);
    }
    assert_eq!(store.traces().unwrap(), []);
    let (world, trace) = (worlds[0], worlds[0].trace(store));
    assert_eq!(trace.checkpoints().unwrap(), []);
    assert_eq!(trace.end().unwrap(), None);
    world.put(&trace, None, 7).unwrap();
    assert_eq!(world.check_all(&trace), [7]);
}
