//! `demo`: the whole way of a proof on an embedded guest. A verifier of a chain of blocks,
//! built by the Rust compiler, is loaded and run to its end with a host process behind it;
//! then a step in the middle is proven by a second run, and the proof verified alone.

mod dispute;

use crate::failure::Outcome;
use crate::log::Logger;
use crate::proof::Proof;
use crate::{cli, files, load_elf, out, run, say, witness};
use anyhow::{Context, Result};
use carronade_emulator::state::state_hash;
use carronade_host::MemoryStore;
use carronade_program::chain::{Chain, ChainSpec};
use clap::Parser;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

static VERIFIER: &[u8] = include_bytes!("../program/elf/verifier.elf");

/// Runs the command.
///
/// # Errors
/// When a part fails; then the product is broken.
pub fn run(args: &cli::Demo, logger: &Logger) -> Outcome {
    if let Some(cli::DemoCommand::Dispute(args)) = &args.command {
        return dispute::run(args, logger);
    }
    let kept;
    let folder = match &args.dir {
        Some(folder) => {
            fs::create_dir_all(folder)
                .with_context(|| format!("cannot create {}", folder.display()))?;
            folder.as_path()
        }
        None => {
            kept = tempfile::tempdir().context("cannot create a temporary folder")?;
            kept.path()
        }
    };
    Demo { folder, logger }.run(args.blocks)
}

struct Demo<'a> {
    folder: &'a Path,
    logger: &'a Logger,
}

impl Demo<'_> {
    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn run(&self, blocks: u64) -> Outcome {
        let images = self.write_inputs(blocks)?;
        say!("1. A chain of {blocks} blocks: {images} pre-images for the host to serve.");
        self.load()?;
        let (prestate, _) = files::read_state(&self.path("prestate.bin.gz"))?;
        say!(
            "2. The guest is loaded: state version {}.",
            prestate.version.name()
        );
        let steps = self.run_to_exit()?;
        self.prove(steps / 2)
    }

    fn write_inputs(&self, blocks: u64) -> Result<usize> {
        let spec = ChainSpec {
            seed: 1,
            blocks,
            leaves_per_block: 32,
        };
        let chain = Chain::generate(spec);
        let inputs = chain.inputs(chain.claim);
        let store: MemoryStore = inputs
            .iter()
            .map(|(key, value)| (*key.as_bytes(), value.clone()))
            .collect();
        store
            .write_json(&self.path("images.json"))
            .context("cannot write the pre-images")?;
        Ok(inputs.len())
    }

    fn load(&self) -> Outcome {
        let elf = self.path("verifier.elf");
        files::write_atomically(&elf, |out| out.write_all(VERIFIER))?;
        load_elf::run(&cli::LoadElf {
            version: "multithreaded64-5".into(),
            path: elf,
            out: self.path("prestate.bin.gz"),
            meta: self.path("meta.json"),
        })
    }

    /// `run` with these flags, a host process behind it.
    fn run_with(&self, output: &str, flags: &[&str]) -> Outcome {
        let program = std::env::current_exe().context("where is this program?")?;
        let mut words: Vec<OsString> = ["carronade", "run", "--no-cache", "--info-at", "never"]
            .map(Into::into)
            .into();
        for (flag, name) in [
            ("--input", "prestate.bin.gz"),
            ("--output", output),
            ("--meta", "meta.json"),
        ] {
            words.extend([flag.into(), self.path(name).into_os_string()]);
        }
        words.extend(flags.iter().map(Into::into));
        words.extend([
            "--proof-fmt".into(),
            self.path("proof-%d.json").into_os_string(),
        ]);
        words.extend([
            "--".into(),
            program.into_os_string(),
            "host".into(),
            "--images".into(),
        ]);
        words.push(self.path("images.json").into_os_string());
        match cli::Cli::try_parse_from(words)?.command {
            cli::Command::Run(args) => run::run(&args, self.logger),
            _ => unreachable!("the words say run"),
        }
    }

    fn run_to_exit(&self) -> Outcome<u64> {
        let began = Instant::now();
        self.run_with("final.bin.gz", &[])?;
        let seconds = began.elapsed().as_secs_f64();
        let (state, mut memory) = files::read_state(&self.path("final.bin.gz"))?;
        let hash = state_hash(&state.witness(&memory.root()));
        let rate = state.step as f64 / seconds / 1e6;
        say!(
            "3. Run to its end: {} steps in {seconds:.2} s with loading and saving, {rate:.0} million \
             a second; exit code {}.\n   State hash {}",
            state.step,
            state.exit_code,
            const_hex::encode_prefixed(hash)
        );
        Ok(state.step)
    }

    fn prove(&self, step: u64) -> Outcome {
        let (at, next) = (format!("={step}"), format!("={}", step + 1));
        self.run_with("after.bin.gz", &["--proof-at", &at, "--stop-at", &next])?;
        let path = self.path(&format!("proof-{step}.json"));
        let size = fs::metadata(&path).context("where is the proof?")?.len();
        let _: Proof = files::read_json(&path)?;
        say!("4. Step {step} proven: {size} bytes of JSON. Verified without memory or host:");
        out::print("   ")?;
        witness::verify_proof(&path, "multithreaded64-5")
    }
}
