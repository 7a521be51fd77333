//! `carronade`, also under the name `cannon`.

use carronade::cli::{Cli, Command};
use carronade::failure::{Failure, Outcome};
use carronade::log::Logger;
use carronade::{
    demo, diff, disassemble, host, inspect, interrupt, load_elf, run, version, witness,
};
use clap::Parser;
use clap::error::ErrorKind;
use std::process::ExitCode;

fn main() -> ExitCode {
    match parse().and_then(|cli| dispatch(&cli)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if !matches!(failure, Failure::No) {
                eprintln!("{failure}");
            }
            ExitCode::from(failure.exit_code())
        }
    }
}

fn parse() -> Outcome<Cli> {
    Cli::try_parse().or_else(|error| match error.kind() {
        ErrorKind::DisplayHelp
        | ErrorKind::DisplayVersion
        | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            print!("{error}");
            std::process::exit(0)
        }
        // One line, and exit code 1: 2 means a VM panic.
        _ => Err(Failure::Error(anyhow::anyhow!(one_line(
            &error.to_string()
        )))),
    })
}

/// The first paragraph of a message, on one line, without its leading `error: `.
fn one_line(message: &str) -> String {
    let paragraph = message.split("\n\n").next().unwrap_or(message);
    let line = paragraph.split_whitespace().collect::<Vec<_>>().join(" ");
    line.trim_start_matches("error: ").to_owned()
}

fn dispatch(cli: &Cli) -> Outcome {
    interrupt::install()?;
    let logger = Logger::new(cli.json);
    match &cli.command {
        Command::LoadElf(args) => load_elf::run(args),
        Command::Run(args) => run::run(args, &logger),
        Command::Witness(args) => witness::run(args),
        Command::Verify(args) => witness::run_verify(args),
        Command::List => {
            version::list();
            Ok(())
        }
        Command::Inspect(args) => inspect::run(args, cli.json),
        Command::Diff(args) => diff::run(args),
        Command::Disassemble(args) => disassemble::run(args),
        Command::Host(args) => host::run(args),
        Command::Demo(args) => demo::run(args, &logger),
    }
}
