//! `run`: the VM from a state on, with proofs, snapshots and stops on the way
//! (`cannon/cmd/run.go`).

mod driver;
mod guest;
mod preimage_stop;
mod profile;
mod progress;
mod served;
mod snapshots;

use crate::backtrace::{self, CallTracker};
use crate::clock::Stopwatch;
use crate::crosscheck::{Crosscheck, Ended};
use crate::failure::{Failure, Outcome};
use crate::log::{Level, Logger};
use crate::matcher::Matcher;
use crate::oracle::{SharedOracle, is_interruption};
use crate::proof::{Proof, warn_of_missing};
use crate::statistics::Figures;
use crate::{cli, engine, files, interrupt, trace};
use anyhow::{Context, Result, anyhow, bail};
use carronade_emulator::accelerator::Accelerator;
use carronade_emulator::cpu::Width;
use carronade_emulator::image::Metadata;
use carronade_emulator::isa::disassemble::disassemble;
use carronade_emulator::machine::{Cause, Machine, Stop, VmError, Watch};
use carronade_emulator::memory::Memory;
use carronade_emulator::state::State;
use carronade_emulator::witness::StepWitness;
use driver::{Cause as DriverCause, Driver};
pub use guest::GuestLog;
use preimage_stop::PreimageStop;
use profile::Profile;
use progress::Progress;
use served::Served;
use snapshots::Snapshots;
use std::path::Path;

/// Steps between looks at signals and the progress bar: some 50 ms.
const SLICE: u64 = 10_000_000;

/// Runs the command.
///
/// # Errors
/// When anything fails; see [`Failure`].
pub fn run(args: &cli::Run, logger: &Logger) -> Outcome {
    check_flags(args)?;
    let stop = PreimageStop::from_flags(args)?;
    // Before the state is loaded: starting a process takes longer the more memory we have.
    let host = SharedOracle::start(&args.host)?;
    let metadata = files::read_metadata(&args.meta)?;
    if metadata.is_none() {
        logger.vm(
            "no metadata file specified, defaulting to empty metadata",
            &[],
        );
    }
    let (state, memory) = files::read_state(&args.input)?;
    let progress = Progress::new(&state, &args.stop_at);
    let logger = progress.logger(logger);
    logger.vm(
        "Loaded input state",
        &[("version", state.version.name().into())],
    );
    host.set_replay_hint(&state.replay_hint);
    let metadata = metadata.unwrap_or_default();
    let about = (metadata.clone(), logger.clone());
    let driver = driver(args, &stop, (state, memory), &host, about)?;
    let mut session = Session {
        first_step: driver.machine().state().step,
        driver,
        args,
        stop,
        metadata,
        logger: logger.clone(),
        progress,
        started: Stopwatch::start(),
        calls: args.debug.then(CallTracker::default),
        profile: args.pprof_cpu.then(Profile::default),
        snapshots: Snapshots::new(),
    };
    let result = session.run();
    session.progress.finish();
    let result = result.and(session.snapshots.finish());
    let result = result.and(session.tell_statistics());
    // If the run has reached its end, it has done what it was asked for, and a signal that
    // comes now only shortens the host's time.
    host.finish(result.is_ok(), &logger);
    result
}

/// What the flags ask for to execute steps.
fn driver(
    args: &cli::Run,
    stop: &PreimageStop,
    (state, mut memory): (State, Memory),
    host: &SharedOracle,
    (metadata, logger): (Metadata, Logger),
) -> Outcome<Driver> {
    let oracle = Box::new(host.clone());
    let output = Box::new(GuestLog(logger.clone()));
    let store = store(args, stop, &logger);
    if args.engine == cli::Engine::Crosscheck {
        let options = engine::options(&args.translation);
        let maker = move |memory: &mut Memory| -> Result<Box<dyn Accelerator>> {
            Ok(Box::new(engine::translator(options.clone(), memory)?))
        };
        let (start, about) = ((state, memory), (metadata, logger));
        let (machine, crosscheck) =
            Crosscheck::begin(start, oracle, output, Box::new(maker), about)?;
        return Ok(Driver::Checked(machine, Box::new(crosscheck)));
    }
    if let Some(place) = store {
        let inputs = trace::inputs(args.store.inputs.as_deref(), &args.host);
        let engine = trace::maker(args.engine, &args.translation, &logger);
        let world = (oracle as _, output as _);
        let options = carronade_trace::Options {
            faithful: true,
            bytes: args.store.store_limit,
            ..Default::default()
        };
        let mut trace = trace::open_at(
            ((state, memory), &args.input),
            &place,
            inputs,
            world,
            engine,
            options,
        )?;
        trace::warn_of_writing(&mut trace, &logger);
        let served = Served::find(&place, &trace, &logger);
        return Ok(Driver::Traced(Box::new(trace), served));
    }
    let accelerator = match args.engine {
        cli::Engine::Translator => engine::accelerator(&args.translation, &mut memory, &logger),
        _ => None,
    };
    let machine = Machine::new(state, memory, oracle, output);
    Ok(Driver::Plain(match accelerator {
        Some(accelerator) => machine.with_accelerator(accelerator),
        None => machine,
    }))
}

/// The checkpoint store, if there is one and every step need not be looked at.
fn store(args: &cli::Run, stop: &PreimageStop, logger: &Logger) -> Option<String> {
    let place = trace::store_place(args.store.store.as_deref()).ok()?;
    let checked = args.engine == cli::Engine::Crosscheck;
    let watched = stop.watch() != Watch::Nothing;
    if args.debug || args.pprof_cpu || checked || watched {
        let fields = [("module", "vm".into()), ("store", place.as_str().into())];
        let message = "The checkpoint store is not used: the flags ask to see every step";
        logger.log(Level::Warn, message, &fields);
        return None;
    }
    Some(place)
}

/// Finds what would fail later, when hours of work are lost with it.
fn check_flags(args: &cli::Run) -> Result<()> {
    if !args.output.as_os_str().is_empty() {
        files::packing(&args.output).context("invalid --output")?;
        files::check_place(&args.output)?;
    }
    if !args.snapshot_fmt.is_empty() {
        files::packing(Path::new(&args.snapshot_fmt)).context("invalid --snapshot-fmt")?;
    }
    check_format("--snapshot-fmt", &args.snapshot_fmt, &args.snapshot_at)?;
    if args.proof_fmt != "-" {
        check_format("--proof-fmt", &args.proof_fmt, &args.proof_at)?;
    }
    files::check_place(&args.debug_info)?;
    files::check_place(&args.stats_file)?;
    if args.stats_file.as_os_str() == "-" {
        bail!("invalid --stats-file \"-\": stdout is for proofs; use --stats=json for stderr");
    }
    if args.debug && args.meta.as_os_str().is_empty() {
        bail!("cannot enable debug mode without a metadata file");
    }
    Ok(())
}

/// Whether files of such names can be written at such steps, and do not overwrite each other.
fn check_format(flag: &str, format: &str, steps: &Matcher) -> Result<()> {
    let numbered = format.contains("%d");
    match steps {
        Matcher::Never => Ok(()),
        Matcher::Always | Matcher::Every(_) | Matcher::Any(_)
            if !numbered && !format.is_empty() =>
        {
            bail!(
                "invalid {flag} {format:?}: without %d for the step, each file would overwrite the last"
            )
        }
        Matcher::At(step) => files::check_place(&files::name_of_step(format, *step)),
        // A folder that is named by the step may be there for the steps that matter.
        _ if format
            .rsplit_once('/')
            .is_some_and(|(folder, _)| folder.contains("%d")) =>
        {
            Ok(())
        }
        _ => files::check_place(&files::name_of_step(format, 0)),
    }
}

/// A run under way.
struct Session<'a> {
    driver: Driver,
    args: &'a cli::Run,
    stop: PreimageStop,
    metadata: Metadata,
    logger: Logger,
    progress: Progress,
    /// Time since the run began, and the step it began at.
    started: Stopwatch,
    first_step: u64,
    calls: Option<CallTracker>,
    profile: Option<Profile>,
    snapshots: Snapshots,
}

impl Session<'_> {
    fn run(&mut self) -> Outcome {
        self.started = Stopwatch::start();
        self.sample();
        while !self.driver.machine().state().exited {
            if interrupt::requested() {
                return Err(Failure::Interrupted);
            }
            if self.before_step()? || self.advance()? {
                break;
            }
        }
        let finished = self.driver.finish();
        finished.map_err(|cause| self.failed(cause))?;
        let state = self.driver.machine().state();
        let fields = [
            ("exited", state.exited.into()),
            ("code", u64::from(state.exit_code).into()),
        ];
        self.logger.vm("Execution stopped", &fields);
        self.warn_of_missing_proof();
        self.finish()?;
        match &self.calls {
            Some(calls) => calls.print(self.driver.machine().state(), &self.metadata),
            None => Ok(()),
        }
    }

    /// What happens before a step: says whether the run stops here.
    fn before_step(&mut self) -> Outcome<bool> {
        let step = self.driver.machine().state().step;
        if self.args.info_at.matches(step) {
            self.log_progress();
        }
        if self.args.stop_at.matches(step) {
            self.logger.vm("Reached stop at", &[]);
            return Ok(true);
        }
        if self.args.snapshot_at.matches(step) {
            self.publish()?;
            self.load()?;
            let path = files::name_of_step(&self.args.snapshot_fmt, step);
            let machine = self.driver.machine();
            self.snapshots
                .write(path, machine.state(), machine.memory())?;
        }
        Ok(false)
    }

    /// Executes one step with its proof, or as many as nothing happens before: says
    /// whether the run stops after it.
    fn advance(&mut self) -> Outcome<bool> {
        let step = self.driver.machine().state().step;
        if step == u64::MAX {
            // The reference would begin again at 0; no honest run comes near.
            return Err(anyhow!("the step counter is at its end").into());
        }
        if self.args.proof_at.matches(step) {
            self.observe();
            let witness = self.prove()?;
            let path = files::name_of_step(&self.args.proof_fmt, step);
            files::write_json(&path, &Proof::from(witness))?;
            return Ok(self.preimage_read(step));
        }
        self.observe();
        let end = self.run_machine(step)?;
        self.progress.set(self.driver.machine().state().step);
        self.sample();
        Ok(end == Stop::PreimageRead && self.preimage_read(self.driver.machine().state().step - 1))
    }

    fn prove(&mut self) -> Outcome<StepWitness> {
        self.keep()?;
        let proven = self.driver.prove();
        proven.map_err(|cause| self.failed(cause))
    }

    fn publish(&mut self) -> Outcome {
        let published = self.driver.publish();
        published.map_err(|cause| self.failed(cause))
    }

    fn load(&mut self) -> Outcome {
        let loaded = self.driver.load();
        loaded.map_err(|cause| self.failed(cause))
    }

    fn keep(&mut self) -> Outcome {
        let kept = self.driver.keep();
        kept.map_err(|cause| self.failed(cause))
    }

    /// Runs to the step before which something is to be written, or some way towards it.
    fn run_machine(&mut self, step: u64) -> Outcome<Stop> {
        let Self { args, .. } = self;
        let writes = [&args.stop_at, &args.snapshot_at, &args.proof_at];
        let next = writes.map(|matcher| matcher.next_after(step));
        let target = next.into_iter().fold(u64::MAX, u64::min);
        let slice = match (&self.calls, &self.profile) {
            (Some(_), _) => 1,
            (None, Some(profile)) => profile.interval(),
            (None, None) => SLICE,
        };
        let pause = args
            .info_at
            .next_after(step)
            .min(step.saturating_add(slice));
        let ran = self.driver.run(target, pause, self.stop.watch());
        ran.map_err(|cause| self.failed(cause))
    }

    /// A proof that was asked for may lie beyond the guest's end; op-challenger expects
    /// that and reads the final state, others will wonder.
    fn warn_of_missing_proof(&self) {
        let state = self.driver.machine().state();
        if !state.exited {
            return;
        }
        let steps = self.args.proof_at.single_steps().into_iter();
        for step in steps.filter(|step| *step >= state.step) {
            warn_of_missing(step, state.step, &self.logger);
        }
    }

    fn sample(&mut self) {
        if let Some(profile) = &mut self.profile {
            profile.sample(self.driver.machine());
        }
    }

    fn observe(&mut self) {
        if let Some(calls) = &mut self.calls {
            calls.observe(self.driver.machine(), &self.metadata);
        }
    }

    /// Whether the pre-image that a step read, if it did, ends the run.
    fn preimage_read(&self, step: u64) -> bool {
        let reader = self.driver.machine().preimages();
        let Some(read) = reader
            .last_read()
            .filter(|_| self.stop.watch() != Watch::Nothing)
        else {
            return false;
        };
        match self.stop.decide(read, reader.value().len(), step) {
            Some(fields) => {
                self.logger.vm("Stopping at preimage read", &fields);
                true
            }
            None => false,
        }
    }

    fn log_progress(&self) {
        let (state, memory) = (
            self.driver.machine().state(),
            self.driver.machine().memory(),
        );
        let pc = state.thread().map_or(0, |thread| thread.pc);
        let steps = (state.step - self.first_step) as f64;
        let rate = steps / self.started.wall().as_secs_f64();
        let pages = memory.page_count() as u64;
        let word = memory.load(pc, Width::Word);
        let fields = [
            ("step", state.step.into()),
            // The reference shows the low 32 bits of the pc (`mipsevm.HexU32`).
            ("pc", format!("{:08x}", pc as u32).into()),
            ("insn", format!("{word:08x}").into()),
            ("ips", rate.into()),
            ("pages", pages.into()),
            ("mem", bytes(pages * 4096).into()),
            ("name", self.metadata.lookup(pc).into()),
        ];
        self.logger.vm("processing", &fields);
    }

    fn finish(&mut self) -> Outcome {
        if !self.args.output.as_os_str().is_empty() {
            self.load()?;
        }
        files::write_state(
            &self.args.output,
            self.driver.machine().state(),
            self.driver.machine().memory(),
        )?;
        files::write_json(&self.args.debug_info, &self.driver.debug_info())?;
        if let Some(profile) = &self.profile {
            profile.write(Path::new("cpu.pprof"), &self.metadata)?;
        }
        Ok(())
    }

    fn failed(&self, cause: DriverCause) -> Failure {
        match cause {
            DriverCause::Ended(ended) => self.ended(ended),
            DriverCause::Failed(failure) => failure,
        }
    }

    fn ended(&self, ended: Ended) -> Failure {
        match ended {
            // Neither the guest's fault nor the host's.
            Ended::Vm(error) if matches!(error.cause, Cause::Page(_)) => anyhow!(error).into(),
            Ended::Vm(error) => self.panic(error),
            Ended::Differ(found) => Failure::EnginesDiffer(format!(
                "crosscheck: interpreter and translator differ after step {} and by step {}: {}",
                found.from, found.to, found.lines[0]
            )),
        }
    }

    /// Tells what the engine did, as far as the flags ask for it.
    fn tell_statistics(&self) -> Outcome {
        if self.args.stats.is_none() && self.args.stats_file.as_os_str().is_empty() {
            return Ok(());
        }
        let machine = self.driver.measured();
        let steps = (
            self.driver.executed(self.first_step),
            self.driver.executed_by_machine(self.first_step),
        );
        let translator = engine::translator_of(machine);
        let figures = Figures::new(self.args.engine, steps, &self.started, translator);
        if let Some(form) = self.args.stats {
            figures.tell(form, &self.logger);
        }
        files::write_json(&self.args.stats_file, &figures.json())
    }

    /// The machine's error as the command's: what, where, and how the guest got there.
    fn panic(&self, error: VmError) -> Failure {
        if is_interruption(&error.cause) {
            return Failure::Interrupted;
        }
        let word = self.driver.machine().memory().load(error.pc, Width::Word) as u32;
        let cause = &error.cause;
        let mut words = format!(
            "VM panic at step {} (pc 0x{:x} in {}, instruction 0x{word:08x} {}): {cause}",
            error.step,
            error.pc,
            self.metadata.lookup(error.pc),
            disassemble(word, error.pc),
        );
        // How the guest came to ask says nothing about why the host could not answer.
        if matches!(error.cause, Cause::Fault(_)) && !self.metadata.symbols.is_empty() {
            words += &backtrace::guess(self.driver.machine(), &self.metadata);
        }
        Failure::VmPanic(words)
    }
}

/// A number of bytes as the reference shows it (`Memory.Usage`).
fn bytes(count: u64) -> String {
    let (mut value, mut unit) = (count as f64, 0);
    while value >= 1024.0 && unit < 6 {
        value /= 1024.0;
        unit += 1;
    }
    match unit {
        0 => format!("{count} B"),
        unit => format!("{value:.1} {}iB", ["K", "M", "G", "T", "P", "E"][unit - 1]),
    }
}
