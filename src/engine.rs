//! The engines: what they are made of, and from which flags.

use crate::cli;
use crate::log::{Level, Logger};
use anyhow::{Result, bail};
use carronade_emulator::accelerator::Accelerator;
use carronade_emulator::machine::Machine;
use carronade_emulator::memory::Memory;
use carronade_translator::{Options, Translator};
use std::any::Any;
use std::ffi::OsString;
use std::path::PathBuf;

/// The translator's options that the flags stand for.
#[must_use]
pub fn options(args: &cli::Translation) -> Options {
    Options {
        perf_map: args.perf_map,
        ..Options::default()
    }
}

/// The folder that keeps native code for later runs, if one does.
#[must_use]
pub fn cache_folder(args: &cli::Translation) -> Option<PathBuf> {
    folder(args, |name| std::env::var_os(name))
}

/// [`cache_folder`] in an environment. An empty variable counts as none.
fn folder(args: &cli::Translation, variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    if args.no_cache {
        return None;
    }
    let of = |name| {
        let value = variable(name).filter(|value| !value.is_empty());
        value.map(PathBuf::from)
    };
    // The XDG specification ignores relative paths.
    let base = || of("XDG_CACHE_HOME").filter(|base| base.is_absolute());
    args.cache_dir
        .clone()
        .or_else(|| of("CARRONADE_CACHE"))
        .or_else(|| Some(base()?.join("carronade")))
        .or_else(|| Some(of("HOME")?.join(".cache/carronade")))
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
    match translator(options(args), memory) {
        Ok(translator) => Some(Box::new(translator)),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn args(dir: Option<&str>, none: bool) -> cli::Translation {
        cli::Translation {
            cache_dir: dir.map(PathBuf::from),
            no_cache: none,
            perf_map: false,
        }
    }

    #[test]
    fn the_cache_folder_is_the_nearest_that_is_named() {
        let all = [
            ("CARRONADE_CACHE", "/a"),
            ("XDG_CACHE_HOME", "/b"),
            ("HOME", "/c"),
        ];
        let found = |args, all: &[(&str, &str)]| {
            folder(&args, |name| {
                let (_, value) = all.iter().find(|(key, _)| *key == name)?;
                Some((*value).into())
            })
        };
        let default = |all| found(args(None, false), all);
        assert_eq!(found(args(None, true), &all), None);
        assert_eq!(found(args(Some("d"), false), &all), Some("d".into()));
        assert_eq!(default(&all), Some("/a".into()));
        assert_eq!(default(&all[1..]), Some("/b/carronade".into()));
        assert_eq!(default(&all[2..]), Some("/c/.cache/carronade".into()));
        assert_eq!(default(&[]), None);
        let odd = [
            ("CARRONADE_CACHE", ""),
            ("XDG_CACHE_HOME", "b"),
            ("HOME", "/c"),
        ];
        assert_eq!(default(&odd), Some("/c/.cache/carronade".into()));
    }
}
