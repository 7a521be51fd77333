//! The checkpoint store's suite in an object store.
//!
//! Where the object store is, the environment says, which a process cannot safely change
//! for itself. So the tests in `inside` run in a child of this program.

#[path = "../../../checkpoint/tests/suite/mod.rs"]
mod suite;

use carronade_testing_s3::Server;
use std::process::Command;

/// Where the server keeps the bucket.
const FILES: &str = "CARRONADE_TEST_FILES";

#[test]
fn the_suite_passes_in_an_object_store() {
    let server = Server::start();
    let mut tests = Command::new(std::env::current_exe().unwrap());
    tests
        .args(["inside::", "--nocapture"])
        .env(FILES, server.files());
    let output = tests.envs(server.environment()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    print!("{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success());
    assert!(said.contains("11 passed"));
}

mod inside {
    use super::FILES;
    use super::suite::crowd::{Role, judge, play};
    use super::suite::world::World;
    use super::suite::{claims, graphs, prune};
    use carronade_checkpoint::{Error, Limit, Options, Policy, Store};
    use carronade_testing_s3::BUCKET;
    use std::path::PathBuf;
    use std::thread::{scope, sleep};
    use std::time::Duration;

    /// The folder of the server; none outside of the child.
    fn files() -> Option<PathBuf> {
        std::env::var_os(FILES).map(PathBuf::from)
    }

    fn open(prefix: &str, grace: Option<Duration>, fresh: Duration) -> Store {
        let mut options = Options::default();
        (options.grace, options.fresh) = (grace, fresh);
        Store::open(&format!("s3://{BUCKET}/{prefix}"), &options).unwrap()
    }

    /// A store whose thinned objects go at once.
    fn run(prefix: &str, test: impl FnOnce(&Store)) {
        if files().is_some() {
            test(&open(
                prefix,
                Some(Duration::ZERO),
                Duration::from_secs(3600),
            ));
        }
    }

    #[test]
    fn what_comes_back_is_what_was_written() {
        run("a", graphs::round_trip);
    }

    #[test]
    fn nonsense_is_refused() {
        run("b", graphs::refusals);
    }

    #[test]
    fn random_graphs_are_as_the_model_says() {
        run("c/deep/prefix", |store| {
            graphs::random_graphs(store, 0..3, 23)
        });
    }

    #[test]
    fn chains_are_thinned_to_their_limits() {
        run("d", |store| graphs::chains(store, 60));
    }

    #[test]
    fn notes_are_written_once() {
        run("e", claims::notes);
    }

    #[test]
    fn claims_end() {
        run("f", claims::claims);
    }

    #[test]
    fn each_item_has_one_owner() {
        run("g", |store| claims::races(store, 30));
    }

    #[test]
    fn traces_are_removed_as_a_whole() {
        run("p/q", prune::prune);
    }

    #[test]
    fn a_crowd_gets_along() {
        if files().is_none() {
            return;
        }
        let roles = [
            Role::Writer(7),
            Role::Writer(10),
            Role::Reader(1),
            Role::Reader(2),
            Role::Thinner,
        ];
        // Readers have some seconds of grace.
        let store = || open("h", Some(Duration::from_secs(2)), Duration::from_secs(1));
        let reports = scope(|scope| {
            let play = |role| {
                let (store, mut report) = (store(), Vec::new());
                play(role, World(41), &store, Duration::from_secs(8), &mut report);
                String::from_utf8(report).unwrap()
            };
            let jobs = roles.map(|role| scope.spawn(move || play(role)));
            jobs.map(|job| job.join().unwrap()).concat()
        });
        judge(World(41), &store(), &reports);
    }

    #[test]
    fn damage_shows() {
        run("i", |store| {
            let (world, trace) = (World(42), World(42).trace(store));
            world.put(&trace, None, 0).unwrap();
            world.put(&trace, Some(0), 100).unwrap();
            let edges = files()
                .unwrap()
                .join("i")
                .join(trace.id().to_string())
                .join("edges");
            let file = edges.join(format!("{:020}-{:020}", 0, 100));
            let sound = std::fs::read(&file).unwrap();
            for at in (0..sound.len())
                .step_by(101)
                .chain(sound.len() - 70..sound.len())
            {
                let mut bytes = sound.clone();
                bytes[at] ^= 16;
                std::fs::write(&file, bytes).unwrap();
                let problems = world.trace(store).verify().unwrap();
                assert!(
                    problems[0].to_string().contains("s3://bucket/i/"),
                    "{}",
                    problems[0]
                );
                let opened = world
                    .trace(store)
                    .open(100)
                    .and_then(|opened| world.check(&opened));
                assert!(matches!(opened, Ok(()) | Err(Error::Damaged { .. })));
            }
            for length in [0, 1, 59, 60, sound.len() / 2, sound.len() - 1] {
                std::fs::write(&file, &sound[..length]).unwrap();
                assert_eq!(world.check_all(&world.trace(store)), [0], "length {length}");
            }
        });
    }

    #[test]
    fn readers_have_a_time_of_grace() {
        if files().is_none() {
            return;
        }
        let world = World(43);
        let trace = world.trace(&open("j", Some(Duration::from_millis(1)), Duration::ZERO));
        world.put(&trace, None, 0).unwrap();
        world.put(&trace, Some(0), 50).unwrap();
        world.put(&trace, Some(50), 100).unwrap();
        let (victim, last) = (trace.open(50).unwrap(), trace.open(100).unwrap());
        let policy = Policy {
            limit: Limit::Checkpoints(2),
            dense: 0,
        };
        let thinned = trace.thin(&policy, &[]).unwrap();
        assert_eq!((thinned.dropped, thinned.kept), (vec![50], vec![0, 100]));
        // Nobody new gets it, but who has it can use it.
        assert!(matches!(
            trace.open(50),
            Err(Error::NoCheckpoint { step: 50 })
        ));
        world.check(&victim).unwrap();
        // Once it is gone, what stays is found on another way.
        for file in std::fs::read_dir(
            files()
                .unwrap()
                .join("j")
                .join(trace.id().to_string())
                .join("edges"),
        )
        .unwrap()
        {
            let file = file.unwrap().path();
            if file.to_string_lossy().contains(&format!("{:020}", 50)) {
                std::fs::remove_file(file).unwrap();
            }
        }
        sleep(Duration::from_millis(5));
        world.check(&last).unwrap();
        assert!(matches!(
            victim.load(0),
            Err(Error::NoCheckpoint { step: 50 })
        ));
    }
}
