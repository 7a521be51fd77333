//! Judges random claims about random chains, natively and in the VM.
//!
//!     cargo run --release -p carronade-chains -- --chains 200 --seed 1
//!
//! A difference is printed with its seed; `--seed SEED --chains 1` shows it again.

use carronade_chains::Outcome;
use clap::Parser;
use std::process::ExitCode;

/// Judges random claims about random chains, natively and in the VM; exits with 1 if that differs.
#[derive(Parser)]
struct Options {
    /// How many chains.
    #[arg(long, default_value_t = 200)]
    chains: u64,
    /// The seed of the first one.
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let (mut codes, mut steps, mut faults) = ([0; 3], 0, 0);
    for seed in options.seed..options.seed + options.chains {
        let outcome = Outcome::of(seed);
        codes[usize::from(outcome.native.0.min(2))] += 1;
        steps += outcome.vm.steps;
        if let Some(fault) = outcome.fault() {
            println!("seed {seed}: {fault}; {:?}", outcome.case);
            faults += 1;
        }
    }
    let [valid, invalid, failed] = codes;
    println!(
        "{} chains: {valid} valid, {invalid} invalid, {failed} without a verdict; {steps} steps; \
         {faults} differ",
        options.chains
    );
    ExitCode::from(u8::from(faults > 0))
}
