//! The command line from start to written final state on the smallest Go guest: wall
//! time, and the largest resident memory of any run.

mod support;

use criterion::{Criterion, criterion_group, criterion_main};
use std::path::Path;
use std::process::{Child, Command, Stdio};

const RUN: [&str; 4] = ["run", "--no-cache", "--input", "state.bin.gz"];

fn carronade(folder: &Path, words: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_carronade"))
        .args(words)
        .current_dir(folder)
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts")
}

fn wait(mut child: Child) {
    let status = child.wait().expect("the program ends");
    assert!(status.success(), "{status}");
}

/// The most memory that a run has resident, in kB: the last that the kernel tells of a
/// process that is looked at all the time. Its resource usage would count ours, too, from
/// before it became another program.
fn peak_resident(folder: &Path) -> u64 {
    let mut child = carronade(folder, &RUN);
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    while child.try_wait().expect("the program ends").is_none() {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
        peak = peak.max(number.unwrap_or(0));
    }
    peak
}

fn hello(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("hello.elf"), support::elf("hello")).expect("a file");
    let load = "load-elf --type multithreaded64-5 --path hello.elf";
    let words: Vec<&str> = load.split(' ').collect();
    wait(carronade(folder.path(), &words));
    let mut group = criterion.benchmark_group("process");
    group.sample_size(20);
    group.bench_function("hello", |bencher| {
        bencher.iter(|| wait(carronade(folder.path(), &RUN)));
    });
    let peak = (0..5).map(|_| peak_resident(folder.path())).max();
    let megabytes = peak.unwrap_or(0) as f64 / 1000.0;
    println!("process/hello: at most {megabytes:.1} MB resident");
}

criterion_group!(benches, hello);
criterion_main!(benches);
