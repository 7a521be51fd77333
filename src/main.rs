//! `carronade`, also under the name `cannon`.

use anyhow::anyhow;
use carronade::cli::{Cli, Command};
use carronade::failure::{Failure, Outcome};
use carronade::log::Logger;
use carronade::{
    audit, bench, bisect, challenger, compile, create_game, demo, devnet, diff, disassemble, game,
    host, inspect, interrupt, load_elf, out, prestate, propose, prove, run, serve, trace, version,
    witness,
};
use clap::Parser;
use clap::error::ErrorKind;
use std::process::ExitCode;

fn main() -> ExitCode {
    let result = match Cli::try_parse() {
        Ok(cli) => dispatch(&cli),
        Err(error) => answer(&error),
    };
    let Err(failure) = result else {
        return ExitCode::SUCCESS;
    };
    if let Some(message) = failure.message() {
        out::complain(&message);
    }
    ExitCode::from(failure.exit_code())
}

/// What clap has to say: help, or an error, whose exit code is 1 since 2 means a VM panic; but 2
/// where 1 is a verdict.
fn answer(error: &clap::Error) -> Outcome {
    match error.kind() {
        ErrorKind::DisplayHelp
        | ErrorKind::DisplayVersion
        | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => out::print(&error.to_string()),
        _ => {
            let failure = Failure::from(anyhow!(one_line(&error.to_string())));
            Err(match judges() {
                true => failure.without_verdict(),
                false => failure,
            })
        }
    }
}

/// Whether the command line is, as far as it can be understood, of a command that judges a claim.
fn judges() -> bool {
    let words: Vec<_> = std::env::args_os().skip(1).collect();
    let has = |name: &str| words.iter().any(|word| word == name);
    let mut names = words
        .iter()
        .filter(|word| !word.as_encoded_bytes().starts_with(b"-"));
    names.next().is_some_and(|name| name == "prove") || (has("single") && has("--native"))
}

/// The first paragraph of a message, on one line, without its leading `error: `.
fn one_line(message: &str) -> String {
    let paragraph = message.split("\n\n").next().unwrap_or(message);
    let line = paragraph.split_whitespace().collect::<Vec<_>>().join(" ");
    line.trim_start_matches("error: ").to_owned()
}

fn dispatch(cli: &Cli) -> Outcome {
    // A host waits for its client, and translating goes on to its end, which no flag would
    // wake them from; signals may just end them. `host single` looks after itself.
    if !matches!(cli.command, Command::Host(_) | Command::Compile(_)) {
        interrupt::install()?;
    }
    let logger = Logger::new(cli.json);
    match &cli.command {
        Command::LoadElf(args) => load_elf::run(args),
        Command::Run(args) => run::run(args, &logger),
        Command::Witness(args) => witness::run(args),
        Command::Verify(args) => match &args.store {
            Some(place) => audit::run(args, place, &logger),
            None => witness::verify_proof(&args.input, &args.version),
        },
        Command::List => version::list(),
        Command::Inspect(args) => inspect::run(args, cli.json),
        Command::Diff(args) => diff::run(args),
        Command::Disassemble(args) => disassemble::run(args),
        Command::Host(args) => host::run(args),
        Command::Compile(args) => compile::run(args),
        Command::Prove(args) => prove::run(args, cli.json, &logger),
        Command::Devnet(args) => devnet::run(args),
        Command::Prestate(args) => prestate::run(args, cli.json),
        Command::Challenger(args) => challenger::run(args, &logger),
        Command::Propose(args) => propose::run(args, &logger),
        Command::CreateGame(args) => create_game::run(args, &logger),
        Command::Game(command) => game::run(command),
        Command::Bench(args) => bench::run(args, cli.json),
        Command::Demo(args) => demo::run(args, &logger),
        Command::Trace(command) => trace::run(command, cli.json, &logger),
        Command::Serve(args) => serve::run(args, &logger),
        Command::Bisect(args) => bisect::run(args, &logger),
    }
}
