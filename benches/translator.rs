//! The translator: making native code of a guest, running it, and the root of what it
//! leaves behind.

mod support;

use carronade_emulator::machine::{Machine, Watch};
use carronade_translator::{Options, Translator};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use support::CpuTime;

/// Steps after which the guests below are in the middle of their work.
const WARM: u64 = 50_000_000;
const STEPS: u64 = 200_000_000;

fn machine(elf: &[u8], options: &Options) -> Machine {
    let translator = Translator::new(options.clone()).expect("native code can be made here");
    support::machine(elf).with_accelerator(Box::new(translator))
}

/// A machine in the middle of a guest, with native code for what it does.
fn warm(elf: &[u8], options: &Options) -> Machine {
    let mut machine = machine(elf, options);
    machine.run(WARM, Watch::Nothing).expect("the guest runs");
    machine
}

/// Translation of everything that can be reached from the entry.
fn translate(criterion: &mut Criterion<CpuTime>) {
    let elf = support::bench_elf("mixed");
    let mut group = criterion.benchmark_group("translate");
    group.sample_size(10);
    group.bench_function("mixed", |bencher| {
        let setup = || {
            let (state, memory) = support::image(&elf);
            let pc = state.thread().expect("a thread runs").pc;
            let translator = Translator::new(Options::default()).expect("as above");
            (translator, memory, pc)
        };
        bencher.iter_batched_ref(
            setup,
            |(translator, memory, pc)| translator.compile_ahead(memory, &[*pc]).expect("no cache"),
            BatchSize::PerIteration,
        );
    });
}

/// Steps of guests for which there is native code.
fn execute(criterion: &mut Criterion<CpuTime>) {
    let mut group = criterion.benchmark_group("execute");
    group.sample_size(10);
    for guest in ["keccakloop", "sortmap", "mixed", "bytecode"] {
        let elf = support::bench_elf(guest);
        group.throughput(Throughput::Elements(STEPS));
        group.bench_function(guest, |bencher| {
            bencher.iter_batched_ref(
                || warm(&elf, &Options::default()),
                |machine| {
                    machine
                        .run(WARM + STEPS, Watch::Nothing)
                        .expect("the guest runs")
                },
                BatchSize::PerIteration,
            );
        });
    }
}

/// What exact stops cost: the same work with and without looking at the budget. Without,
/// threads are never preempted, so the guest has one and runs to its end.
fn exactness(criterion: &mut Criterion<CpuTime>) {
    let mut group = criterion.benchmark_group("exactness");
    group.sample_size(10);
    for guest in ["mixed", "bytecode", "verifier", "hashtable"] {
        let elf = support::bench_elf(guest);
        for exact in [true, false] {
            let options = Options {
                exact,
                ..Options::default()
            };
            let name = if exact { "on" } else { "off" };
            group.bench_function(format!("{guest}/{name}"), |bencher| {
                bencher.iter_batched_ref(
                    || warm(&elf, &options),
                    |machine| {
                        machine
                            .run(u64::MAX >> 1, Watch::Nothing)
                            .expect("the guest runs")
                    },
                    BatchSize::PerIteration,
                );
            });
        }
    }
}

/// The root after a run that changed some pages.
fn root(criterion: &mut Criterion<CpuTime>) {
    let elf = support::bench_elf("alloc");
    let mut group = criterion.benchmark_group("root");
    group.sample_size(10);
    group.bench_function("alloc after 10M steps", |bencher| {
        let setup = || {
            let mut machine = warm(&elf, &Options::default());
            machine.witness().expect("pages load");
            machine
                .run(WARM + 10_000_000, Watch::Nothing)
                .expect("the guest runs");
            machine
        };
        bencher.iter_batched_ref(
            setup,
            |machine| machine.witness().expect("pages load"),
            BatchSize::PerIteration,
        );
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default().with_measurement(CpuTime);
    targets = translate, execute, exactness, root
}
criterion_main!(benches);
