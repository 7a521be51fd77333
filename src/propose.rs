//! `propose`: claims the chain's output roots at intervals, one game each.

use crate::failure::{Failure, Outcome};
use crate::log::Logger;
use crate::settlement::{Desk, bury};
use crate::{cli, interrupt};
use alloy_primitives::{B256, U64};
use anyhow::Result;
use carronade_challenger::{Rpc, Submission, pause};
use serde::Deserialize;
use std::time::{Duration, Instant};

/// Runs the command.
///
/// # Errors
/// When it cannot begin, and with `--once`, when nothing can be proposed; otherwise failures are
/// told, and it is tried on.
pub fn run(args: &cli::Propose, logger: &Logger) -> Outcome {
    let proposer = Proposer {
        desk: Desk::new(&args.sending, "propose", logger)?,
        rollup: Rpc::new("rollup node", &args.rollup.rollup_rpc)?,
        args,
    };
    if args.once {
        proposer.propose()?;
        return bury(&proposer.desk.sender, proposer.desk.poll);
    }
    proposer.go_on()
}

struct Proposer<'a> {
    desk: Desk,
    rollup: Rpc,
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
        let Desk {
            chain,
            factory,
            sender,
            notice,
            ..
        } = &self.desk;
        let head = chain.latest()?;
        if let Some(game) = factory.find(&head, kind, root, block)? {
            notice.info(&format!("block {block} has been claimed by game {game}"));
            return Ok(());
        }
        let request = factory.create(&head, kind, root, block)?;
        if sender.submit(request)? == Submission::Pending {
            notice.info(&format!("the claim of block {block} is under way"));
        }
        Ok(())
    }

    fn go_on(&self) -> Outcome {
        let interval = Duration::from_secs(self.args.proposal_interval);
        let stop = interrupt::flag();
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
                self.desk.notice.warn(words);
            }
            told = failed;
            pause(self.desk.poll, &stop);
        }
        Err(Failure::Interrupted)
    }

    fn tend(&self) -> Result<()> {
        let head = self.desk.chain.latest()?;
        Ok(self.desk.sender.tend(&head)?)
    }
}
