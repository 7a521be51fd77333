//! `bench`: how fast the engines are here, on embedded guests.

use crate::cli::BenchEngine;
use crate::clock::Stopwatch;
use crate::failure::{Failure, Outcome};
use crate::statistics::share;
use crate::{cache, cli, engine, interrupt, out, say};
use anyhow::{Context, Result, anyhow};
use carronade_emulator::image::load_elf;
use carronade_emulator::machine::{Machine, Watch};
use carronade_emulator::oracle::NoOracle;
use carronade_emulator::state::{State, StateVersion};
use carronade_emulator::step::NoOutput;
use carronade_translator::{Options, Statistics};
use flate2::read::GzDecoder;
use serde::Serialize;
use std::io::Read;
use std::path::Path;
use std::time::Duration;

macro_rules! guest {
    ($name:literal) => {
        (
            $name,
            include_bytes!(concat!("../benches/guests/elf/", $name, ".elf.gz")),
        )
    };
}

/// The guests by name, as packed ELF files. `benches/guests` says what they do.
const GUESTS: [(&str, &[u8]); 5] = [
    guest!("bytecode"),
    guest!("hashtable"),
    guest!("keccakloop"),
    guest!("mixed"),
    guest!("verifier"),
];

/// Steps between looks at signals.
const SLICE: u64 = 10_000_000;

/// The interpreter executes only one of so many of the translator's steps, but so many at
/// least, if the translator does.
const PATIENCE: u64 = 5;
const INTERPRETED: u64 = 10_000_000;

/// Figures of one guest.
#[derive(Debug, Serialize)]
struct Row {
    guest: &'static str,
    interpreter: Option<Figures>,
    /// The translator without kept code.
    cold: Option<Figures>,
    /// The translator with the code that the cold run has kept.
    warm: Option<Figures>,
}

/// Figures of an engine on a guest; of times and shares, medians.
#[derive(Debug, Serialize)]
struct Figures {
    steps: u64,
    cpu_seconds: f64,
    steps_per_cpu_second: f64,
    /// The part of the wall time that went into translating.
    compile_share: f64,
    interpreted_share: f64,
    /// Regions that came out of the cache, regions that did not, and its size afterwards.
    cache_hits: u64,
    cache_misses: u64,
    cache_bytes: u64,
}

/// One run.
struct Sample {
    state: State,
    steps: u64,
    wall: Duration,
    cpu: Duration,
    made: Statistics,
    cache_bytes: u64,
}

/// Runs the command.
///
/// # Errors
/// When an unknown guest is asked for, or an engine does not work here.
pub fn run(args: &cli::Bench, json: bool) -> Outcome {
    let guests = chosen(&args.guests)?;
    if !json {
        say!(
            "{:<12}{:>14}{:>13}{:>13}{:>13}{:>10}{:>13}{:>12}{:>13}",
            "guest",
            "steps",
            "interpreter",
            "cold",
            "warm",
            "compiling",
            "interpreted",
            "cache hits",
            "cache bytes"
        );
    }
    let mut rows = Vec::new();
    for (name, packed) in guests {
        let row = measure(args, name, packed)?;
        if !json {
            row.show()?;
        }
        rows.push(row);
    }
    if json {
        let all = serde_json::json!({ "repeat": args.repeat, "guests": rows });
        say!("{:#}", all);
    } else {
        say!(
            "Millions of steps a second of CPU time, medians of {}; compiling is the cold \
             run's, the rest the warm run's.",
            args.repeat
        );
    }
    Ok(())
}

/// The guests of these names, or all.
fn chosen(names: &[String]) -> Result<Vec<(&'static str, &'static [u8])>> {
    if names.is_empty() {
        return Ok(GUESTS.into());
    }
    let find = |name: &String| {
        let guest = GUESTS.into_iter().find(|(known, _)| known == name);
        let known = || GUESTS.map(|(name, _)| name).join(", ");
        guest.ok_or_else(|| anyhow!("--guests: there is no guest {name:?}, but {}", known()))
    };
    names.iter().map(find).collect()
}

fn measure(args: &cli::Bench, guest: &'static str, packed: &[u8]) -> Outcome<Row> {
    let mut elf = Vec::new();
    let unpacked = GzDecoder::new(packed).read_to_end(&mut elf);
    unpacked.context("cannot unpack a guest")?;
    let few = (args.steps / PATIENCE).max(args.steps.min(INTERPRETED));
    let (mut interpreter, mut cold, mut warm) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..args.repeat {
        if args.engine != Some(BenchEngine::Translator) {
            interpreter.push(execute(&elf, few, None)?);
        }
        if args.engine != Some(BenchEngine::Interpreter) {
            let folder = tempfile::tempdir().context("cannot create a temporary folder")?;
            cold.push(execute(&elf, args.steps, Some(folder.path()))?);
            warm.push(execute(&elf, args.steps, Some(folder.path()))?);
        }
    }
    let mut states = cold.iter().chain(&warm).map(|sample| &sample.state);
    let first = states.next();
    if states.any(|state| Some(state) != first) {
        let words = format!("{guest}: two runs of the translator came to different states");
        return Err(Failure::EnginesDiffer(words));
    }
    Ok(Row {
        guest,
        interpreter: Figures::of(&interpreter),
        cold: Figures::of(&cold),
        warm: Figures::of(&warm),
    })
}

/// Runs a guest from its start, with the translator if there is a folder for its code.
fn execute(elf: &[u8], steps: u64, folder: Option<&Path>) -> Outcome<Sample> {
    let (state, mut memory) = load_elf(StateVersion::V8, elf).context("a guest does not load")?;
    let watch = Stopwatch::start();
    let translator = match folder {
        Some(folder) => {
            let options = Options {
                cache: Some(folder.into()),
                ..Options::default()
            };
            Some(engine::translator(options, &mut memory)?)
        }
        None => None,
    };
    let mut machine = Machine::new(state, memory, Box::new(NoOracle), Box::new(NoOutput));
    if let Some(translator) = translator {
        machine = machine.with_accelerator(Box::new(translator));
    }
    while !machine.state().exited && machine.state().step < steps {
        if interrupt::requested() {
            return Err(Failure::Interrupted);
        }
        let until = steps.min(machine.state().step.saturating_add(SLICE));
        machine
            .run(until, Watch::Nothing)
            .context("a guest fails")?;
    }
    let made = engine::translator_of(&machine).map(|translator| translator.statistics());
    // The accelerator ends here, and keeps its code.
    let (state, _) = machine.into_parts();
    Ok(Sample {
        steps: state.step,
        state,
        wall: watch.wall(),
        cpu: watch.cpu(),
        made: made.unwrap_or_default(),
        cache_bytes: folder.map_or(0, cache::size),
    })
}

impl Row {
    fn show(&self) -> Outcome {
        let rate = |figures: &Option<Figures>| {
            show(figures, |it| {
                format!("{:.1}", it.steps_per_cpu_second / 1e6)
            })
        };
        let any = [&self.cold, &self.warm, &self.interpreter];
        let steps = any.into_iter().flatten().map(|it| it.steps).next();
        let percent = |part: f64| format!("{:.1} %", 100.0 * part);
        let line = format!(
            "{:<12}{:>14}{:>13}{:>13}{:>13}{:>10}{:>13}{:>12}{:>13}\n",
            self.guest,
            steps.unwrap_or_default(),
            rate(&self.interpreter),
            rate(&self.cold),
            rate(&self.warm),
            show(&self.cold, |it| percent(it.compile_share)),
            show(&self.warm, |it| percent(it.interpreted_share)),
            show(&self.warm, |it| it.cache_hits.to_string()),
            show(&self.warm, |it| it.cache_bytes.to_string()),
        );
        out::print(&line)
    }
}

fn show(figures: &Option<Figures>, what: impl Fn(&Figures) -> String) -> String {
    figures.as_ref().map_or("-".into(), what)
}

impl Figures {
    fn of(samples: &[Sample]) -> Option<Self> {
        let first = samples.first()?;
        let of = |what: &dyn Fn(&Sample) -> f64| median(samples.iter().map(what).collect());
        let interpreted = |it: &Sample| it.steps.saturating_sub(it.made.native_steps) as f64;
        Some(Self {
            steps: first.steps,
            cpu_seconds: of(&|it| it.cpu.as_secs_f64()),
            steps_per_cpu_second: of(&|it| it.steps as f64 / it.cpu.as_secs_f64()),
            compile_share: of(&|it| {
                share(it.made.compile_time.as_secs_f64(), it.wall.as_secs_f64())
            }),
            interpreted_share: of(&|it| share(interpreted(it), it.steps as f64)),
            cache_hits: first.made.cached,
            cache_misses: first.made.regions,
            cache_bytes: first.cache_bytes,
        })
    }
}

/// The middle one, or the mean of the two in the middle.
fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    let half = numbers.len() / 2;
    match numbers.len() {
        0 => 0.0,
        length if length % 2 == 1 => numbers[half],
        _ => (numbers[half - 1] + numbers[half]) / 2.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_lie_in_the_middle() {
        assert_eq!(median(vec![]), 0.0);
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0, 2.0, 8.0]), 3.0);
    }
}
