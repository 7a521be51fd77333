//! Checkpoints and traces: what checkpoints cost a run, how long an answer takes, and how
//! many steps a whole bisection executes. All sides of a ratio run in turn in one process;
//! figures are medians, costs are CPU time of the process with all its threads.
//!
//!     cargo bench --bench trace
//!     cargo bench --bench trace -- --test      quickly, to see that it runs

mod support;

use carronade_checkpoint::Store;
use carronade_emulator::machine::Watch;
use carronade_emulator::oracle::NoOracle;
use carronade_emulator::state::state_hash;
use carronade_emulator::step::NoOutput;
use carronade_trace::{Engine, Options, Trace};
use carronade_translator::Translator;
use criterion::measurement::Measurement;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use support::CpuTime;

/// How a run keeps checkpoints.
#[derive(Clone, Copy, PartialEq)]
enum Keeping {
    Nothing,
    /// Dirty pages and root, no file.
    Hashes,
    Stored,
    /// Stored, where they are worth their cost: what a run does by default.
    Paced,
}

/// Steps between checkpoints.
const INTERVAL: u64 = 100_000_000;

/// What a bench runs with.
struct Setting {
    guests: &'static [&'static str],
    rounds: usize,
    questions: usize,
    cache: PathBuf,
}

fn main() {
    let quick = std::env::args().any(|argument| argument == "--test");
    let folder = tempfile::tempdir().expect("there is room for temporary files");
    let setting = Setting {
        guests: if quick {
            &["mixed"]
        } else {
            &[
                "ledger",
                "mixed",
                "verifier",
                "bytecode",
                "sortmap",
                "alloc",
                "hashtable",
            ]
        },
        rounds: if quick { 1 } else { 3 },
        questions: if quick { 2 } else { 30 },
        cache: folder.path().join("cache"),
    };
    costs(&setting);
    answers(&setting, &folder.path().join("store"));
}

fn translator(cache: &Path) -> Translator {
    let options = carronade_translator::Options {
        cache: Some(cache.into()),
        ..Default::default()
    };
    Translator::new(options).expect("native code can be made here")
}

fn engine(cache: &Path) -> Engine {
    let cache = cache.to_owned();
    Arc::new(move |_| Ok(Some(Box::new(translator(&cache)))))
}

fn trace(guest: &str, setting: &Setting, store: &Path, options: Options) -> Trace {
    let (state, mut memory) = support::image(&support::bench_elf(guest));
    let prestate = state_hash(&state.witness(&memory.root()));
    let place = store.to_str().expect("the folder has a plain name");
    let store = Store::open(place, &Default::default()).expect("the folder can be made");
    let store = store.trace(prestate, [0; 32]);
    let world = (Box::new(NoOracle), Box::new(NoOutput));
    let engine = engine(&setting.cache);
    Trace::open((state, memory), world.0, world.1, store, engine, options)
        .expect("the store is new or ours")
}

/// CPU time of a run; its steps, and its pages.
fn run(guest: &str, setting: &Setting, keeping: Keeping) -> (Duration, u64, usize) {
    let start = CpuTime.start();
    if matches!(keeping, Keeping::Stored | Keeping::Paced) {
        let folder = tempfile::tempdir().expect("there is room for temporary files");
        let options = Options {
            interval: (keeping == Keeping::Stored).then_some(INTERVAL),
            paced: keeping == Keeping::Paced,
            ..Options::default()
        };
        let mut trace = trace(guest, setting, folder.path(), options);
        trace.seek(u64::MAX).expect("the guest runs");
        trace.flush().expect("there is room for the store");
        let machine = trace.machine();
        let (steps, pages) = (machine.state().step, machine.memory().page_count());
        drop(trace);
        return (CpuTime.end(start), steps, pages);
    }
    let (state, mut memory) = support::image(&support::bench_elf(guest));
    memory.track_changes();
    let machine = carronade_emulator::machine::Machine::new(
        state,
        memory,
        Box::new(NoOracle),
        Box::new(NoOutput),
    );
    let mut machine = machine.with_accelerator(Box::new(translator(&setting.cache)));
    let mut next = 0;
    while !machine.state().exited {
        next += INTERVAL;
        machine.run(next, Watch::Nothing).expect("the guest runs");
        if keeping == Keeping::Hashes {
            machine.take_changes();
            machine.witness().expect("all pages are there");
        }
    }
    let (steps, pages) = (machine.state().step, machine.memory().page_count());
    drop(machine);
    (CpuTime.end(start), steps, pages)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// What a checkpoint every hundred million steps costs.
fn costs(setting: &Setting) {
    println!("A checkpoint every {INTERVAL} steps, share of the run's CPU time (warm cache)");
    println!();
    println!("guest       steps (M)  pages  run (s)   hashed   stored  by default");
    let sides = [Keeping::Hashes, Keeping::Stored, Keeping::Paced];
    let mut logs = [0.0; 3];
    for guest in setting.guests {
        let (_, steps, pages) = run(guest, setting, Keeping::Nothing);
        let (mut plain, mut kept) = (Vec::new(), [const { Vec::new() }; 3]);
        for _ in 0..setting.rounds {
            let seconds = |keeping| run(guest, setting, keeping).0.as_secs_f64();
            plain.push(seconds(Keeping::Nothing));
            for (times, side) in kept.iter_mut().zip(sides) {
                times.push(seconds(side));
            }
        }
        let plain = median(plain);
        let ratios = kept.map(|times| median(times) / plain);
        print!(
            "{guest:10} {:>10} {pages:>6} {plain:>8.2}",
            steps / 1_000_000
        );
        tell_ratios(ratios);
        for (log, ratio) in logs.iter_mut().zip(ratios) {
            *log += ratio.ln() / setting.guests.len() as f64;
        }
    }
    print!("{:36}", "geometric mean");
    tell_ratios(logs.map(f64::exp));
    println!();
}

fn tell_ratios(ratios: [f64; 3]) {
    let [hashed, stored, paced] = ratios.map(|ratio| (ratio - 1.0) * 100.0);
    println!(" {hashed:>6.1} % {stored:>6.1} %    {paced:>6.1} %");
}

/// How long answers take, on a trace of ten thousand million steps.
fn answers(setting: &Setting, store: &Path) {
    let guest = setting.guests[0];
    let open = || trace(guest, setting, store, Options::default());
    let mut first = open();
    let length = match first.seek(u64::MAX) {
        Ok(machine) => machine.state().step,
        Err(error) => panic!("{error}"),
    };
    let run = first.executed();
    drop(first);
    println!("Answers on the trace of {guest}, {length} steps; wall time, median and longest");
    println!();
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut steps = || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random % (length - 1)
    };
    let mut new = Vec::new();
    for _ in 0..setting.questions {
        let (step, start) = (steps(), Instant::now());
        let mut trace = open();
        trace.witness(step).expect("the trace has the step");
        new.push(start.elapsed().as_secs_f64() * 1e3);
    }
    tell("witness at a random step, opened for it (ms)", new);
    let (mut trace, mut warm, mut here) = (open(), Vec::new(), Vec::new());
    for _ in 0..setting.questions {
        let (step, start) = (steps(), Instant::now());
        trace.witness(step).expect("the trace has the step");
        warm.push(start.elapsed().as_secs_f64() * 1e3);
        for _ in 0..20 {
            let start = Instant::now();
            trace.prove().expect("the trace has the step");
            here.push(start.elapsed().as_secs_f64() * 1e6);
        }
    }
    tell("the same, kept open (ms)", warm);
    tell("witness where the machine stands (us)", here);
    bisection(&open, length, run);
}

fn tell(what: &str, values: Vec<f64>) {
    let longest = values.iter().copied().fold(0.0, f64::max);
    println!("{what:46} {:>8.1} {longest:>8.1}", median(values));
}

/// A bisection of 42 levels, each question asked by a process that knows nothing but the
/// store: the steps executed for all, against the trace's length.
fn bisection(open: &dyn Fn() -> Trace, length: u64, run: u64) {
    let (mut low, mut high, mut executed) = (0, 1u64 << 42, run);
    let (lie, start) = (length / 3, Instant::now());
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        let mut trace = open();
        trace.witness(middle).expect("the trace has the step");
        executed += trace.executed();
        if middle < lie {
            low = middle;
        } else {
            high = middle;
        }
    }
    println!(
        "a bisection of 42 levels: {:.3} times the trace's steps with the first run, {:.1} s",
        executed as f64 / length as f64,
        start.elapsed().as_secs_f64()
    );
}
