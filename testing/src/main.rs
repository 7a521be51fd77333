//! Compares two engines over millions of stops.
//!
//!     cargo run --release -p carronade-testing -- --stops 10000000 --seed 1 --jobs 1
//!
//! Every program has a seed of its own, counted up from the first one; a difference is
//! printed with its seed, and `--seed SEED --stops 1` shows it again.

use carronade_testing::dice::{Dice, numbers};
use carronade_testing::engines::{reference, under_test};
use carronade_testing::{Difference, Limits, Summary, run_differential};
use clap::Parser;
use std::ops::Range;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Compares two engines over millions of stops; exits with 1 if they differ.
#[derive(Parser)]
struct Options {
    /// Compare at this many stops.
    #[arg(long, default_value_t = 1_000_000)]
    stops: u64,
    /// The seed of the first program.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Threads that share the work.
    #[arg(long, default_value_t = 1)]
    jobs: u64,
    /// Stops of one program at most.
    #[arg(long, default_value_t = Limits::default().stops)]
    program_stops: u64,
}

/// What the jobs share.
struct Work {
    options: Options,
    next_seed: AtomicU64,
    stops: AtomicU64,
    differs: AtomicBool,
    summary: Mutex<Summary>,
    start: Instant,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let work = Work {
        next_seed: options.seed.into(),
        stops: 0.into(),
        differs: false.into(),
        summary: Mutex::default(),
        start: Instant::now(),
        options,
    };
    std::thread::scope(|scope| {
        (0..work.options.jobs).for_each(|_| {
            scope.spawn(|| work.work());
        });
    });
    let seeds = work.options.seed..work.next_seed.into_inner();
    match work.summary.lock() {
        Ok(summary) => report(&summary, work.start.elapsed()),
        Err(_) => return ExitCode::FAILURE,
    }
    println!("seeds {} to {}", seeds.start, seeds.end - 1);
    ExitCode::from(u8::from(work.differs.into_inner()))
}

impl Work {
    fn work(&self) {
        while self.stops.load(Ordering::Relaxed) < self.options.stops
            && !self.differs.load(Ordering::Relaxed)
        {
            let seed = self.next_seed.fetch_add(1, Ordering::Relaxed);
            self.compare(seed);
        }
    }

    fn compare(&self, seed: u64) {
        let guard = Announce(seed);
        match self.run(seed, u64::MAX) {
            Ok(summary) => self.add(&summary, seed),
            Err(difference) => {
                self.differs.store(true, Ordering::Relaxed);
                println!("seed {seed}: {}", self.narrowed(seed, difference));
            }
        }
        std::mem::forget(guard);
    }

    fn run(&self, seed: u64, until: u64) -> Result<Summary, Box<Difference>> {
        let mut numbers = numbers(seed);
        let mut dice = Dice(&mut numbers);
        let limits = Limits {
            stops: self.options.program_stops,
            until,
            ..Limits::default()
        };
        let under_test = under_test(&mut dice);
        run_differential(&mut dice, &*reference(), &*under_test, limits)
    }

    /// The same difference after as few steps as it takes, as far as bisection tells.
    fn narrowed(&self, seed: u64, mut difference: Box<Difference>) -> Box<Difference> {
        let Range { mut start, mut end } = difference.steps.clone();
        while start + 1 < end {
            let middle = start + (end - start) / 2;
            match self.run(seed, middle) {
                Ok(_) => start = middle,
                Err(earlier) => (difference, end) = (earlier, middle),
            }
        }
        difference
    }

    fn add(&self, summary: &Summary, seed: u64) {
        self.stops.fetch_add(summary.stops, Ordering::Relaxed);
        if let Ok(mut all) = self.summary.lock() {
            all.add(summary);
            if all.programs.is_multiple_of(10_000) {
                eprintln!("{} stops, seed {seed}", all.stops);
            }
        }
    }
}

/// Names the seed if a comparison panics.
struct Announce(u64);

impl Drop for Announce {
    fn drop(&mut self) {
        println!("seed {}: panicked", self.0);
    }
}

fn report(summary: &Summary, time: Duration) {
    let programs = summary.programs.max(1);
    let percent = |part: u64, of: u64| 100.0 * part as f64 / of.max(1) as f64;
    println!(
        "{} stops, {} steps, {} programs ({} steps each) in {:.1} s: {:.0} stops/s",
        summary.stops,
        summary.steps,
        summary.programs,
        summary.steps / programs,
        time.as_secs_f64(),
        summary.stops as f64 / time.as_secs_f64(),
    );
    println!(
        "of the programs {:.1} % faulted ({:.1} % before step 100), {:.1} % exited, \
         {:.1} % lost their way; {:.1} % ended before step 1000",
        percent(summary.faults, programs),
        percent(summary.early_faults, programs),
        percent(summary.exits, programs),
        percent(summary.lost, programs),
        percent(summary.short, programs),
    );
    if let Some(native) = summary.native_steps {
        println!(
            "{:.1} % of steps were native",
            percent(native, summary.steps)
        );
    }
    let missing = summary.coverage.missing();
    println!("{} rows of instructions seen", summary.coverage.seen());
    if !missing.is_empty() {
        println!("not seen: {}", missing.join(", "));
    }
}
