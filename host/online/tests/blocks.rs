//! Headers, transactions and receipts, from nodes that are good, bad or away.

mod common;

use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use alloy_consensus::{SignableTransaction as _, TxEip1559, TxEnvelope, TxLegacy};
use alloy_eips::eip2718::Encodable2718 as _;
use alloy_primitives::{B256, Bytes, Signature, U256, keccak256};
use alloy_trie::root::ordered_trie_root_encoded;
use carronade_host::Store as _;
use carronade_online::SourceError;
use carronade_program::key::PreimageKey;
use common::{Answer, Nodes, header, hex, hint, host, host_from};
use serde_json::{Value, json};

/// Some transactions.
fn transactions() -> Vec<TxEnvelope> {
    let signature = Signature::new(U256::from(5), U256::from(6), true);
    (0..5)
        .map(|nonce| match nonce % 2 {
            0 => {
                let legacy = TxLegacy {
                    nonce,
                    chain_id: Some(1),
                    input: vec![7; 40].into(),
                    ..TxLegacy::default()
                };
                legacy.into_signed(signature).into()
            }
            _ => {
                let typed = TxEip1559 {
                    nonce,
                    chain_id: 1,
                    input: vec![8; 40].into(),
                    ..TxEip1559::default()
                };
                typed.into_signed(signature).into()
            }
        })
        .collect()
}

fn encoded(transactions: &[TxEnvelope]) -> Vec<Bytes> {
    let encode = |transaction: &TxEnvelope| transaction.encoded_2718().into();
    transactions.iter().map(encode).collect()
}

#[test]
fn a_header_comes_from_the_node_once() {
    let (_, hash, rlp) = header(7, |_| {});
    let answer = hex(&rlp);
    let nodes = Nodes::start(move |role, method, params, _| match (role, method) {
        ("l1", "debug_getRawHeader") if params[0] == hex(hash) => answer.clone().into(),
        _ => Answer::Status(404),
    });
    let host = host(&nodes);
    host.hint("l1-block-header", hash.as_slice());
    assert_eq!(host.keccak(hash), rlp);
    host.hint("l1-block-header", hash.as_slice());
    assert_eq!(host.keccak(hash), rlp);
    assert_eq!(nodes.calls("l1 debug_getRawHeader"), 1);
    let summary = host.single.summary();
    assert_eq!(summary.hints, 2);
    let images = summary.preimages["keccak256"];
    assert_eq!((images.served, images.fetched), (2, 1));
    assert_eq!(summary.requests["L1 node debug_getRawHeader"].calls, 1);
}

#[test]
fn what_is_damaged_is_told_though_replaced_before_it_is_asked_for() {
    let (_, hash, rlp) = header(7, |_| {});
    let answer = hex(&rlp);
    let nodes = Nodes::start(move |_, method, _, _| match method {
        "debug_getRawHeader" => answer.clone().into(),
        _ => Answer::Status(404),
    });
    let host = host(&nodes);
    let key = PreimageKey::keccak256(hash.0);
    host.store.put(key.as_bytes(), b"damaged").unwrap();
    host.hint("l1-block-header", hash.as_slice());
    while host.store.get(key.as_bytes()).unwrap().as_ref() != Some(&rlp) {
        thread::sleep(Duration::from_millis(1));
    }
    assert!(host.has_told(&[&key.to_string(), "it is fetched again"]));
}

#[test]
fn a_lying_node_is_named_asked_again_and_never_believed() {
    let (_, hash, rlp) = header(7, |_| {});
    let (_, _, other) = header(8, |_| {});
    let (lie, truth) = (hex(other), hex(&rlp));
    let nodes = Nodes::start(move |_, method, _, before| match (method, before) {
        ("debug_getRawHeader", 0..3) => lie.clone().into(),
        ("debug_getRawHeader", _) => truth.clone().into(),
        _ => Answer::Error(-32601, "method not found"),
    });
    let host = host(&nodes);
    host.hint("l1-block-header", hash.as_slice());
    assert_eq!(host.keccak(hash), rlp);
    assert_eq!(nodes.calls("l1 debug_getRawHeader"), 4);
    let node = nodes.address.to_string();
    assert!(host.has_told(&["L1 node", &node, "debug_getRawHeader", &hash.to_string()]));
}

#[test]
fn a_header_is_put_together_from_its_fields_where_there_is_no_raw_one() {
    let (fields, hash, rlp) = header(9, |header| {
        header.base_fee_per_gas = Some(7);
        header.withdrawals_root = Some(B256::repeat_byte(5));
    });
    let mut block = serde_json::to_value(&fields).unwrap();
    block["hash"] = json!(hash);
    let nodes = Nodes::start(move |_, method, _, _| match method {
        "eth_getBlockByHash" => block.clone().into(),
        "eth_chainId" => Answer::Status(404),
        _ => Answer::Error(-32601, "the method does not exist/is not available"),
    });
    let host = host(&nodes);
    host.hint("l2-block-header", hash.as_slice());
    assert_eq!(host.keccak(hash), rlp);
}

#[test]
fn transactions_are_stored_as_the_trie_of_the_header() {
    let list = transactions();
    let root = ordered_trie_root_encoded(&encoded(&list));
    let (_, hash, rlp) = header(7, |header| header.transactions_root = root);
    let raw = hex(rlp);
    let full = json!({ "transactions": list });
    let nodes = Nodes::start(move |_, method, params, _| match method {
        "debug_getRawHeader" => raw.clone().into(),
        "eth_getBlockByHash" if params[1] == true => full.clone().into(),
        _ => Answer::Status(404),
    });
    let host = host(&nodes);
    host.hint("l1-block-header", hash.as_slice());
    host.keccak(hash);
    host.hint("l1-transactions", hash.as_slice());
    assert_eq!(keccak256(host.keccak(root)), root);
    assert_eq!(nodes.calls("l1 debug_getRawHeader"), 1);
    assert_eq!(nodes.calls("l1 eth_getBlockByHash"), 1);
}

#[test]
fn transactions_that_are_not_the_headers_are_taken_from_the_raw_block() {
    let list = transactions();
    let raw_list = encoded(&list);
    let root = ordered_trie_root_encoded(&raw_list);
    let (fields, hash, rlp) = header(7, |header| header.transactions_root = root);
    let block = alloy_consensus::Block {
        header: fields,
        body: alloy_consensus::BlockBody {
            transactions: list.clone(),
            ommers: Vec::<alloy_consensus::Header>::new(),
            withdrawals: None,
        },
    };
    let (raw, raw_block) = (hex(rlp), hex(alloy_rlp::encode(block)));
    let lie = json!({ "transactions": &list[1..] });
    let nodes = Nodes::start(move |_, method, _, _| match method {
        "debug_getRawHeader" => raw.clone().into(),
        "eth_getBlockByHash" => lie.clone().into(),
        "debug_getRawBlock" => raw_block.clone().into(),
        _ => Answer::Status(404),
    });
    let host = host(&nodes);
    host.hint("l1-transactions", hash.as_slice());
    assert_eq!(keccak256(host.keccak(root)), root);
    let words = [
        "L1 node",
        "eth_getBlockByHash",
        "4 transactions",
        &root.to_string(),
    ];
    assert!(host.has_told(&words), "{:?}", host.told);
}

#[test]
fn receipts_are_stored_as_the_trie_of_the_header() {
    let list: Vec<Bytes> = (0..20_u8).map(|byte| vec![byte; 100].into()).collect();
    let root = ordered_trie_root_encoded(&list);
    let (_, hash, rlp) = header(7, |header| header.receipts_root = root);
    let answers = (hex(rlp), json!(list), json!(&list[1..]));
    let nodes = Nodes::start(move |_, method, _, before| match (method, before) {
        ("debug_getRawHeader", _) => answers.0.clone().into(),
        ("debug_getRawReceipts", 0) => answers.2.clone().into(),
        ("debug_getRawReceipts", _) => answers.1.clone().into(),
        _ => Answer::Error(-32601, "method not found"),
    });
    let host = host(&nodes);
    host.hint("l1-receipts", hash.as_slice());
    assert_eq!(keccak256(host.keccak(root)), root);
    assert!(host.has_told(&["debug_getRawReceipts", "19 receipts"]));
    // A list without anything has the root of the empty trie.
    let empty = keccak256([0x80]);
    let (_, hash, rlp) = header(8, |header| header.receipts_root = empty);
    let raw = hex(rlp);
    let nodes = Nodes::start(move |_, method, _, _| match method {
        "debug_getRawHeader" => raw.clone().into(),
        "debug_getRawReceipts" => json!([]).into(),
        _ => Answer::Status(404),
    });
    let host = common::host(&nodes);
    host.hint("l1-receipts", hash.as_slice());
    assert_eq!(host.keccak(empty), [0x80]);
}

#[test]
fn an_outage_costs_time_only() {
    let (_, hash, rlp) = header(7, |_| {});
    let truth = hex(&rlp);
    let script = move |_: &str, method: &str, _: &Value, before| match (method, before) {
        // After it is back, it is not well at first.
        ("debug_getRawHeader", 0) => Answer::Status(503),
        ("debug_getRawHeader", 1) => Answer::Error(-32000, "header not found"),
        ("debug_getRawHeader", 2) => Value::Null.into(),
        ("debug_getRawHeader", _) => truth.clone().into(),
        ("eth_getBlockByHash", _) => Value::Null.into(),
        _ => Answer::Status(404),
    };
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let host = host_from(address, B256::ZERO);
    host.hint("l1-block-header", hash.as_slice());
    let single = host.single.clone();
    let key = PreimageKey::keccak256(hash.0);
    let asking = std::thread::spawn(move || single.get(key.as_bytes()));
    std::thread::sleep(Duration::from_millis(700));
    assert!(!asking.is_finished());
    let nodes = Nodes::start_at(address, script);
    assert_eq!(asking.join().unwrap().unwrap(), rlp);
    assert_eq!(nodes.calls("l1 debug_getRawHeader"), 4);
    let summary = host.single.summary();
    assert!(summary.waiting_seconds > 0.5, "{summary:?}");
    assert!(host.has_told(&[&address.to_string(), "trying on"]));
}

#[test]
fn who_waits_can_be_stopped() {
    let nodes = Nodes::start(|_, _, _, _| Answer::Status(503));
    let host = host(&nodes);
    let hash = B256::repeat_byte(9);
    host.hint("l1-block-header", hash.as_slice());
    let single = host.single.clone();
    let key = PreimageKey::keccak256(hash.0);
    let asking = std::thread::spawn(move || single.get(key.as_bytes()));
    std::thread::sleep(Duration::from_millis(200));
    host.single.stop();
    let error = asking.join().unwrap().unwrap_err();
    assert!(matches!(error, SourceError::Stopped(_)), "{error}");
}

#[test]
fn a_key_is_found_by_a_hint_that_is_not_the_last() {
    let (_, first, rlp) = header(7, |_| {});
    let (_, second, other) = header(8, |_| {});
    let answers = (hex(&rlp), hex(other));
    let nodes = Nodes::start(move |_, method, params, _| match method {
        "debug_getRawHeader" if params[0] == hex(first) => answers.0.clone().into(),
        "debug_getRawHeader" => answers.1.clone().into(),
        _ => Answer::Status(404),
    });
    let host = host(&nodes);
    host.hint("l1-block-header", first.as_slice());
    host.hint("l1-block-header", second.as_slice());
    host.hint("l2-code", &[3; 32]);
    assert_eq!(host.keccak(first), rlp);
}

#[test]
fn a_key_without_a_hint_is_an_error_that_names_it() {
    let nodes = Nodes::start(|_, _, _, _| Answer::Status(404));
    let host = host(&nodes);
    let key = PreimageKey::keccak256([9; 32]);
    let error = host.single.get(key.as_bytes()).unwrap_err().to_string();
    assert!(
        error.contains(&key.to_string()) && error.contains("no hint"),
        "{error}"
    );
    // A hint that leads elsewhere, one that means nothing, and one that is not known.
    for text in [
        hint("l1-block-header", &[1; 32]),
        "l1-blob 0x00".to_owned(),
        "new 0x00".to_owned(),
    ] {
        host.single.hint(text.as_bytes());
    }
    let error = host.single.get(key.as_bytes()).unwrap_err().to_string();
    assert!(error.contains("`new 0x00`"), "{error}");
    assert!(host.has_told(&["`new`"]) && host.has_told(&["l1-blob 0x00"]));
}

#[test]
fn local_keys_come_from_the_command_line() {
    let nodes = Nodes::start(|_, _, _, _| Answer::Status(404));
    let host = host(&nodes);
    let local = |number| host.single.get(PreimageKey::local(number).as_bytes());
    for number in 1..=3 {
        assert_eq!(local(number).unwrap(), [number as u8; 32]);
    }
    assert_eq!(local(4).unwrap(), 4_u64.to_be_bytes());
    assert_eq!(local(5).unwrap(), common::CHAIN.to_be_bytes());
    let error = local(6).unwrap_err().to_string();
    assert!(error.contains("--rollup-config-path"), "{error}");
    assert!(local(8).is_err());
}

#[test]
fn a_node_of_another_chain_is_an_error() {
    let nodes = Nodes::start(|role, method, _, _| match (role, method) {
        ("l2", "eth_chainId") => json!("0xa").into(),
        _ => Answer::Status(503),
    });
    let host = host(&nodes);
    host.hint("l2-block-header", &[1; 32]);
    let key = PreimageKey::keccak256([1; 32]);
    let error = host.single.get(key.as_bytes()).unwrap_err().to_string();
    for word in ["L2 node", "chain 10", "chain 901"] {
        assert!(error.contains(word), "{error}");
    }
}

/// A chain of headers, the last first: hashes and bytes.
fn chain(length: u64) -> Vec<(B256, Vec<u8>)> {
    let mut chain = Vec::new();
    let mut parent = B256::ZERO;
    for number in 0..length {
        let (_, hash, rlp) = header(number, |header| header.parent_hash = parent);
        chain.push((hash, rlp));
        parent = hash;
    }
    chain.reverse();
    chain
}

#[test]
fn headers_are_read_ahead_on_the_way_back_but_not_believed() {
    for honest in [true, false] {
        let chain = chain(150);
        let known = chain.clone();
        let ahead = AtomicBool::new(false);
        let (_, _, other) = header(5000, |_| {});
        let nodes = Nodes::start(move |_, method, params, _| {
            let asked = params[0].as_str().unwrap_or_default();
            if method != "debug_getRawHeader" {
                return Answer::Status(404);
            }
            if asked.len() == 66 {
                let place = known.iter().position(|(hash, _)| hex(hash) == asked);
                let place = place.unwrap();
                // By now, somebody must have begun to read ahead.
                while place == 5 && !ahead.load(Ordering::Relaxed) {
                    std::thread::yield_now();
                }
                return hex(&known[place].1).into();
            }
            ahead.store(true, Ordering::Relaxed);
            let number = usize::from_str_radix(&asked[2..], 16).unwrap();
            let rlp = &known[known.len() - 1 - number].1;
            // A node of another chain, from some block on.
            hex(if honest || number > 140 { rlp } else { &other }).into()
        });
        let host = host(&nodes);
        for (hash, rlp) in &chain {
            host.hint("l1-block-header", hash.as_slice());
            assert_eq!(host.keccak(*hash), *rlp);
        }
        // What did not continue the chain was not stored.
        let wrong = PreimageKey::keccak256(keccak256(&header(5000, |_| {}).2).0);
        let stored = carronade_host::Store::get(&*host.store, wrong.as_bytes());
        assert_eq!(stored.unwrap(), None);
    }
}
