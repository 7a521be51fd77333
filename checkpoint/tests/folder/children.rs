//! This test program, run again as a child that does one thing.

use crate::suite::crowd::{Role, judge, play};
use crate::suite::world::World;
use carronade_checkpoint::{Limit, Options, Policy, Store};
use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const TASK: &str = "CARRONADE_TEST_CHILD";
const FOLDER: &str = "CARRONADE_TEST_FOLDER";

/// Starts a child that does a task in a folder and reports on its stdout.
pub fn start(task: &str, folder: &str) -> Child {
    start_by(
        &mut Command::new(std::env::current_exe().unwrap()),
        task,
        folder,
    )
}

/// The same, by a command that passes its arguments on.
pub fn start_by(command: &mut Command, task: &str, folder: &str) -> Child {
    command.args(["--exact", "folder::children::child", "--nocapture"]);
    command.env(TASK, task).env(FOLDER, folder);
    command.stdout(Stdio::piped()).spawn().unwrap()
}

/// All that a child reported.
pub fn output(child: &mut Child) -> String {
    let mut text = String::new();
    child
        .stdout
        .as_mut()
        .unwrap()
        .read_to_string(&mut text)
        .unwrap();
    text
}

/// What a child does; nothing in the tests' own process.
#[test]
fn child() {
    let (Ok(task), Ok(folder)) = (std::env::var(TASK), std::env::var(FOLDER)) else {
        return;
    };
    let mut options = Options::default();
    if task.contains("rash") {
        options.fresh = Duration::ZERO;
    }
    let store = Store::open(&folder, &options).unwrap();
    let mut report = std::io::stdout();
    // The harness may be in the middle of a line.
    println!();
    let mut crowd = |role| play(role, World(21), &store, Duration::from_secs(4), &mut report);
    match task.split(' ').next().unwrap() {
        "endless" => endless(&store),
        "one-put" => one_put(&store),
        "long-path" => long_path(&store),
        "writer-7" => crowd(Role::Writer(7)),
        "writer-10" => crowd(Role::Writer(10)),
        "reader-1" => crowd(Role::Reader(1)),
        "reader-2" => crowd(Role::Reader(2)),
        "thinner" => crowd(Role::Thinner),
        other => panic!("{other}"),
    }
}

/// Goes on where the last one was killed: writes, and thins now and then.
fn endless(store: &Store) {
    let (world, mut out) = (World(22), std::io::stdout());
    let trace = world.trace(store);
    let mut from = trace.nearest(u64::MAX).unwrap().map(|point| point.step);
    loop {
        let step = from.map_or(0, |from| from + 5);
        world.put(&trace, from, step).unwrap();
        writeln!(out, "put {step}").unwrap();
        from = Some(step);
        if step % 15 == 0 {
            let limit = Limit::Checkpoints(super::kill::KEPT);
            trace.thin(&Policy { limit, dense: 0 }, &[]).unwrap();
        }
    }
}

/// Puts once and says what came of it.
fn one_put(store: &Store) {
    let world = World(23);
    match world.put(&world.trace(store), None, 0) {
        Ok(()) => println!("stored"),
        Err(error) => println!("{error:?}: {error}"),
    }
}

/// Opens a checkpoint whose path has more edges than the process may have files open.
fn long_path(store: &Store) {
    let world = World(26);
    let trace = world.trace(store);
    world.put(&trace, None, 0).unwrap();
    for step in 0..100 {
        world.put(&trace, Some(step), step + 1).unwrap();
    }
    let checkpoint = trace.open(100).unwrap();
    world.check(&checkpoint).unwrap();
    println!("path of {}", checkpoint.path().len());
}

#[test]
fn a_long_path_needs_many_files() {
    let folder = tempfile::TempDir::new().unwrap();
    let this = std::env::current_exe().unwrap();
    let script = format!("ulimit -S -n 50; exec {} \"$@\"", this.display());
    let mut command = Command::new("sh");
    command.args(["-c", &script, "sh"]);
    let mut child = start_by(&mut command, "long-path", folder.path().to_str().unwrap());
    assert!(output(&mut child).contains("path of 101"));
    assert!(child.wait().unwrap().success());
}

/// Runs a crowd of processes, and checks what they left.
fn crowd(manner: &str) {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().to_str().unwrap();
    let tasks = ["writer-7", "writer-10", "reader-1", "reader-2", "thinner"];
    let children = tasks.map(|task| start(&format!("{task} {manner}"), path));
    let mut reports = String::new();
    for (task, mut child) in tasks.into_iter().zip(children) {
        reports += &output(&mut child);
        assert!(child.wait().unwrap().success(), "{task}");
    }
    judge(World(21), &crate::open(&folder), &reports);
}

#[test]
fn a_crowd_gets_along() {
    crowd("");
}

#[test]
fn a_crowd_gets_along_when_bases_are_thinned() {
    crowd("rash");
}
