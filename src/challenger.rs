//! `challenger`: plays all dispute games of a factory.

mod metrics;

use crate::failure::{Failure, Outcome};
use crate::log::{Level, Logger};
use crate::settlement::Desk;
use crate::{cli, files, interrupt, programs, trace};
use alloy_primitives::B256;
use anyhow::{Context, Result};
use carronade_challenger::{
    Agent, AgentOptions, Chain, HostNodes, NodeTraces, OutputNodes, Program, Room, Rpc, Start,
    Table, start_of_elf,
};
use carronade_checkpoint::Store;
use carronade_emulator::state::state_hash;
use carronade_host::{Format, create_store};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// How long those who wait for nodes have after a signal.
const PATIENCE: Duration = Duration::from_secs(5);

/// Runs the command until a signal comes.
///
/// # Errors
/// When it cannot begin; later failures are told, and it goes on.
pub fn run(args: &cli::Challenger, logger: &Logger) -> Outcome {
    let desk = Desk::new(&args.sending, "challenger", logger)?;
    let traces = traces(args, &desk, logger)?;
    let Desk {
        chain,
        factory,
        sender,
        metrics,
        notice,
        poll,
    } = desk;
    let server = match args.metrics_address {
        Some(address) => {
            let (server, bound) = metrics::serve(address, Arc::clone(&metrics))?;
            let fields = [("address", bound.to_string().into())];
            logger.log(Level::Info, "Serving metrics", &fields);
            Some(server)
        }
        None => None,
    };
    let fields = [("account", sender.account().to_string().into())];
    logger.log(Level::Info, "Watching for games", &fields);
    end_in_time();
    let table = Table {
        chain,
        sender,
        traces: Box::new(traces),
        room: room(args),
        metrics,
        notice,
    };
    Agent::new(
        Arc::new(table),
        factory,
        options(args, poll),
        interrupt::flag(),
    )
    .run();
    drop(server);
    Err(Failure::Interrupted)
}

/// Ends the process some time after a signal, however long nodes take to answer: what was sent is
/// in the journal.
fn end_in_time() {
    std::thread::spawn(|| {
        while !interrupt::requested() {
            std::thread::sleep(Duration::from_millis(100));
        }
        std::thread::sleep(PATIENCE);
        let failure = Failure::Interrupted;
        crate::out::complain(&failure.message().unwrap_or_default());
        std::process::exit(failure.exit_code().into());
    });
}

fn room(args: &cli::Challenger) -> Room {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    // Some may wait for nodes.
    let usual = cores.max(4);
    Room::new(args.max_concurrency.map_or(usual, |number| number as usize))
}

fn options(args: &cli::Challenger, poll_interval: Duration) -> AgentOptions {
    AgentOptions {
        game_types: args.game_types.clone(),
        game_window: args.game_window,
        poll_interval,
    }
}

fn traces(args: &cli::Challenger, desk: &Desk, logger: &Logger) -> Result<NodeTraces> {
    let chain = &desk.chain;
    let (start, prestate) = start(args.prestate.as_deref())?;
    let rollup_config = args.rollup_config.as_deref().map(files::read_bytes);
    let rollup_config = rollup_config.transpose()?;
    let l2 = Rpc::new("L2 node", &args.l2_eth_rpc)?;
    let l2_chain_id = Chain::new(l2.clone()).id()?;
    let folder = &args.sending.account.datadir;
    Ok(NodeTraces {
        outputs: OutputNodes {
            rollup: Rpc::new("rollup node", &args.rollup.rollup_rpc)?,
            l1: chain.rpc().clone(),
            l2,
            must_be_past_head: true,
        },
        program: Program {
            start,
            prestate,
            engine: trace::maker(cli::Engine::Translator, &args.translation, logger),
            options: carronade_trace::Options::default(),
            checkpoints: Store::open(&place(folder)?, &Default::default())?,
            preimages: create_store(&folder.join("preimages"), Format::Database)
                .context("cannot open pre-images")?
                .into(),
            nodes: Some(HostNodes {
                l1: args.sending.settlement.l1_eth_rpc.clone(),
                beacon: args.l1_beacon.clone(),
                l2: args.l2_eth_rpc.clone(),
                l1_chain_id: Some(chain.id()?),
            }),
            rollup_config,
            l1_config: None,
            interrupted: Arc::new(interrupt::requested),
            notice: desk.notice.of_host(),
        },
        l2_chain_id,
    })
}

/// Where checkpoints are.
fn place(folder: &Path) -> Result<String> {
    let place = folder.join("checkpoints");
    let place = place.to_str().context("--datadir is not UTF-8")?;
    Ok(place.to_owned())
}

/// The program before its first step, and the hash of that state.
fn start(file: Option<&Path>) -> Result<(Start, B256)> {
    let Some(file) = file else {
        return Ok(start_of_elf(programs::by_name("fault-proof")?.elf()?)?);
    };
    let (state, mut memory) = files::read_state(file)?;
    let prestate = state_hash(&state.witness(&memory.root()));
    let file = file.to_owned();
    let start = move || Ok(files::read_state(&file)?);
    Ok((Arc::new(start), prestate.into()))
}
