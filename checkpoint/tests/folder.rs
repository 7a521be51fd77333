//! The store in a folder: the suite, and what only a folder can show.

mod folder {
    pub mod children;
    pub mod damage;
    pub mod full;
    pub mod kill;
    pub mod prune;
}
mod suite;

use carronade_checkpoint::{Options, Store};
use tempfile::TempDir;

fn in_folder(test: impl FnOnce(&Store)) {
    let folder = TempDir::new().unwrap();
    test(&open(&folder));
}

fn open(folder: &TempDir) -> Store {
    Store::open(folder.path().to_str().unwrap(), &Options::default()).unwrap()
}

#[test]
fn what_comes_back_is_what_was_written() {
    in_folder(suite::graphs::round_trip);
}

#[test]
fn nonsense_is_refused() {
    in_folder(suite::graphs::refusals);
}

#[test]
fn random_graphs_are_as_the_model_says() {
    in_folder(|store| suite::graphs::random_graphs(store, 0..60, 1));
}

#[test]
fn chains_are_thinned_to_their_limits() {
    in_folder(|store| suite::graphs::chains(store, 300));
}

#[test]
fn notes_are_written_once() {
    in_folder(suite::claims::notes);
}

#[test]
fn claims_end() {
    in_folder(suite::claims::claims);
}

#[test]
fn each_item_has_one_owner() {
    in_folder(|store| suite::claims::races(store, 100));
}

#[test]
fn traces_are_removed_as_a_whole() {
    in_folder(suite::prune::prune);
}

#[test]
fn locations_that_cannot_be_are_refused() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let file = file.path().to_str().unwrap();
    for location in [
        "ftp://somewhere",
        "/dev/null/folder",
        "/proc/folder",
        "s3://",
        file,
    ] {
        let refused = Store::open(location, &Options::default());
        let refused = refused.err().expect(location).to_string();
        assert!(refused.contains(location), "{refused}");
    }
}
