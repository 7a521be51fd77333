//! Checkpoints and traces: what checkpoints cost a run, how long an answer takes, and how
//! many steps a whole bisection executes. All sides of a ratio run in turn in one process;
//! figures are medians. Costs are told twice: as the time by which a run takes longer, other
//! cores hashing and writing beside it, and as CPU time of the process with all its threads.
//! Every run ends with its last state's hash, as each that is of use does.
//!
//!     cargo bench --bench trace
//!     cargo bench --bench trace -- --test      quickly, to see that it runs

mod support;

use carronade_checkpoint::Store;
use carronade_devnet::{Devnet, Preimages, Spec};
use carronade_emulator::capture::Capture;
use carronade_emulator::machine::{Machine, Watch};
use carronade_emulator::memory::Memory;
use carronade_emulator::oracle::{OracleError, PreimageOracle};
use carronade_emulator::state::{State, state_hash};
use carronade_emulator::step::NoOutput;
use carronade_program::key::PreimageKey;
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
    chain: Host,
}

impl Setting {
    fn host(&self) -> Box<Host> {
        Box::new(self.chain.clone())
    }
}

fn main() {
    let quick = std::env::args().any(|argument| argument == "--test");
    let folder = tempfile::tempdir().expect("there is room for temporary files");
    let setting = Setting {
        guests: if quick {
            &["mixed", PROGRAM]
        } else {
            &[
                "ledger",
                PROGRAM,
                "mixed",
                "verifier",
                "bytecode",
                "sortmap",
                "alloc",
                "hashtable",
            ]
        },
        rounds: if quick { 1 } else { 5 },
        questions: if quick { 2 } else { 30 },
        cache: folder.path().join("cache"),
        chain: chain(if quick { 6 } else { 60 }),
    };
    costs(&setting);
    answers(&setting, &folder.path().join("store"));
}

/// The fault proof program, among the guests.
const PROGRAM: &str = "program";

/// A guest before its first step.
fn load(guest: &str) -> (State, Memory) {
    support::image(&match guest {
        PROGRAM => support::program_elf(),
        _ => support::bench_elf(guest),
    })
}

/// What the fault proof program asks for.
#[derive(Clone)]
struct Host(Arc<Preimages>);

impl PreimageOracle for Host {
    fn hint(&mut self, _: &[u8]) -> Result<(), OracleError> {
        Ok(())
    }

    fn preimage(&mut self, key: [u8; 32]) -> Result<Vec<u8>, OracleError> {
        let found = self.0.get(&PreimageKey::try_from(key)?);
        found.cloned().ok_or_else(|| "there is none".into())
    }
}

/// A chain of full blocks, and a claim about all of it.
fn chain(blocks: u64) -> Host {
    let spec = Spec {
        l1_blocks: blocks / 3,
        l2_blocks: blocks,
        transactions: 30,
        ..Spec::default()
    };
    let devnet = Devnet::generate(&spec).expect("the chain can be made");
    let mut all = devnet.preimages();
    all.extend(devnet.locals(&devnet.claim(0, devnet.l2_head())));
    Host(Arc::new(all))
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
    let (state, mut memory) = load(guest);
    let prestate = state_hash(&state.witness(&memory.root()));
    let place = store.to_str().expect("the folder has a plain name");
    let store = Store::open(place, &Default::default()).expect("the folder can be made");
    let store = store.trace(prestate, [0; 32]);
    let (host, output) = (setting.host(), Box::new(NoOutput));
    let engine = engine(&setting.cache);
    Trace::open((state, memory), host, output, store, engine, options)
        .expect("the store is new or ours")
}

/// What a run took: as time goes by, and of the processor.
#[derive(Clone, Copy)]
struct Took {
    time: f64,
    cpu: f64,
}

impl Took {
    fn since((time, cpu): (Instant, Duration)) -> Self {
        Self {
            time: time.elapsed().as_secs_f64(),
            cpu: CpuTime.end(cpu).as_secs_f64(),
        }
    }

    fn medians(all: &[Self]) -> Self {
        Self {
            time: median(all.iter().map(|took| took.time).collect()),
            cpu: median(all.iter().map(|took| took.cpu).collect()),
        }
    }
}

/// A run: what it took, its steps, and its pages.
fn run(guest: &str, setting: &Setting, keeping: Keeping) -> (Took, u64, usize) {
    let start = (Instant::now(), CpuTime.start());
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
        return (Took::since(start), steps, pages);
    }
    let (state, mut memory) = load(guest);
    memory.track_changes();
    let machine = Machine::new(state, memory, setting.host(), Box::new(NoOutput));
    let mut machine = machine.with_accelerator(Box::new(translator(&setting.cache)));
    let (mut next, mut last) = (0, None);
    while !machine.state().exited {
        next += INTERVAL;
        machine.run(next, Watch::Nothing).expect("the guest runs");
        if keeping == Keeping::Hashes {
            let capture = machine.capture_changes().expect("all pages are there");
            let _ = last.replace(capture).map(Capture::wait);
        }
    }
    machine.witness().expect("all pages are there");
    let (steps, pages) = (machine.state().step, machine.memory().page_count());
    drop((machine, last));
    (Took::since(start), steps, pages)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// What a checkpoint every hundred million steps costs.
fn costs(setting: &Setting) {
    println!(
        "A checkpoint every {INTERVAL} steps: how much longer the run takes | how much more CPU"
    );
    println!("time it does, on {} cores (warm cache)", cores());
    println!();
    println!(
        "guest       steps (M)  pages  run (s)         hashed           stored       by default"
    );
    let sides = [Keeping::Hashes, Keeping::Stored, Keeping::Paced];
    let mut logs = [(0.0, 0.0); 3];
    for guest in setting.guests {
        let (_, steps, pages) = run(guest, setting, Keeping::Nothing);
        let (mut plain, mut kept) = (Vec::new(), [const { Vec::new() }; 3]);
        for _ in 0..setting.rounds {
            let took = |keeping| run(guest, setting, keeping).0;
            plain.push(took(Keeping::Nothing));
            for (all, side) in kept.iter_mut().zip(sides) {
                all.push(took(side));
            }
        }
        let plain = Took::medians(&plain);
        let ratios = kept.map(|all| {
            let kept = Took::medians(&all);
            (kept.time / plain.time, kept.cpu / plain.cpu)
        });
        let steps = steps / 1_000_000;
        print!("{guest:10} {steps:>10} {pages:>6} {:>8.2}", plain.time);
        tell_ratios(ratios);
        for (log, ratio) in logs.iter_mut().zip(ratios) {
            log.0 += ratio.0.ln() / setting.guests.len() as f64;
            log.1 += ratio.1.ln() / setting.guests.len() as f64;
        }
    }
    print!("{:36}", "geometric mean");
    tell_ratios(logs.map(|(time, cpu)| (time.exp(), cpu.exp())));
    println!();
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn tell_ratios(ratios: [(f64, f64); 3]) {
    let more = |ratio: f64| (ratio - 1.0) * 100.0;
    for (time, cpu) in ratios {
        print!(" {:>5.1} | {:>5.1} %", more(time), more(cpu));
    }
    println!();
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
