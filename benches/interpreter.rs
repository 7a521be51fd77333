//! Steps per CPU second of the interpreter on the golden guests.

mod support;

use carronade_emulator::machine::Watch;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use support::CpuTime;

/// Guest, and the steps to run of it; the reference's rate on them is in the README.
const GUESTS: [(&str, u64); 3] = [
    ("keccakloop", 60_000_000),
    ("sortmap", 42_653_210),
    ("goroutines", 2_668_056),
];

fn interpreter(criterion: &mut Criterion<CpuTime>) {
    let mut group = criterion.benchmark_group("interpreter");
    group.sample_size(10);
    for (guest, steps) in GUESTS {
        let elf = support::elf(guest);
        group.throughput(Throughput::Elements(steps));
        group.bench_function(guest, |bencher| {
            let setup = || support::machine(&elf);
            bencher.iter_batched_ref(
                setup,
                |machine| machine.run(steps, Watch::Nothing).expect("the guest runs"),
                BatchSize::PerIteration,
            );
        });
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().with_measurement(CpuTime);
    targets = interpreter
}
criterion_main!(benches);
