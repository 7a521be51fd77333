//! The devnet's safe heads, which its rollup node tells, are what derivation yields.

use carronade_chains::native;
use carronade_devnet::{Devnet, Spec};

/// Random chains: all kinds of batches, forks that activate on the way, outages after which
/// derivation makes blocks without batches.
const SEEDS: u64 = 12;

#[test]
fn safe_heads_are_what_the_program_derives() {
    let mut forced = 0;
    for seed in 0..SEEDS {
        let spec = Spec::random(seed);
        let devnet = Devnet::generate(&spec).unwrap();
        forced += u64::from(spec.outage.is_some());
        let images = devnet.preimages();
        for l1 in &devnet.l1 {
            let mut claim = devnet.claim(0, devnet.l2_head());
            claim.l1_head = l1.header.hash();
            let mut images = images.clone();
            images.extend(devnet.locals(&claim));
            let (_, words) = native(&images);
            let mut safe = devnet.l2.iter().rev();
            let safe = safe.find(|block| block.safe_from <= l1.header.number);
            let safe = safe.expect("the genesis block is safe");
            let (root, number) = (safe.output.hash(), safe.header.number);
            let found = format!("output root {root} of block {number}");
            let at = l1.header.number;
            assert!(
                words.ends_with(&found),
                "{words}, not {found}, at {at} of {spec:?}"
            );
        }
    }
    assert!(forced > 0, "no chain has an outage");
}
