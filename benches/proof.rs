//! CPU time of roots and proofs: of the whole tree after loading, of a step's witness.

mod support;

use carronade_emulator::machine::Watch;
use carronade_emulator::state::StateVersion;
use carronade_emulator::witness::verify;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use support::CpuTime;

fn proof(criterion: &mut Criterion<CpuTime>) {
    let elf = support::elf("sortmap");
    let mut group = criterion.benchmark_group("proof");
    group.sample_size(20);

    let loaded = || {
        let mut machine = support::machine(&elf);
        machine
            .run(1_000_000, Watch::Nothing)
            .expect("the guest runs");
        machine
    };
    let pages = loaded().memory().page_count() as u64;
    group.throughput(Throughput::Elements(pages));
    group.bench_function("cold root, per page", |bencher| {
        bencher.iter_batched_ref(
            loaded,
            |machine| machine.witness().expect("pages load"),
            BatchSize::PerIteration,
        );
    });

    group.throughput(Throughput::Elements(1));
    group.bench_function("step proof, warm", |bencher| {
        let mut machine = loaded();
        machine.prove().expect("the step can be proven");
        bencher.iter(|| machine.prove().expect("the step can be proven"));
    });
    group.bench_function("verify", |bencher| {
        let witness = loaded().prove().expect("the step can be proven");
        bencher.iter(|| verify(StateVersion::V8, &witness).expect("the proof holds"));
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default().with_measurement(CpuTime);
    targets = proof
}
criterion_main!(benches);
