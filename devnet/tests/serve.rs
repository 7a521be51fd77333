//! The nodes answer with what the store holds, in the forms that alloy reads, and fail on request.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::LazyLock;

use alloy_eips::eip2718::Encodable2718 as _;
use alloy_primitives::{B256, Bytes, U256, hex, keccak256};
use alloy_rpc_types_eth::{Block, EIP1186AccountProofResponse, TransactionReceipt};
use alloy_trie::proof::verify_proof;
use alloy_trie::{Nibbles, TrieAccount};
use carronade_devnet::{Devnet, Faults, L1_CHAIN_ID, L2_CHAIN_ID, Node, Served, Spec};
use carronade_program::key::PreimageKey;
use kona_protocol::Predeploys;
use serde_json::{Value, json};

mod support;
use support::{call, http};

static DEVNET: LazyLock<Arc<Devnet>> =
    LazyLock::new(|| Arc::new(Devnet::generate(&Spec::standard()).expect("a devnet")));

fn serve(faults: Faults) -> Served {
    DEVNET.serve(faults).expect("ports on loopback")
}

fn get(url: &str, path: &str) -> (u16, Value) {
    let (status, body) = http(url, &format!("GET {path}"), "").expect("an answer");
    (status, serde_json::from_str(&body).expect("JSON"))
}

fn bytes(value: &Value) -> Vec<u8> {
    hex::decode(value.as_str().expect("a string")).expect("hex")
}

#[test]
fn l1_serves_headers_blocks_and_receipts() {
    let served = serve(Faults::default());
    let url = served.l1();
    let id = call(&url, "eth_chainId", json!([])).expect("an id");
    assert_eq!(id, format!("{L1_CHAIN_ID:#x}"));
    for block in &DEVNET.l1 {
        let hash = block.header.hash();
        let raw = call(&url, "debug_getRawHeader", json!([hash])).expect("a header");
        assert_eq!(keccak256(bytes(&raw)), hash);

        let read: Block = serde_json::from_value(
            call(&url, "eth_getBlockByHash", json!([hash, true])).expect("a block"),
        )
        .expect("alloy reads it");
        assert_eq!(read.header.hash_slow(), hash);
        let transactions: Vec<_> = read
            .transactions
            .txns()
            .map(|tx| tx.inner.inner())
            .collect();
        assert_eq!(transactions, block.transactions.iter().collect::<Vec<_>>());

        let number = format!("{:#x}", block.header.number);
        let same = call(&url, "eth_getBlockByNumber", json!([number, false])).expect("a block");
        assert_eq!(same["hash"], hash.to_string());

        let raw = call(&url, "debug_getRawReceipts", json!([hash])).expect("receipts");
        let raw: Vec<Bytes> = serde_json::from_value(raw).expect("hex");
        assert_eq!(raw, block.raw_receipts());
        let receipts = call(&url, "eth_getBlockReceipts", json!([hash])).expect("receipts");
        let receipts: Vec<TransactionReceipt> =
            serde_json::from_value(receipts).expect("alloy reads them");
        let encoded: Vec<Bytes> = receipts
            .into_iter()
            .map(|receipt| {
                let receipt = receipt.inner.map_logs(|log| log.inner);
                receipt.encoded_2718().into()
            })
            .collect();
        assert_eq!(encoded, raw);
    }
    let unknown = call(
        &url,
        "eth_getBlockByHash",
        json!([B256::repeat_byte(1), true]),
    );
    assert_eq!(unknown, Ok(Value::Null));
    let unknown = call(&url, "debug_getRawHeader", json!([B256::repeat_byte(1)]));
    assert_eq!(unknown, Err("block not found".to_owned()));
    let unknown = call(&url, "eth_call", json!([])).expect_err("no EVM there");
    assert!(unknown.contains("eth_call does not exist"), "{unknown}");
    assert_eq!(
        served.counts()["debug_getRawHeader"],
        DEVNET.l1.len() as u64 + 1
    );
}

#[test]
fn the_beacon_node_serves_blobs() {
    let served = serve(Faults::default());
    let url = served.beacon();
    let (_, genesis) = get(&url, "/eth/v1/beacon/genesis");
    let (_, spec) = get(&url, "/eth/v1/config/spec");
    let number = |value: &Value| value.as_str().and_then(|text| text.parse::<u64>().ok());
    let genesis = number(&genesis["data"]["genesis_time"]).expect("a time");
    let seconds = number(&spec["data"]["SECONDS_PER_SLOT"]).expect("a time");
    let mut seen = 0;
    for block in DEVNET.l1.iter().filter(|block| !block.blobs.is_empty()) {
        let slot = (block.header.timestamp - genesis) / seconds;
        let (_, all) = get(&url, &format!("/eth/v1/beacon/blobs/{slot}"));
        let all = all["data"].as_array().expect("a list").clone();
        assert_eq!(all.len(), block.blobs.len());
        let (_, sidecars) = get(&url, &format!("/eth/v1/beacon/blob_sidecars/{slot}"));
        for (index, blob) in block.blobs.iter().enumerate() {
            assert_eq!(bytes(&all[index]), blob.data.as_slice());
            let hash = blob.versioned_hash();
            let path = format!("/eth/v1/beacon/blobs/{slot}?versioned_hashes={hash}");
            let (status, one) = get(&url, &path);
            assert_eq!((status, &one["data"]), (200, &json!([all[index]])));
            let sidecar = &sidecars["data"][index];
            assert_eq!(sidecar["index"], index.to_string());
            assert_eq!(bytes(&sidecar["kzg_commitment"]), blob.commitment);
            assert_eq!(sidecar["blob"], all[index]);
            seen += 1;
        }
    }
    assert!(seen > 3, "{seen} blobs");
    assert_eq!(get(&url, "/eth/v1/beacon/blobs/9999").0, 404);
    assert_eq!(
        served.counts()["blob_sidecars"],
        served.counts()["blobs"] - 1 - seen
    );
}

#[test]
fn l2_serves_blocks_nodes_and_codes() {
    let served = serve(Faults::default());
    let url = served.l2();
    let id = call(&url, "eth_chainId", json!([])).expect("an id");
    assert_eq!(id, format!("{L2_CHAIN_ID:#x}"));
    for block in &DEVNET.l2 {
        let hash = block.header.hash();
        let raw = call(&url, "debug_getRawHeader", json!([hash])).expect("a header");
        assert_eq!(keccak256(bytes(&raw)), hash);
        let json = call(&url, "eth_getBlockByHash", json!([hash, true])).expect("a block");
        let read: Block<op_alloy_rpc_types::Transaction> =
            serde_json::from_value(json.clone()).expect("alloy reads it");
        assert_eq!(read.header.hash_slow(), hash);
        let raw: Vec<Bytes> = read
            .transactions
            .txns()
            .map(|tx| tx.inner.inner.encoded_2718().into())
            .collect();
        assert_eq!(raw, block.raw_transactions());
        if !raw.is_empty() {
            let deposit = &json["transactions"][0];
            assert_eq!(deposit["type"], "0x7e");
            assert!(
                deposit["sourceHash"].is_string() && deposit["mint"].is_string(),
                "{deposit}"
            );
        }
        let node = call(&url, "debug_dbGet", json!([block.header.state_root])).expect("a node");
        assert_eq!(keccak256(bytes(&node)), block.header.state_root);
    }
    let call_code = |key: String| call(&url, "debug_dbGet", json!([key]));
    let code = call(
        &url,
        "eth_getCode",
        json!([Predeploys::L1_BLOCK_INFO, "latest"]),
    );
    let code = bytes(&code.expect("a code"));
    let hash = hex::encode(keccak256(&code));
    assert_eq!(
        bytes(&call_code(format!("0x63{hash}")).expect("a code")),
        code
    );
    assert_eq!(
        bytes(&call_code(format!("0x{hash}")).expect("a code")),
        code
    );
    assert!(call_code(format!("0x{}", "11".repeat(32))).is_err());
}

#[test]
fn l2_proves_accounts_and_slots() {
    let served = serve(Faults::default());
    let block = &DEVNET.l2[17];
    let id = format!("{:#x}", block.header.number);
    // The number of the L1 origin is in the first slot of L1Block, packed with the time.
    let params = json!([
        Predeploys::L1_BLOCK_INFO,
        [B256::ZERO, B256::repeat_byte(9)],
        id
    ]);
    let proof = call(&served.l2(), "eth_getProof", params).expect("a proof");
    let proof: EIP1186AccountProofResponse = serde_json::from_value(proof).expect("alloy reads it");
    let account = TrieAccount {
        nonce: proof.nonce,
        balance: proof.balance,
        storage_root: proof.storage_hash,
        code_hash: proof.code_hash,
    };
    let key = Nibbles::unpack(keccak256(proof.address));
    let value = Some(alloy_rlp::encode(account));
    verify_proof(block.header.state_root, key, value, &proof.account_proof).expect("it proves");
    for (slot, place) in proof
        .storage_proof
        .iter()
        .zip([B256::ZERO, B256::repeat_byte(9)])
    {
        let key = Nibbles::unpack(keccak256(place));
        let value = (!slot.value.is_zero()).then(|| alloy_rlp::encode(slot.value));
        verify_proof(proof.storage_hash, key, value, &slot.proof).expect("it proves");
    }
    let packed = proof.storage_proof[0].value;
    assert_eq!(packed & U256::from(u64::MAX), U256::from(block.origin));

    let params = json!([Predeploys::L2_TO_L1_MESSAGE_PASSER, [], id]);
    let proof = call(&served.l2(), "eth_getProof", params).expect("a proof");
    assert_eq!(
        proof["storageHash"],
        block.output.bridge_storage_root.to_string()
    );
}

#[test]
fn l2_gives_the_witness_of_a_payload() {
    let served = serve(Faults::default());
    let (parent, block) = (&DEVNET.l2[9], &DEVNET.l2[10]);
    let images = DEVNET.preimages();
    let params = json!([parent.header.hash(), block.attributes]);
    let witness = call(&served.l2(), "debug_executePayload", params).expect("a witness");
    for field in ["state", "codes", "headers"] {
        let data = witness[field].as_array().expect("a list");
        assert!(!data.is_empty());
        for image in data {
            let image = bytes(image);
            let key = PreimageKey::keccak256(keccak256(&image).0);
            assert_eq!(images.get(&key), Some(&image));
        }
    }
    let root = witness["state"].as_array().expect("a list").iter();
    let root = root.filter(|node| keccak256(bytes(node)) == parent.header.state_root);
    assert_eq!(root.count(), 1);
    let again = call(&served.l2(), "debug_executionWitness", json!(["0xa"]));
    assert_eq!(again, Ok(witness));
}

#[test]
fn faults_come_as_ordered() {
    let hash = DEVNET.l1[1].header.hash();
    let header = |served: &Served| call(&served.l1(), "debug_getRawHeader", json!([hash]));
    let right = header(&serve(Faults::default()));

    let lying = serve(Faults {
        lies: 100,
        liar: Some(Node::L1),
        ..Faults::default()
    });
    let lie = header(&lying).expect("an answer");
    assert_ne!(Ok(lie.clone()), right);
    assert_eq!(
        lie.as_str().map(str::len),
        right.as_ref().ok().and_then(Value::as_str).map(str::len)
    );
    let honest = call(
        &lying.l2(),
        "debug_getRawHeader",
        json!([DEVNET.l2[1].header.hash()]),
    );
    assert_eq!(
        keccak256(bytes(&honest.expect("a header"))),
        DEVNET.l2[1].header.hash()
    );

    // A fifth: some of a hundred fail, most do not; the same ones every time.
    let sometimes = Faults {
        seed: 4,
        drops: 10,
        errors: 10,
        ..Faults::default()
    };
    let results =
        |served: Served| -> Vec<bool> { (0..100).map(|_| header(&served).is_ok()).collect() };
    let first = results(serve(sometimes.clone()));
    let good = first.iter().filter(|good| **good).count();
    assert!((65..95).contains(&good), "{good}");
    assert_eq!(results(serve(sometimes)), first);

    let missing = ["debug_getRawReceipts".to_owned(), hash.to_string()];
    let served = serve(Faults {
        missing: BTreeSet::from(missing),
        ..Faults::default()
    });
    assert!(
        header(&served)
            .expect_err("it is missing")
            .contains("not found")
    );
    let other = DEVNET.l1[2].header.hash();
    let error = call(&served.l1(), "debug_getRawReceipts", json!([other]));
    assert!(
        error
            .expect_err("no such method")
            .contains("does not exist")
    );
}

#[test]
fn a_node_goes_away_and_comes_back() {
    let served = serve(Faults::default());
    let hash = DEVNET.l1[5].header.hash();
    let header = || call(&served.l1(), "debug_getRawHeader", json!([hash]));
    assert!(header().is_ok());
    served.set_offline(true);
    assert!(header().is_err());
    served.set_offline(false);
    assert!(header().is_ok());
    served.set_reorg(4);
    assert_eq!(header(), Err("block not found".to_owned()));
    let head = call(&served.l1(), "eth_blockNumber", json!([]));
    assert_eq!(head, Ok(json!("0x4")));
    served.set_reorg(u64::MAX);
    assert!(header().is_ok());
    let address = served.l1();
    drop(served);
    assert!(http(&address, "POST /", "{}").is_err());
}

#[test]
fn batches_of_requests_are_answered_in_order() {
    let served = serve(Faults::default());
    let requests: Vec<_> = (0..3)
        .map(|id| json!({ "jsonrpc": "2.0", "id": id, "method": "eth_chainId", "params": [] }))
        .collect();
    let (_, body) = http(&served.l2(), "POST /", &json!(requests).to_string()).expect("answers");
    let answers: Vec<Value> = serde_json::from_str(&body).expect("JSON");
    let ids: Vec<_> = answers.iter().map(|answer| answer["id"].as_u64()).collect();
    assert_eq!(ids, [Some(0), Some(1), Some(2)]);
}
