//! The engines: what they are made of, and from which flags.

use crate::cache::cache_folder;
use crate::cli;
use crate::log::{Level, Logger};
use anyhow::{Result, bail};
use carronade_emulator::accelerator::Accelerator;
use carronade_emulator::machine::Machine;
use carronade_emulator::memory::Memory;
use carronade_translator::{Options, Translator};
use std::any::Any;

/// The translator's options that the flags stand for.
#[must_use]
pub fn options(args: &cli::Translation) -> Options {
    Options {
        cache: cache_folder(args.cache_dir.as_deref(), args.no_cache),
        perf_map: args.perf_map,
        ..Options::default()
    }
}

/// A translator for a machine with such a memory.
///
/// # Errors
/// When native code cannot be made here, or could not reach the memory.
pub fn translator(options: Options, memory: &mut Memory) -> Result<Translator> {
    let translator = Translator::new(options)?;
    if memory.flat().is_none() {
        bail!("the system has no room for a flat reservation of addresses");
    }
    Ok(translator)
}

/// The translator, or nothing and a warning where there can be none.
pub fn accelerator(
    args: &cli::Translation,
    memory: &mut Memory,
    logger: &Logger,
) -> Option<Box<dyn Accelerator>> {
    with_options(options(args), memory, logger)
}

/// [`accelerator`], from options.
pub fn with_options(
    options: Options,
    memory: &mut Memory,
    logger: &Logger,
) -> Option<Box<dyn Accelerator>> {
    match translator(options, memory) {
        Ok(translator) => {
            if let Some(error) = translator.cache_error() {
                let fields = [("module", "vm".into()), ("err", error.to_string().into())];
                logger.log(Level::Warn, "Native code is not kept on disk", &fields);
            }
            Some(Box::new(translator))
        }
        Err(error) => {
            let fields = [("module", "vm".into()), ("err", error.to_string().into())];
            let message = "No native code, the interpreter executes all steps";
            logger.log(Level::Warn, message, &fields);
            None
        }
    }
}

/// The translator of a machine, if it has one.
#[must_use]
pub fn translator_of(machine: &Machine) -> Option<&Translator> {
    let accelerator: &dyn Any = machine.accelerator()?;
    accelerator.downcast_ref()
}
