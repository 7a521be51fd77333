//! `trace prune`: removes traces that nobody needs any more, as those of games that are over.

use super::{open_existing, store_place};
use crate::failure::Outcome;
use crate::{cli, say};
use anyhow::Context;
use carronade_checkpoint::StoredTrace;
use serde_json::json;
use std::time::Duration;

/// Seconds of a day.
const DAY: u64 = 86_400;

/// Removes them, and prints each.
///
/// # Errors
/// When the store cannot be read or written.
pub fn prune(args: &cli::TracePrune, as_json: bool) -> Outcome {
    let store = open_existing(&store_place(args.store.as_deref())?)?;
    let limit = Duration::from_secs(u64::from(args.older_than) * DAY);
    let mut traces = match args.dry_run {
        true => store.traces().context("cannot read the store")?,
        false => store.prune(limit).context("cannot prune the store")?,
    };
    traces.retain(|trace| trace.unwritten_for() >= limit);
    traces.sort_by_key(|trace| trace.modified);
    for trace in &traces {
        print(trace, as_json)?;
    }
    Ok(())
}

fn print(trace: &StoredTrace, as_json: bool) -> Outcome {
    let days = trace.unwritten_for().as_secs() / DAY;
    if as_json {
        let (prestate, inputs) = (trace.id.prestate, trace.id.inputs);
        let prestate = const_hex::encode_prefixed(prestate);
        let inputs = const_hex::encode_prefixed(inputs);
        say!(
            "{}",
            json!({"prestate": prestate, "inputs": inputs, "bytes": trace.bytes, "days": days})
        );
    } else {
        say!("{} {} bytes, {days} days", trace.id, trace.bytes);
    }
    Ok(())
}
