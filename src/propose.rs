//! `propose`: claims the chain's output roots at intervals, one game each.

use crate::failure::{Failure, Outcome};
use crate::log::Logger;
use crate::{cli, interrupt, settlement};
use alloy_primitives::{B256, U64};
use anyhow::Result;
use carronade_challenger::{Chain, Factory, Metrics, Notice, Rpc, Sender, Submission};
use serde::Deserialize;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The longest sleep before it is looked whether a signal came.
const TICK: Duration = Duration::from_millis(100);

/// Runs the command.
///
/// # Errors
/// When it cannot begin, and with `--once`, when nothing can be proposed; otherwise failures are
/// told, and it is tried on.
pub fn run(args: &cli::Propose, logger: &Logger) -> Outcome {
    let chain = settlement::chain(&args.settlement)?;
    let head = chain.latest()?;
    let notice = settlement::notice("propose", logger);
    let metrics = Arc::new(Metrics::default());
    let proposer = Proposer {
        factory: settlement::factory(&chain, &head, args.factory.game_factory_address)?,
        sender: settlement::sender(&args.account, &chain, &metrics, &notice)?,
        rollup: Rpc::new("rollup node", &args.rollup_rpc)?,
        chain,
        notice,
        args,
    };
    let poll = Duration::from_secs_f64(args.account.http_poll_interval);
    if args.once {
        proposer.propose()?;
        return proposer.finish(poll);
    }
    proposer.go_on(poll)
}

struct Proposer<'a> {
    chain: Chain,
    factory: Factory,
    sender: Sender,
    rollup: Rpc,
    notice: Notice,
    args: &'a cli::Propose,
}

/// `optimism_syncStatus`, as far as it matters here.
#[derive(Debug, Deserialize)]
struct SyncStatus {
    safe_l2: BlockNumber,
    finalized_l2: BlockNumber,
}

#[derive(Debug, Deserialize)]
struct BlockNumber {
    number: u64,
}

/// `optimism_outputAtBlock`, as far as it matters here.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Output {
    output_root: B256,
}

impl Proposer<'_> {
    /// Claims the output root of the newest block that may be claimed, if it has not been.
    fn propose(&self) -> Result<()> {
        let status: SyncStatus = self.rollup.ask("optimism_syncStatus", ())?;
        let block = match self.args.allow_non_finalized {
            true => status.safe_l2.number,
            false => status.finalized_l2.number,
        };
        let output: Output = self
            .rollup
            .ask("optimism_outputAtBlock", (U64::from(block),))?;
        let (kind, root) = (self.args.game_type, output.output_root);
        let head = self.chain.latest()?;
        if let Some(game) = self.factory.find(&head, kind, root, block)? {
            (self.notice)(&format!("block {block} has been claimed by game {game}"));
            return Ok(());
        }
        let request = self.factory.create(&head, kind, root, block)?;
        if self.sender.submit(request)? == Submission::Pending {
            (self.notice)(&format!("the claim of block {block} is under way"));
        }
        Ok(())
    }

    fn go_on(&self, poll: Duration) -> Outcome {
        let interval = Duration::from_secs(self.args.proposal_interval);
        let mut due = Instant::now();
        let mut told = None;
        while !interrupt::requested() {
            let mut result = self.tend();
            if Instant::now() >= due {
                result = result.and_then(|()| self.propose());
                // After a failure it is tried again at the next look, not an interval later.
                if result.is_ok() {
                    due = Instant::now() + interval;
                }
            }
            let failed = result.err().map(|error| format!("{error:#}; trying on"));
            if let Some(words) = failed.as_ref().filter(|_| failed != told) {
                (self.notice)(words);
            }
            told = failed;
            pause(poll);
        }
        Err(Failure::Interrupted)
    }

    fn tend(&self) -> Result<()> {
        let head = self.chain.latest()?;
        Ok(self.sender.tend(&head)?)
    }

    /// Waits until what was sent is buried.
    fn finish(&self, poll: Duration) -> Outcome {
        while self.sender.pending() > 0 {
            if interrupt::requested() {
                return Err(Failure::Interrupted);
            }
            self.tend()?;
            pause(poll);
        }
        Ok(())
    }
}

/// Sleeps, unless a signal comes.
fn pause(time: Duration) {
    let until = Instant::now() + time;
    while !interrupt::requested() && Instant::now() < until {
        std::thread::sleep(TICK.min(time));
    }
}
