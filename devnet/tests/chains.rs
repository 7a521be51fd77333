//! The chains are what the specifications say, and the pre-images are all there.

use std::collections::{BTreeMap, BTreeSet};

use alloy_consensus::EMPTY_ROOT_HASH;
use alloy_primitives::{B256, U256, keccak256, logs_bloom};
use alloy_trie::root::ordered_trie_root_encoded;
use carronade_devnet::{DataKind, Devnet, Fork, Outage, Preimages, Spec};
use carronade_host::{MemoryStore, Store as _};
use carronade_program::key::{KeyType, PreimageKey};
use kona_genesis::RollupConfig;
use sha2::{Digest as _, Sha256};

fn devnet(spec: &Spec) -> Devnet {
    Devnet::generate(spec).unwrap_or_else(|error| panic!("{spec:?}: {error}"))
}

fn keccak(data: &[u8]) -> PreimageKey {
    PreimageKey::keccak256(keccak256(data).0)
}

#[test]
fn every_preimage_is_that_of_its_key() {
    let devnet = devnet(&Spec::standard());
    let images = devnet.preimages();
    let mut counts = BTreeMap::new();
    for (key, value) in &images {
        *counts.entry(key.key_type() as u8).or_insert(0) += 1;
        match key.key_type() {
            KeyType::Keccak256 => assert_eq!(*key, keccak(value)),
            KeyType::Sha256 => assert_eq!(*key, PreimageKey::sha256(Sha256::digest(value).into())),
            // Named by data that is itself a pre-image; checked from that side below.
            KeyType::Blob | KeyType::Precompile => {}
            other => panic!("no pre-image of type {other:?} was expected"),
        }
    }
    assert!(
        counts[&2] > 1000 && counts[&4] > 0 && counts[&6] > 0,
        "{counts:?}"
    );
    assert_eq!(counts[&5], counts[&4] * 4096);
    for call in images.values() {
        let hash = keccak256(call).0;
        if let Some(result) = images.get(&PreimageKey::precompile(hash)) {
            // Address, gas and input; status and output.
            assert!(call.len() >= 28 && result[0] <= 1);
        }
    }
}

#[test]
fn blobs_are_those_of_the_transactions() {
    let devnet = devnet(&Spec::standard());
    let images = devnet.preimages();
    let modulus = U256::from_str_radix(
        "73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000001",
        16,
    )
    .expect("a number");
    for block in &devnet.l1 {
        let hashes: Vec<_> = block
            .transactions
            .iter()
            .filter_map(alloy_consensus::Transaction::blob_versioned_hashes)
            .flatten()
            .copied()
            .collect();
        let blobs: Vec<_> = block
            .blobs
            .iter()
            .map(|blob| blob.versioned_hash())
            .collect();
        assert_eq!(hashes, blobs);
        for blob in &block.blobs {
            // The second point in bit-reversed order is the root of order two, which is -1.
            let minus_one = (modulus - U256::from(1)).to_be_bytes::<32>();
            let place = [&blob.commitment[..], &minus_one].concat();
            let element = &images[&PreimageKey::blob(keccak256(&place).0)];
            assert_eq!(element[..], blob.data[32..64]);
            assert_eq!(images[&keccak(&place)], place);
        }
    }
}

#[test]
fn l1_headers_commit_to_their_blocks() {
    let devnet = devnet(&Spec::standard());
    for (number, block) in devnet.l1.iter().enumerate() {
        let header = &block.header;
        assert_eq!(header.number, number as u64);
        assert_eq!(header.hash_slow(), header.hash());
        let root = ordered_trie_root_encoded(&block.raw_transactions());
        assert_eq!(header.transactions_root, root);
        assert_eq!(
            header.receipts_root,
            ordered_trie_root_encoded(&block.raw_receipts())
        );
        assert_eq!(
            header.blob_gas_used,
            Some(block.blobs.len() as u64 * 131_072)
        );
        let logs = block.receipts.iter().flat_map(|receipt| receipt.logs());
        assert_eq!(header.logs_bloom, logs_bloom(logs));
        if let Some(parent) = number.checked_sub(1).map(|parent| &devnet.l1[parent]) {
            assert_eq!(header.parent_hash, parent.header.hash());
        }
    }
}

#[test]
fn l2_headers_follow_their_forks() {
    for fork in Fork::ALL {
        let devnet = devnet(&Spec {
            fork,
            ..Spec::default()
        });
        for (number, block) in devnet.l2.iter().enumerate() {
            let header = &block.header;
            assert_eq!(header.hash_slow(), header.hash());
            let root = ordered_trie_root_encoded(block.raw_transactions());
            assert_eq!(header.transactions_root, root);
            assert_eq!(header.blob_gas_used.is_some(), fork >= Fork::Ecotone);
            assert_eq!(header.requests_hash.is_some(), fork >= Fork::Isthmus);
            let extra = if fork >= Fork::Holocene { 9 } else { 0 };
            assert_eq!(header.extra_data.len(), extra);
            let withdrawals = match fork {
                Fork::Regolith => None,
                Fork::Isthmus => Some(block.output.bridge_storage_root),
                _ => Some(EMPTY_ROOT_HASH),
            };
            assert_eq!(header.withdrawals_root, withdrawals);
            assert_eq!(block.output.block_hash, header.hash());
            assert_eq!(block.transactions.len(), block.receipts.len());
            // The L1 attributes are taken in by every fork's contract.
            assert!(
                block
                    .receipts
                    .first()
                    .is_none_or(|receipt| receipt.status()),
                "{number}"
            );
        }
    }
}

/// Walks a state from its root by what the store has; returns how many accounts there are.
fn walk(images: &Preimages, root: B256) -> usize {
    use alloy_rlp::Decodable as _;
    use alloy_trie::TrieAccount;
    use alloy_trie::nodes::{RlpNode, TrieNode};

    fn visit(images: &Preimages, node: &RlpNode, leaves: &mut Vec<Vec<u8>>) {
        let rlp = match node.as_hash() {
            Some(hash) => images[&PreimageKey::keccak256(hash.0)].clone(),
            None => node.as_slice().to_vec(),
        };
        match TrieNode::decode(&mut &rlp[..]).expect("a trie node") {
            TrieNode::EmptyRoot => {}
            TrieNode::Branch(branch) => {
                branch
                    .stack
                    .iter()
                    .for_each(|child| visit(images, child, leaves));
            }
            TrieNode::Extension(extension) => visit(images, &extension.child, leaves),
            TrieNode::Leaf(leaf) => leaves.push(leaf.value),
        }
    }

    let (mut accounts, mut slots) = (Vec::new(), Vec::new());
    visit(images, &RlpNode::word_rlp(&root), &mut accounts);
    for account in &accounts {
        let account = TrieAccount::decode(&mut &account[..]).expect("an account");
        visit(
            images,
            &RlpNode::word_rlp(&account.storage_root),
            &mut slots,
        );
        if account.code_hash != alloy_primitives::KECCAK256_EMPTY {
            assert!(images.contains_key(&PreimageKey::keccak256(account.code_hash.0)));
        }
    }
    assert!(!slots.is_empty());
    accounts.len()
}

#[test]
fn every_state_is_whole() {
    let devnet = devnet(&Spec {
        seed: 3,
        transactions: 8,
        ..Spec::default()
    });
    let images = devnet.preimages();
    for block in &devnet.l2 {
        assert!(walk(&images, block.header.state_root) > 20);
    }
}

#[test]
fn an_outage_forces_blocks_of_deposits() {
    let spec = Spec {
        l1_blocks: 24,
        l2_blocks: 60,
        window: 4,
        channel_timeout: 4,
        transactions: 1,
        outage: Some(Outage {
            start: 4,
            blocks: 8,
        }),
        ..Spec::default()
    };
    let devnet = devnet(&spec);
    let times: Vec<_> = devnet
        .l2
        .iter()
        .map(|block| block.header.timestamp)
        .collect();
    assert!(times.windows(2).all(|pair| pair[1] == pair[0] + 2));
    // The last blocks before the silence have origin 4; its end is after L1 block 12, at which
    // the windows of the origins up to 8 have run out.
    let forced: Vec<_> = devnet
        .l2
        .iter()
        .filter(|block| (5..=8).contains(&block.origin))
        .collect();
    assert_eq!(forced.len(), 4 * 3);
    assert!(forced.iter().all(|block| {
        let mut transactions = block.transactions.iter();
        transactions.all(op_alloy_consensus::OpTransaction::is_deposit)
    }));
    assert!(devnet.l2.iter().any(|block| block.origin > 8));
}

#[test]
fn configuration_survives_its_json() {
    for seed in 0..20 {
        let spec = Spec {
            transactions: 0,
            data: DataKind::Calldata,
            ..Spec::random(seed)
        };
        let devnet = devnet(&spec);
        let claim = devnet.claim(0, 0);
        let locals = devnet.locals(&claim);
        let json = &locals[&PreimageKey::local(6)];
        let config: RollupConfig = serde_json::from_slice(json).expect("a rollup configuration");
        assert_eq!(config, devnet.config);
        assert_eq!(locals[&PreimageKey::local(4)], 0u64.to_be_bytes());
        assert_eq!(
            locals[&PreimageKey::local(5)],
            claim.l2_chain_id.to_be_bytes()
        );
    }
}

#[test]
fn a_store_gets_everything() {
    let devnet = devnet(&Spec::default());
    let (store, claim) = (MemoryStore::new(), devnet.claim(2, 7));
    devnet.write(&store, &claim).expect("memory");
    let head = store.get(PreimageKey::local(1).as_bytes()).expect("memory");
    assert_eq!(head, Some(claim.l1_head.to_vec()));
    let output = store.get(PreimageKey::keccak256(claim.agreed_l2_output_root.0).as_bytes());
    assert_eq!(
        output.expect("memory").map(|output| output.len()),
        Some(128)
    );
    for (key, value) in devnet.preimages() {
        assert_eq!(store.get(key.as_bytes()).expect("memory"), Some(value));
    }
}

#[test]
fn a_wrong_spec_is_refused_by_name() {
    let spread = Spec {
        spread: 3,
        channel_blocks: 2,
        ..Spec::default()
    };
    let error = Devnet::generate(&spread).expect_err("too large a spread");
    assert_eq!(
        error.to_string(),
        "devnet spec: spread must be between 1 and channel_blocks"
    );
    let window = Spec {
        window: 1,
        channel_blocks: 2,
        ..Spec::default()
    };
    let error = Devnet::generate(&window).expect_err("too small a window");
    assert!(error.to_string().contains("window"), "{error}");
}

#[test]
fn transactions_of_every_kind_are_there() {
    let devnet = devnet(&Spec {
        seed: 5,
        l2_blocks: 40,
        transactions: 8,
        ..Spec::default()
    });
    let mut types = BTreeMap::new();
    let (mut failed, mut created) = (0, 0);
    for block in &devnet.l2 {
        for (transaction, receipt) in block.transactions.iter().zip(&block.receipts) {
            *types.entry(u8::from(transaction.tx_type())).or_insert(0) += 1;
            failed += usize::from(!receipt.status());
            created += usize::from(alloy_consensus::Transaction::is_create(transaction));
        }
    }
    let types: Vec<_> = types.into_keys().collect();
    assert_eq!(types, [0, 1, 2, 4, 0x7e]);
    assert!(
        failed > 3 && created > 3,
        "{failed} failed, {created} creations"
    );
    let images = devnet.preimages();
    let precompiles: BTreeSet<u8> = images
        .values()
        .filter(|call| images.contains_key(&PreimageKey::precompile(keccak256(call).0)))
        .map(|call| call[19])
        .collect();
    assert!(precompiles.len() > 5, "{precompiles:?}");
}
