//! `prove`: the fault proof program and its host in one process, without pipes between them.

use crate::clock::Stopwatch;
use crate::failure::{Failure, Outcome};
use crate::host::{open, with_watch};
use crate::log::Logger;
use crate::out::print_line;
use crate::programs::by_name;
use crate::run::GuestLog;
use crate::{cli, engine, files, native, say, version};
use anyhow::anyhow;
use carronade_emulator::hash::Hash;
use carronade_emulator::machine::{Cause, Machine, VmError, Watch};
use carronade_emulator::memory::Memory;
use carronade_emulator::oracle::{OracleError, PreimageOracle};
use carronade_emulator::state::{State, state_hash};
use carronade_online::{Single, Summary};
use serde::Serialize;
use std::sync::Arc;

/// What is told in the end, also as JSON.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    /// `valid`, `invalid` or `failed`.
    verdict: &'static str,
    exit_code: u8,
    seconds: f64,
    cpu_seconds: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    vm: Option<InVm>,
    host: Summary,
}

/// What only a run in the VM has.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct InVm {
    #[serde(with = "const_hex::serde")]
    prestate: Hash,
    steps: u64,
    steps_per_second: f64,
    #[serde(with = "const_hex::serde")]
    final_state: Hash,
}

/// The host as the VM asks it.
struct InProcess(Arc<Single>);

impl PreimageOracle for InProcess {
    fn hint(&mut self, hint: &[u8]) -> Result<(), OracleError> {
        self.0.hint(hint);
        Ok(())
    }

    fn preimage(&mut self, key: [u8; 32]) -> Result<Vec<u8>, OracleError> {
        Ok(self.0.get(&key)?)
    }
}

/// Runs the command; its exit code is the program's: 0 for a valid claim, 1 for an invalid one.
///
/// # Errors
/// When the flags do not go together, or the program cannot come to an answer: exit code 2.
pub fn run(args: &cli::Prove, json: bool, logger: &Logger) -> Outcome {
    judge(args, json, logger).map_err(Failure::without_verdict)
}

fn judge(args: &cli::Prove, json: bool, logger: &Logger) -> Outcome {
    let single = open(&args.proof)?;
    let watch = Stopwatch::start();
    let (exit_code, vm) = match args.native {
        true => {
            let work = || native::run(&single);
            (with_watch(&args.proof, &single, work)?, None)
        }
        false => {
            let start = start(args)?;
            let work = || in_vm(args, start, Arc::clone(&single), logger);
            let (code, vm) = with_watch(&args.proof, &single, work)??;
            (code, Some(vm))
        }
    };
    let report = Report {
        verdict: match exit_code {
            0 => "valid",
            1 => "invalid",
            _ => "failed",
        },
        exit_code,
        seconds: watch.wall().as_secs_f64(),
        cpu_seconds: watch.cpu().as_secs_f64(),
        vm,
        host: single.summary(),
    };
    let told = match json {
        true => print_line(format_args!("{}", serde_json::to_string(&report)?)),
        false => tell(&report),
    };
    match told {
        // The verdict stands, whoever reads of it.
        Ok(()) | Err(Failure::ReaderGone) => {}
        Err(failure) => return Err(failure),
    }
    match exit_code {
        0 => Ok(()),
        code => Err(Failure::Program(code)),
    }
}

/// The state to begin in, and its hash.
fn start(args: &cli::Prove) -> Outcome<(State, Memory, Hash)> {
    let Some(file) = &args.prestate else {
        let version = version::by_name(&args.version)?;
        return Ok(by_name("fault-proof")?.prestate(version)?);
    };
    files::refuse_irregular(file)?;
    let (state, mut memory) = files::read_state(file)?;
    let hash = state_hash(&state.witness(&memory.root()));
    Ok((state, memory, hash))
}

/// Runs the program in the VM to its end.
fn in_vm(
    args: &cli::Prove,
    (state, mut memory, prestate): (State, Memory, Hash),
    single: Arc<Single>,
    logger: &Logger,
) -> Outcome<(u8, InVm)> {
    let accelerator = match args.engine {
        cli::ProveEngine::Translator => engine::accelerator(&args.translation, &mut memory, logger),
        cli::ProveEngine::Interpreter => None,
    };
    let first = state.step;
    let oracle = Box::new(InProcess(single));
    let mut machine = Machine::new(state, memory, oracle, Box::new(GuestLog(logger.clone())));
    if let Some(accelerator) = accelerator {
        machine = machine.with_accelerator(accelerator);
    }
    let watch = Stopwatch::start();
    // In one go: who watches for signals ends the process.
    machine.run(u64::MAX, Watch::Nothing).map_err(failed)?;
    let steps = machine.state().step - first;
    let seconds = watch.wall().as_secs_f64();
    let (state, mut memory) = machine.into_parts();
    let vm = InVm {
        prestate,
        steps,
        steps_per_second: steps as f64 / seconds,
        final_state: state_hash(&state.witness(&memory.root())),
    };
    Ok((state.exit_code, vm))
}

/// The machine's error as the command's.
fn failed(error: VmError) -> Failure {
    match error.cause {
        Cause::Page(_) => anyhow!(error).into(),
        _ => Failure::VmPanic(error.to_string()),
    }
}

/// Tells the report to people.
fn tell(report: &Report) -> Outcome {
    let how = match report.vm {
        Some(_) => "in the VM",
        None => "natively",
    };
    say!("{} ({how}, exit code {})", report.verdict, report.exit_code);
    let (count, bytes) = report.host.served();
    say!(
        "  {:.3} s, {:.3} s of CPU time; {count} pre-images ({bytes} bytes) in {:.3} s, of which \
         {:.3} s of waiting for nodes",
        report.seconds,
        report.cpu_seconds,
        report.host.serving_seconds,
        report.host.waiting_seconds
    );
    let Some(vm) = &report.vm else { return Ok(()) };
    say!(
        "  {} steps, {:.0} million a second",
        vm.steps,
        vm.steps_per_second / 1e6
    );
    say!("  prestate    {}", const_hex::encode_prefixed(vm.prestate));
    say!(
        "  final state {}",
        const_hex::encode_prefixed(vm.final_state)
    );
    Ok(())
}
