//! The fault proof program: derives an L2 chain from L1 data and judges a claim about it.
//!
//! Everything it knows comes from an [`Oracle`], and everything that can be checked is. The same
//! code runs natively and, as a guest, in the fault proof VM; there is no clock, no randomness
//! and no concurrency in it, so that every run takes the same steps.
//!
//! Derivation, driver and tries are kona's; the EVM is revm's. What reads and executes for them
//! is here.
#![no_std]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod blobs;
mod block;
mod block_on;
pub mod boot;
mod cache;
mod channel;
mod decompress;
mod error;
mod executor;
#[cfg(all(target_arch = "mips64", target_os = "none"))]
pub mod guest;
pub mod hint;
mod l1;
mod l2;
pub mod memory;
mod oracle;
mod pipeline;
mod precompiles;
mod preimages;
mod rules;
mod state;
pub mod stateless;
mod trie;
mod verdict;

use alloc::string::ToString;
use alloc::sync::Arc;

use kona_driver::{Driver, TipCursor};

pub use error::Error;
pub use oracle::{Oracle, OracleError};
pub use preimages::Preimages;
pub use verdict::{Output, Verdict};

use crate::block_on::block_on;
use crate::boot::{Boot, agreed_header};
use crate::executor::Executor;
use crate::l1::L1Chain;
use crate::l2::L2Chain;
use crate::pipeline::L2Pipeline;

/// Judges the claim that the oracle's local keys describe.
pub fn run(oracle: Arc<dyn Oracle>) -> Result<Verdict, Error> {
    let preimages = Preimages::new(oracle);
    let verdict = block_on(judge(&preimages));
    preimages.failure().map_or(verdict, Err)
}

async fn judge(preimages: &Preimages) -> Result<Verdict, Error> {
    let boot = Boot::load(preimages)?;
    let head = agreed_header(preimages, boot.agreed_output_root)?;
    let claimed = Output {
        number: boot.claimed_block_number,
        root: boot.claimed_output_root,
    };
    let agreed = Output {
        number: head.number,
        root: boot.agreed_output_root,
    };
    if let Some(verdict) = Verdict::without_derivation(claimed, agreed) {
        return Ok(verdict);
    }
    boot.rules.check_l2(boot.rules.l2_time(claimed.number))?;
    derive(preimages, &boot, head, claimed.number)
        .await
        .map(|found| Verdict::of(claimed, found))
}

/// The output of block `target`, or of the last block before it that there is data for.
async fn derive(
    preimages: &Preimages,
    boot: &Boot,
    head: alloy_consensus::Sealed<alloy_consensus::Header>,
    target: u64,
) -> Result<Output, Error> {
    let rules = &boot.rules;
    let derivation = |e: &dyn ToString| Error::Derivation(e.to_string());
    let l1 = L1Chain::new(preimages.clone(), rules.clone(), boot.l1_head)?;
    let l2 = L2Chain::new(preimages.clone(), rules.clone(), head.clone());
    let safe_head = l2.info(head.number)?;
    let tip = TipCursor::new(safe_head, head, boot.agreed_output_root);
    let pipeline = L2Pipeline::new(preimages.clone(), rules.clone(), l1, l2.clone(), safe_head);
    let pipeline = pipeline.await.map_err(|e| derivation(&e))?;
    let cursor = pipeline::cursor(&pipeline, tip);
    let executor = Executor::new(preimages.clone(), rules.clone(), l2);
    let mut driver = Driver::new(cursor, executor, pipeline);
    let (head, root) = driver
        .advance_to_target(&rules.config, Some(target))
        .await
        .map_err(|e| derivation(&e))?;
    let number = head.block_info.number;
    Ok(Output { number, root })
}
