//! The chains hold together, and the same spec gives the same chains.

use carronade_devnet::{Devnet, Spec};

#[test]
fn same_spec_same_bytes() {
    let spec = Spec::standard();
    let (first, second) = (
        Devnet::generate(&spec).expect("a devnet"),
        Devnet::generate(&spec).expect("a devnet"),
    );
    assert_eq!(first.preimages(), second.preimages());
    let claim = first.claim(0, 30);
    assert_eq!(claim, second.claim(0, 30));
    assert_eq!(first.locals(&claim), second.locals(&claim));

    let other = Devnet::generate(&Spec { seed: 1, ..spec }).expect("a devnet");
    assert_ne!(first.claim(0, 30), other.claim(0, 30));
}

#[test]
fn standard_has_the_size_that_it_says() {
    let devnet = Devnet::generate(&Spec::standard()).expect("a devnet");
    assert_eq!((devnet.l1.len(), devnet.l2.len()), (13, 31));
    assert!(devnet.l1.iter().any(|block| !block.blobs.is_empty()));
}

#[test]
fn random_specs_generate() {
    for seed in 0..60 {
        let spec = Spec::random(seed);
        let devnet = Devnet::generate(&spec);
        let devnet = devnet.unwrap_or_else(|error| panic!("{spec:?}: {error}"));
        assert!(devnet.l2_head() >= spec.l2_blocks, "{spec:?}");
    }
}
