//! The command line from start to written final state on the smallest Go guest: wall
//! time, and the largest resident memory of any run.

mod support;

use criterion::{Criterion, criterion_group, criterion_main};
use nix::sys::resource::{UsageWho, getrusage};
use std::path::Path;
use std::process::{Command, Stdio};

fn carronade(folder: &Path, words: &[&str]) {
    let status = Command::new(env!("CARGO_BIN_EXE_carronade"))
        .args(words)
        .current_dir(folder)
        .stderr(Stdio::null())
        .status()
        .expect("the program starts");
    assert!(status.success(), "{words:?}: {status}");
}

fn hello(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("hello.elf"), support::elf("hello")).expect("a file");
    carronade(
        folder.path(),
        &[
            "load-elf",
            "--type",
            "multithreaded64-5",
            "--path",
            "hello.elf",
        ],
    );
    let mut group = criterion.benchmark_group("process");
    group.sample_size(20);
    group.bench_function("hello", |bencher| {
        bencher.iter(|| carronade(folder.path(), &["run", "--input", "state.bin.gz"]));
    });
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("usage of children");
    println!(
        "process/hello: at most {:.1} MB resident",
        usage.max_rss() as f64 / 1000.0
    );
}

criterion_group!(benches, hello);
criterion_main!(benches);
