//! The commands and their flags. `load-elf`, `run`, `witness` and `list` are Cannon's
//! (`cannon/cmd`, `cannon/multicannon`); the others are additions.

mod dispute;
mod host;
mod prove;

use crate::matcher::{Matcher, go_number};
use clap::builder::{OsStringValueParser, TypedValueParser};
use clap::{ArgAction, Args, Parser, Subcommand};
use std::ffi::OsString;
use std::path::PathBuf;

pub use dispute::{
    Account, Challenger, CreateGame, DemoDispute, FactoryAddress, Game, GameProgram, Liar,
    ListGames, Propose, Rollup, Sending, Settlement, ShowGame,
};
pub use host::{Convert, DataFormat, Host, HostCommand, Proof, Single};
pub use prove::{Devnet, Prove, ProveEngine};

/// Takes empty paths too, which stand for "none".
fn any_path() -> impl TypedValueParser<Value = PathBuf> {
    OsStringValueParser::new().map(PathBuf::from)
}

/// Truth as Go's flags take it (`strconv.ParseBool`).
fn go_bool(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err("neither true nor false".into()),
    }
}

/// A signed number as Go's flags take it.
fn go_int(text: &str) -> Result<i64, String> {
    let (sign, digits) = match text.strip_prefix(['-', '+']) {
        Some(digits) if text.starts_with('-') => (-1, digits),
        Some(digits) => (1, digits),
        None => (1, text),
    };
    let number = go_number(digits).and_then(|number| i64::try_from(number).ok());
    number
        .map(|number| sign * number)
        .ok_or("not a number of 63 bits and a sign".into())
}

/// A fault proof VM that is Cannon's to the bit.
#[derive(Debug, Parser)]
#[command(version, about, args_override_self = true)]
#[expect(missing_docs, reason = "the help texts are the documentation")]
pub struct Cli {
    /// Log lines of `run` and the output of `inspect`, `bench`, `prove`, `prestate` and `trace` as JSON
    #[arg(long, global = true)]
    pub json: bool,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
#[expect(missing_docs, reason = "the help texts are the documentation")]
pub enum Command {
    /// Load an ELF file into a state
    LoadElf(LoadElf),
    /// Run VM steps and write proofs and snapshots
    Run(Box<Run>),
    /// Convert a state into its witness
    Witness(Witness),
    /// List the state versions that this binary runs
    List,
    /// Verify a step proof without memory or host
    Verify(Verify),
    /// Show what is in a state
    Inspect(Inspect),
    /// List how two states differ
    Diff(Diff),
    /// Show a state's instructions
    Disassemble(Disassemble),
    /// Serve pre-images to a VM on file descriptors 3 to 6: out of a store, or from nodes
    Host(Box<Host>),
    /// Translate a state's program to native code, for later runs
    Compile(Compile),
    /// Judge a claim about an L2 chain: the fault proof program and its host in one process
    Prove(Box<Prove>),
    /// Make a deterministic OP Stack chain for tests, as a store of pre-images and as nodes
    Devnet(Devnet),
    /// Play all dispute games of a factory: counter wrong claims, defend right ones
    Challenger(Box<Challenger>),
    /// Claim the chain's output roots at intervals, one dispute game each
    Propose(Box<Propose>),
    /// Claim an output root: create one dispute game
    CreateGame(CreateGame),
    /// Look at dispute games
    #[command(subcommand)]
    Game(Game),
    /// Build the start state of an embedded program, or check one by its hash
    Prestate(Prestate),
    /// Measure the engines on embedded programs
    Bench(Bench),
    /// Run an embedded program, prove a step in its middle and verify the proof
    Demo(Demo),
    /// Ask a trace for state hashes, proofs and states at any steps
    #[command(subcommand)]
    Trace(Trace),
    /// Keep a trace's machine warm and answer questions about it over a socket
    Serve(Serve),
    /// Find the first step at which two traces differ
    Bisect(Box<Bisect>),
}

#[derive(Debug, Args)]
#[expect(missing_docs, reason = "the help texts are the documentation")]
pub struct LoadElf {
    /// State version to create: multithreaded64-4 or multithreaded64-5
    #[arg(long = "type", value_name = "NAME")]
    pub version: String,
    /// 64-bit big-endian MIPS ELF file
    #[arg(long)]
    pub path: PathBuf,
    /// State to write, .bin or .bin.gz; nothing if empty
    #[arg(long, default_value = "state.bin.gz", value_parser = any_path())]
    pub out: PathBuf,
    /// Symbols to write, for `run --meta`; nothing if empty, stdout if -
    #[arg(long, default_value = "meta.json", value_parser = any_path())]
    pub meta: PathBuf,
}

/// What the patterns of `run` look like.
const PATTERN: &str = "'never', 'always', '=123' at exactly step 123, '%123' at step 0 and every 123 steps; \
     several with commas between them";

#[derive(Debug, Args)]
#[expect(missing_docs, reason = "the help texts are the documentation")]
pub struct Run {
    /// State to start from, .bin or .bin.gz
    #[arg(long)]
    pub input: PathBuf,
    /// State to write at the end, .bin or .bin.gz; nothing if empty
    #[arg(long, default_value = "out.bin.gz", value_parser = any_path())]
    pub output: PathBuf,
    #[arg(long, default_value = "never", help = format!("Steps to prove: {PATTERN}"))]
    pub proof_at: Matcher,
    /// Name of proofs, %d is the step; stdout if -, compressed if it ends in .gz
    #[arg(long, default_value = "proof-%d.json")]
    pub proof_fmt: String,
    #[arg(long, default_value = "never", help = format!("Steps to write a snapshot before: {PATTERN}"))]
    pub snapshot_at: Matcher,
    /// Name of snapshots, .bin or .bin.gz, %d is the step
    #[arg(long, default_value = "state-%d.bin.gz")]
    pub snapshot_fmt: String,
    #[arg(long, default_value = "never", help = format!("Step to stop before: {PATTERN}"))]
    pub stop_at: Matcher,
    /// Stop after the first read of a pre-image: <hex key prefix>[@<offset>[@<first step>]];
    /// overrides the type
    #[arg(long)]
    pub stop_at_preimage: Option<String>,
    /// Stop after the first read from the start of such a pre-image: local, keccak, sha256, blob, precompile, any
    #[arg(long, default_value = "")]
    pub stop_at_preimage_type: String,
    /// Stop after the first read of a pre-image above this size, in bytes with the 8-byte length
    #[arg(long, default_value_t = 0, value_parser = go_int, allow_negative_numbers = true)]
    pub stop_at_preimage_larger_than: i64,
    /// Symbols of the program; none if empty
    #[arg(long, default_value = "meta.json", value_parser = any_path())]
    pub meta: PathBuf,
    #[arg(long, default_value = "%1000000000", help = format!("Steps to log progress at: {PATTERN}"))]
    pub info_at: Matcher,
    /// Write a profile of the guest's steps to cpu.pprof
    #[arg(long = "pprof.cpu", num_args = 0..=1, require_equals = true, default_missing_value = "true",
          default_value = "false", value_parser = go_bool, action = ArgAction::Set)]
    pub pprof_cpu: bool,
    /// Trace the guest's calls and print them at the end; needs --meta
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true",
          default_value = "false", value_parser = go_bool, action = ArgAction::Set)]
    pub debug: bool,
    /// File to write the run's counters to
    #[arg(long, default_value = "", hide_default_value = true, value_parser = any_path())]
    pub debug_info: PathBuf,
    /// What executes the steps between proofs
    #[arg(long, value_enum, default_value_t = Engine::Translator)]
    pub engine: Engine,
    #[command(flatten)]
    pub translation: Translation,
    #[command(flatten)]
    pub store: StorePlace,
    /// Tell on stderr at the end what the engine did
    #[arg(long, value_enum, value_name = "FORM", num_args = 0..=1, require_equals = true,
          default_missing_value = "text")]
    pub stats: Option<StatsForm>,
    /// File to write what the engine did to, as JSON
    #[arg(long, value_name = "FILE", default_value = "", hide_default_value = true, value_parser = any_path())]
    pub stats_file: PathBuf,
    /// Command of the pre-image host, after --
    #[arg(trailing_var_arg = true, value_name = "HOST COMMAND")]
    pub host: Vec<OsString>,
}

/// What executes steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Engine {
    /// Instruction by instruction
    Interpreter,
    /// Hot code as native code, the rest instruction by instruction
    Translator,
    /// Both, compared all the time; ends with exit code 1 where they differ
    Crosscheck,
}

impl Engine {
    /// The engine's name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Engine::Interpreter => "interpreter",
            Engine::Translator => "translator",
            Engine::Crosscheck => "crosscheck",
        }
    }
}

/// The form of `--stats`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum StatsForm {
    /// Log lines, one for each group of figures
    Text,
    /// One line of JSON
    Json,
}

/// How the translator works, for the commands that may use it.
#[derive(Debug, Args)]
pub struct Translation {
    /// Folder that keeps native code for later runs; by default $CARRONADE_CACHE,
    /// $XDG_CACHE_HOME/carronade or ~/.cache/carronade
    #[arg(long, value_name = "DIR")]
    pub cache_dir: Option<PathBuf>,
    /// Keep no native code for later runs, and use none of earlier ones
    #[arg(long, conflicts_with = "cache_dir")]
    pub no_cache: bool,
    /// Write /tmp/perf-<pid>.map, by which `perf report` names native code
    #[arg(long)]
    pub perf_map: bool,
}

#[derive(Debug, Args)]
#[expect(missing_docs, reason = "the help texts are the documentation")]
pub struct Witness {
    /// State, .bin or .bin.gz
    #[arg(long)]
    pub input: PathBuf,
    /// File to write the 188 bytes of the witness to
    #[arg(long, default_value = "", hide_default_value = true, value_parser = any_path())]
    pub output: PathBuf,
}

#[derive(Debug, Args)]
#[expect(missing_docs, reason = "the help texts are the documentation")]
pub struct Verify {
    /// Proof, .json or .json.gz; with --store the first state of a trace, .bin or .bin.gz
    #[arg(long)]
    pub input: PathBuf,
    /// State version whose rules hold for a proof
    #[arg(
        long = "type",
        value_name = "NAME",
        default_value = "multithreaded64-5"
    )]
    pub version: String,
    /// Execute the trace in this checkpoint store again, a folder or s3://BUCKET/PREFIX
    #[arg(long, value_name = "STORE")]
    pub store: Option<String>,
    /// Name of the host's data in the store; by default made of the host's command line
    #[arg(long, value_name = "NAME", requires = "store")]
    pub inputs: Option<String>,
    /// Threads; as many as there are cores by default
    #[arg(
        long,
        default_value_t = 0,
        hide_default_value = true,
        value_parser = clap::value_parser!(u16).range(0..=1024),
        requires = "store"
    )]
    pub jobs: u16,
    /// Be one of several workers that share the work through the store; a name of its own
    #[arg(long, value_name = "NAME", requires = "store")]
    pub worker: Option<String>,
    /// Name of the workers' common work: a new one executes everything again
    #[arg(long, value_name = "NAME", default_value = "verify")]
    pub round: String,
    /// After how many seconds a worker's segment goes to another
    #[arg(long, value_name = "SECONDS", default_value_t = 600,
          value_parser = clap::value_parser!(u64).range(1..))]
    pub claim_seconds: u64,
    /// What executes steps
    #[arg(long, value_enum, default_value_t = Engine::Translator)]
    pub engine: Engine,
    #[command(flatten)]
    pub translation: Translation,
    /// Command of the pre-image host that the trace was made with, after --: its name only,
    /// it is not started
    #[arg(trailing_var_arg = true, value_name = "HOST COMMAND")]
    pub host: Vec<OsString>,
}

#[derive(Debug, Args)]
#[expect(missing_docs, reason = "the help texts are the documentation")]
pub struct Inspect {
    /// State, .bin or .bin.gz
    #[arg(long)]
    pub input: PathBuf,
    /// Symbols of the program
    #[arg(long, default_value = "", hide_default_value = true, value_parser = any_path())]
    pub meta: PathBuf,
}

#[derive(Debug, Args)]
#[expect(missing_docs, reason = "the help texts are the documentation")]
pub struct Diff {
    /// One state
    pub left: PathBuf,
    /// Another
    pub right: PathBuf,
    /// Symbols of the program
    #[arg(long, default_value = "", hide_default_value = true, value_parser = any_path())]
    pub meta: PathBuf,
}

#[derive(Debug, Args)]
#[expect(missing_docs, reason = "the help texts are the documentation")]
pub struct Disassemble {
    /// State, .bin or .bin.gz
    #[arg(long)]
    pub input: PathBuf,
    /// Symbols of the program
    #[arg(long, default_value = "", hide_default_value = true, value_parser = any_path())]
    pub meta: PathBuf,
    /// Address or symbol to start at; the running thread's pc by default
    #[arg(long)]
    pub at: Option<String>,
    /// How many instructions; to the end of the symbol by default, or 32
    #[arg(long)]
    pub count: Option<u64>,
}

#[derive(Debug, Args)]
#[expect(missing_docs, reason = "the help texts are the documentation")]
pub struct Compile {
    /// State, .bin or .bin.gz
    #[arg(long)]
    pub input: PathBuf,
    /// Symbols of the program: functions that only pointers lead to are translated too
    #[arg(long, default_value = "", hide_default_value = true, value_parser = any_path())]
    pub meta: PathBuf,
    /// Folder to keep the native code in; by default the one that `run` looks in
    #[arg(long, value_name = "DIR")]
    pub cache_dir: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[expect(missing_docs, reason = "the help texts are the documentation")]
pub struct Prestate {
    /// Program: fault-proof or stateless; all by default, fault-proof with --out
    #[arg(long)]
    pub program: Option<String>,
    /// State version to create: multithreaded64-4 or multithreaded64-5
    #[arg(
        long = "type",
        value_name = "NAME",
        default_value = "multithreaded64-5"
    )]
    pub version: String,
    /// Write the state to this file, .bin or .bin.gz, or as <hash>.bin.gz into this folder, made if need be
    #[arg(long, value_name = "FILE OR DIR")]
    pub out: Option<PathBuf>,
    /// Compare this state's hash with --hash, or with the hash that the file is named by
    #[arg(long, value_name = "FILE", conflicts_with_all = ["program", "out", "version"])]
    pub check: Option<PathBuf>,
    /// Hash to compare with
    #[arg(long, requires = "check")]
    pub hash: Option<String>,
}

#[derive(Debug, Args)]
#[expect(missing_docs, reason = "the help texts are the documentation")]
pub struct Bench {
    /// Programs to run, with commas between them: bytecode, hashtable, keccakloop, mixed,
    /// verifier; all by default
    #[arg(long, value_delimiter = ',')]
    pub guests: Vec<String>,
    /// Steps of the translator; the interpreter runs a fifth
    #[arg(long, default_value_t = 500_000_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub steps: u64,
    /// The engine to measure; both by default
    #[arg(long, value_enum)]
    pub engine: Option<BenchEngine>,
    /// How often each is run
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    pub repeat: u32,
}

/// An engine to measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum BenchEngine {
    /// Instruction by instruction
    Interpreter,
    /// Hot code as native code, without code kept from earlier runs and with it
    Translator,
}

#[derive(Debug, Args)]
#[expect(missing_docs, reason = "the help texts are the documentation")]
pub struct Demo {
    #[command(subcommand)]
    pub command: Option<DemoCommand>,
    /// Length of the chain of blocks that the guest verifies
    #[arg(long, default_value_t = 64)]
    pub blocks: u64,
    /// Folder for the demo's files, kept afterwards; a temporary one by default
    #[arg(long)]
    pub dir: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
#[expect(missing_docs, reason = "the help texts are the documentation")]
pub enum DemoCommand {
    /// Catch a lie on a local EVM chain: a dispute game to the bottom, a step proven on chain,
    /// the bond paid
    Dispute(DemoDispute),
}

/// What a trace is made of, for the commands that ask one.
#[derive(Debug, Args)]
#[expect(missing_docs, reason = "the help texts are the documentation")]
pub struct Traced {
    /// The trace's first state, .bin or .bin.gz
    #[arg(long)]
    pub input: PathBuf,
    #[command(flatten)]
    pub store: StorePlace,
    /// What executes steps
    #[arg(long, value_enum, default_value_t = Engine::Translator)]
    pub engine: Engine,
    #[command(flatten)]
    pub translation: Translation,
    /// Command of the pre-image host, after --; not needed for what the store has
    #[arg(trailing_var_arg = true, value_name = "HOST COMMAND")]
    pub host: Vec<OsString>,
}

/// Where checkpoints are kept.
#[derive(Debug, Args)]
pub struct StorePlace {
    /// Checkpoint store: a folder or s3://BUCKET/PREFIX; by default $CARRONADE_STORE
    #[arg(long, value_name = "STORE")]
    pub store: Option<String>,
    /// Name of the host's data in the store; by default made of the host's command line
    #[arg(long, value_name = "NAME")]
    pub inputs: Option<String>,
    /// Bytes that a trace's checkpoints may take; above, the least useful ones go
    #[arg(long, value_name = "BYTES", default_value_t = 64 << 30, value_parser = step)]
    pub store_limit: u64,
}

#[derive(Debug, Subcommand)]
#[expect(missing_docs, reason = "the help texts are the documentation")]
pub enum Trace {
    /// Print the state hash at steps
    Hash(TraceHash),
    /// Write the proofs of steps
    Witness(TraceWitness),
    /// Write the states at steps
    Export(TraceExport),
    /// Run to the end and tell it
    End(Traced),
    /// List the checkpoints
    List(Traced),
    /// Remove the traces that nothing has been written to for long
    Prune(TracePrune),
}

#[derive(Debug, Args)]
#[expect(missing_docs, reason = "the help texts are the documentation")]
pub struct TracePrune {
    /// Checkpoint store: a folder or s3://BUCKET/PREFIX; by default $CARRONADE_STORE
    #[arg(long, value_name = "STORE")]
    pub store: Option<String>,
    /// Days without a write after which a trace goes
    #[arg(long, value_name = "DAYS", default_value_t = 28)]
    pub older_than: u32,
    /// Remove nothing, and list what would be removed
    #[arg(long)]
    pub dry_run: bool,
}

#[derive(Debug, Args)]
#[expect(missing_docs, reason = "the help texts are the documentation")]
pub struct TraceHash {
    /// Steps, with commas between them
    #[arg(long, required = true, value_delimiter = ',', value_parser = step)]
    pub at: Vec<u64>,
    #[command(flatten)]
    pub traced: Traced,
}

#[derive(Debug, Args)]
#[expect(missing_docs, reason = "the help texts are the documentation")]
pub struct TraceWitness {
    /// Steps, with commas between them
    #[arg(long, required = true, value_delimiter = ',', value_parser = step)]
    pub at: Vec<u64>,
    /// Name of proofs, %d is the step; stdout if -, compressed if it ends in .gz
    #[arg(long, default_value = "proof-%d.json")]
    pub proof_fmt: String,
    #[command(flatten)]
    pub traced: Traced,
}

#[derive(Debug, Args)]
#[expect(missing_docs, reason = "the help texts are the documentation")]
pub struct TraceExport {
    /// Steps, with commas between them
    #[arg(long, required = true, value_delimiter = ',', value_parser = step)]
    pub at: Vec<u64>,
    /// Name of states, .bin or .bin.gz, %d is the step
    #[arg(long, default_value = "state-%d.bin.gz")]
    pub snapshot_fmt: String,
    #[command(flatten)]
    pub traced: Traced,
}

#[derive(Debug, Args)]
#[expect(missing_docs, reason = "the help texts are the documentation")]
pub struct Serve {
    /// Where to listen: unix:PATH, or IP:PORT of this machine itself; by default
    /// serve.sock in the store, if that is a folder
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<String>,
    /// How many questions may wait; more are turned away
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..))]
    pub queue: u32,
    #[command(flatten)]
    pub traced: Traced,
}

/// A step as a flag takes it.
fn step(text: &str) -> Result<u64, String> {
    go_number(text).ok_or("not a number of 64 bits".into())
}

#[derive(Debug, Args)]
#[expect(missing_docs, reason = "the help texts are the documentation")]
pub struct Bisect {
    /// One side: a state to run from, or `sh:COMMAND`, which prints the state hash at the
    /// step that is in $STEP
    #[arg(long, value_name = "TRACE")]
    pub left: String,
    /// The other side
    #[arg(long, value_name = "TRACE")]
    pub right: String,
    /// Checkpoint store of the left side; by default a folder for the time of the command
    #[arg(long, value_name = "STORE")]
    pub left_store: Option<String>,
    /// Checkpoint store of the right side; by default a folder for the time of the command
    #[arg(long, value_name = "STORE")]
    pub right_store: Option<String>,
    /// Name of the host's data in the left side's store; by default made of the host's
    /// command line
    #[arg(long, value_name = "NAME", requires = "left_store")]
    pub left_inputs: Option<String>,
    /// Name of the host's data in the right side's store; by default made of the host's
    /// command line
    #[arg(long, value_name = "NAME", requires = "right_store")]
    pub right_inputs: Option<String>,
    /// What executes the left side's steps
    #[arg(long, value_enum, default_value_t = Engine::Translator)]
    pub left_engine: Engine,
    /// What executes the right side's steps
    #[arg(long, value_enum, default_value_t = Engine::Translator)]
    pub right_engine: Engine,
    /// First step to compare; the first of the left trace by default
    #[arg(long, value_parser = step)]
    pub from: Option<u64>,
    /// Last step to compare; the last of both traces by default
    #[arg(long, value_parser = step)]
    pub to: Option<u64>,
    /// Name of the proof of the differing step, as the left side executes it, %d is the
    /// step; none if empty
    #[arg(long, default_value = "proof-%d.json")]
    pub proof_fmt: String,
    /// Symbols of the program
    #[arg(long, default_value = "", hide_default_value = true, value_parser = any_path())]
    pub meta: PathBuf,
    #[command(flatten)]
    pub translation: Translation,
    /// Command of the pre-image host, after --
    #[arg(trailing_var_arg = true, value_name = "HOST COMMAND")]
    pub host: Vec<OsString>,
}
