//! `devnet`: a deterministic OP Stack chain for tests and trials.

use crate::failure::{Failure, Outcome};
use crate::{cli, files, interrupt, say};
use anyhow::{Context, anyhow};
use carronade_devnet::{Claim, Devnet, Faults, Spec};
use carronade_host::{Format, create_store};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Runs the command.
///
/// # Errors
/// When the chain cannot be made as the flags say, or its files not be written.
pub fn run(args: &cli::Devnet) -> Outcome {
    let devnet = Devnet::generate(&spec(args)).context("cannot make such a chain")?;
    let claim = claim(args, &devnet)?;
    let Some(out) = &args.out else {
        // Served without a folder: the configuration is there as long as the nodes are.
        let folder = tempfile::tempdir().context("cannot make a folder for the configuration")?;
        let config = write_config(&devnet, folder.path())?;
        return serve(devnet, &claim, &config);
    };
    let config = write_config(&devnet, out)?;
    if args.serve {
        return serve(devnet, &claim, &config);
    }
    let images = out.join("preimages");
    let store = create_store(&images, Format::Directory).context("cannot write pre-images")?;
    devnet
        .write(&*store, &claim)
        .context("cannot write pre-images")?;
    say!("{} --data-dir {}", flags(&claim, &config), images.display());
    Ok(())
}

/// Writes the rollup configuration into a folder, made if need be.
fn write_config(devnet: &Devnet, folder: &Path) -> Outcome<PathBuf> {
    std::fs::create_dir_all(folder)
        .with_context(|| format!("cannot create {}", folder.display()))?;
    let config = folder.join("rollup.json");
    files::write_json(&config, &devnet.config)?;
    Ok(config)
}

fn spec(args: &cli::Devnet) -> Spec {
    Spec {
        seed: args.seed,
        l1_blocks: args.l1_blocks,
        l2_blocks: args.l2_blocks,
        transactions: args.transactions,
        fork: args.fork,
        batches: args.batches,
        data: args.data,
        ..Spec::standard()
    }
}

/// The right claim about the blocks that the flags name.
fn claim(args: &cli::Devnet, devnet: &Devnet) -> Outcome<Claim> {
    let head = devnet.l2_head();
    let claimed = args.claimed.unwrap_or(head);
    if claimed > head || args.agreed > head {
        let words = format!("the chain has no such L2 block: its last one is {head}");
        return Err(anyhow!(words).into());
    }
    if args.agreed > claimed {
        let agreed = args.agreed;
        let words = format!("--agreed {agreed} is after --claimed {claimed}");
        return Err(anyhow!(words).into());
    }
    Ok(devnet.claim(args.agreed, claimed))
}

/// The flags by which `prove` and `host single` judge the claim.
fn flags(claim: &Claim, config: &Path) -> String {
    format!(
        "--l1-head {} --agreed-l2-head-hash {} --agreed-l2-output-root {} \
         --claimed-l2-output-root {} --claimed-l2-block-number {} --rollup-config-path {}",
        claim.l1_head,
        claim.agreed_l2_head_hash,
        claim.agreed_l2_output_root,
        claim.claimed_l2_output_root,
        claim.claimed_l2_block_number,
        config.display()
    )
}

/// Serves the chain until a signal comes. The rollup node, which no proof asks, has its own line.
fn serve(devnet: Devnet, claim: &Claim, config: &Path) -> Outcome {
    let served = Arc::new(devnet).serve(Faults::default());
    let served = served.context("cannot serve the chain")?;
    say!(
        "{} --l1-node-address {} --l1-beacon-address {} --l2-node-address {}\n\
         --rollup-rpc {}",
        flags(claim, config),
        served.l1(),
        served.beacon(),
        served.l2(),
        served.rollup()
    );
    while !interrupt::requested() {
        std::thread::sleep(Duration::from_millis(100));
    }
    Err(Failure::Interrupted)
}
