//! `trace prune`: removes traces that nobody needs any more, as those of games that are over.

use super::{open_existing, store_place};
use crate::failure::{Failure, Outcome};
use crate::log::{Level, Logger};
use crate::{cli, interrupt, say};
use anyhow::{Context, anyhow};
use carronade_checkpoint::{Error as StoreError, StoredTrace};
use serde_json::json;
use std::time::Duration;

/// Seconds of a day.
const DAY: u64 = 86_400;

/// Removes them, and prints each; those that cannot be removed are told, and the others go.
///
/// # Errors
/// When the store cannot be read, or some could not be removed.
pub fn prune(args: &cli::TracePrune, as_json: bool, logger: &Logger) -> Outcome {
    let store = open_existing(&store_place(args.store.as_deref())?)?;
    let limit = Duration::from_secs(u64::from(args.older_than) * DAY);
    let mut failures = 0;
    let mut failed = |error: &StoreError| {
        failures += 1;
        let fields = [("err", error.to_string().into())];
        logger.log(Level::Warn, "A trace cannot be removed", &fields);
    };
    if !args.dry_run {
        store
            .finish_pruning()
            .unwrap_or_else(|error| failed(&error));
    }
    for id in store.traces().context("cannot read the store")? {
        if interrupt::requested() {
            return Err(Failure::Interrupted);
        }
        let pruned = match args.dry_run {
            true => store.unused(id, limit),
            false => store.prune(id, limit),
        };
        match pruned {
            Ok(Some(trace)) => print(&trace, as_json)?,
            Ok(None) => {}
            Err(error) => failed(&error),
        }
    }
    match failures {
        0 => Ok(()),
        1 => Err(anyhow!("a trace cannot be removed").into()),
        many => Err(anyhow!("{many} traces cannot be removed").into()),
    }
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
