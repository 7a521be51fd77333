//! The L2 state, blobs and precompiles.

mod common;

use alloy_primitives::{Address, B256, Bytes, U256, address, keccak256};
use alloy_trie::proof::ProofRetainer;
use alloy_trie::{EMPTY_ROOT_HASH, HashBuilder, KECCAK_EMPTY, Nibbles, TrieAccount};
use c_kzg::{Blob, ethereum_kzg_settings};
use carronade_program::key::PreimageKey;
use common::{Answer, Nodes, header, hex, host, host_from};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// The contract whose storage root is part of output roots.
const MESSAGE_PASSER: Address = address!("4200000000000000000000000000000000000016");

/// A trie of these leaves: its root, and the nodes on the way to one of them.
fn trie(leaves: &[(B256, Vec<u8>)], to: B256) -> (B256, Vec<Bytes>) {
    let mut leaves = leaves.to_vec();
    leaves.sort();
    let retainer = ProofRetainer::new(vec![Nibbles::unpack(to)]);
    let mut builder = HashBuilder::default().with_proof_retainer(retainer);
    for (key, value) in &leaves {
        builder.add_leaf(Nibbles::unpack(key), value);
    }
    let root = builder.root();
    let nodes = builder.take_proof_nodes().into_nodes_sorted();
    (root, nodes.into_iter().map(|(_, node)| node).collect())
}

/// A state in which the message passer has a slot, and its proof as nodes give it.
struct World {
    state_root: B256,
    storage_root: B256,
    slot: B256,
    proof: Value,
    /// The nodes of both tries.
    nodes: Vec<Bytes>,
}

fn world() -> World {
    let slot = B256::repeat_byte(7);
    let slots: Vec<_> = (0..20_u8)
        .map(|byte| keccak256(B256::repeat_byte(byte)))
        .map(|key| (key, alloy_rlp::encode(U256::from(77))))
        .collect();
    let (storage_root, slot_nodes) = trie(&slots, keccak256(slot));
    let account = |storage_root| TrieAccount {
        nonce: 1,
        balance: U256::from(5),
        storage_root,
        code_hash: KECCAK_EMPTY,
    };
    let key = keccak256(MESSAGE_PASSER);
    let mut accounts = vec![(key, alloy_rlp::encode(account(storage_root)))];
    accounts.extend((0..40_u8).map(|byte| {
        let address = keccak256(Address::repeat_byte(byte));
        (address, alloy_rlp::encode(account(EMPTY_ROOT_HASH)))
    }));
    let (state_root, account_nodes) = trie(&accounts, key);
    let proof = json!({
        "address": MESSAGE_PASSER, "balance": "0x5", "nonce": "0x1",
        "codeHash": KECCAK_EMPTY, "storageHash": storage_root, "accountProof": account_nodes,
        "storageProof": [{ "key": slot, "value": "0x4d", "proof": slot_nodes }],
    });
    World {
        state_root,
        storage_root,
        slot,
        proof,
        nodes: [account_nodes, slot_nodes].concat(),
    }
}

#[test]
fn proofs_are_held_against_the_state_root() {
    let world = world();
    let (_, _, rlp) = header(5, |header| header.state_root = world.state_root);
    let mut lie = world.proof.clone();
    lie["storageProof"][0]["value"] = json!("0x4e");
    let (truth, raw) = (world.proof.clone(), hex(rlp));
    let nodes = Nodes::start(move |_, method, params, before| match (method, before) {
        ("debug_getRawHeader", _) if params[0] == "0x5" => raw.clone().into(),
        ("eth_getProof", 0) => lie.clone().into(),
        ("eth_getProof", _) => truth.clone().into(),
        _ => Answer::Status(404),
    });
    let host = host(&nodes);
    let payload = [
        &5_u64.to_be_bytes()[..],
        MESSAGE_PASSER.as_slice(),
        world.slot.as_slice(),
    ];
    host.hint("l2-account-storage-proof", &payload.concat());
    for node in &world.nodes {
        assert_eq!(host.keccak(keccak256(node)), node.to_vec());
    }
    assert_eq!(nodes.calls("l2 eth_getProof"), 2);
    assert!(host.has_told(&["L2 node", "eth_getProof", "the slot's proof"]));
}

#[test]
fn the_agreed_output_is_put_together_and_checked() {
    let world = world();
    let (_, hash, rlp) = header(5, |header| header.state_root = world.state_root);
    let parts = [B256::ZERO, world.state_root, world.storage_root, hash];
    let (proposal, raw, proof) = (parts.concat(), hex(rlp), world.proof.clone());
    let nodes = Nodes::start(move |_, method, params, _| match method {
        "debug_getRawHeader" => raw.clone().into(),
        "eth_getProof" if params[2]["blockHash"] == hex(hash) => proof.clone().into(),
        _ => Answer::Status(404),
    });
    let host = host_from(nodes.address, hash);
    let root = keccak256(&proposal);
    host.hint("starting-l2-output", root.as_slice());
    assert_eq!(host.keccak(root), proposal);
    // Another root is no lie of the node: what the host was told does not fit together.
    host.hint("starting-l2-output", &[3; 32]);
    let key = PreimageKey::keccak256([3; 32]);
    let error = host.single.get(key.as_bytes()).unwrap_err().to_string();
    assert!(
        error.contains(&root.to_string()) && error.contains("0x0303"),
        "{error}"
    );
}

#[test]
fn since_isthmus_the_header_is_enough_for_the_output() {
    let storage_root = B256::repeat_byte(4);
    let (fields, hash, rlp) = header(5, |header| {
        header.base_fee_per_gas = Some(1);
        header.withdrawals_root = Some(storage_root);
    });
    let raw = hex(rlp);
    let nodes = Nodes::start(move |_, method, _, _| match method {
        "debug_getRawHeader" => raw.clone().into(),
        _ => Answer::Status(404),
    });
    let host = host_from(nodes.address, hash);
    let proposal = [B256::ZERO, fields.state_root, storage_root, hash].concat();
    let root = keccak256(&proposal);
    host.hint("starting-l2-output", root.as_slice());
    assert_eq!(host.keccak(root), proposal);
    assert_eq!(nodes.calls("l2 eth_getProof"), 0);
}

#[test]
fn a_payload_brings_all_that_it_reads() {
    let state = [b"a node of the state".repeat(3), b"another one".repeat(4)];
    let witness = json!({
        "state": [hex(&state[0]), hex(&state[1])], "codes": [hex(b"code")], "keys": [hex(b"key")],
    });
    let nodes = Nodes::start(move |_, method, params, _| match method {
        "debug_executePayload" if params[1]["gasLimit"] == "0x1" => witness.clone().into(),
        _ => Answer::Status(404),
    });
    let host = host(&nodes);
    let payload = [&[9; 32][..], b"{\"gasLimit\":\"0x1\"}"].concat();
    host.hint("l2-payload-witness", &payload);
    // Hints for single nodes make no calls, since the witness has them.
    host.hint("l2-state-node", keccak256(&state[0]).as_slice());
    host.hint("l2-code", keccak256(b"code").as_slice());
    assert_eq!(host.keccak(keccak256(&state[0])), state[0]);
    assert_eq!(host.keccak(keccak256(&state[1])), state[1]);
    assert_eq!(host.keccak(keccak256(b"code")), b"code");
    assert_eq!(nodes.calls("l2 debug_dbGet"), 0);
    assert_eq!(nodes.calls("l2 debug_executePayload"), 1);
}

#[test]
fn a_method_that_the_node_does_not_have_is_remembered() {
    let node = b"a node of the state".repeat(3);
    let (_, parent, rlp) = header(40, |_| {});
    let (raw, witness) = (hex(rlp), json!({ "state": { "0x00": hex(&node) } }));
    let nodes = Nodes::start(move |_, method, params, _| match method {
        "debug_executePayload" => Answer::Error(-32601, "method not found"),
        "debug_getRawHeader" => raw.clone().into(),
        "debug_executionWitness" if params[0] == "0x29" => witness.clone().into(),
        _ => Answer::Status(404),
    });
    let host = host(&nodes);
    for count in 0..3_u8 {
        let payload = [parent.as_slice(), format!("{{\"n\":{count}}}").as_bytes()].concat();
        host.hint("l2-payload-witness", &payload);
        let mark = keccak256(&payload);
        // The last that is stored; it tells that the work has been done.
        let key = PreimageKey::keccak256(mark.0);
        while carronade_host::Store::get(&*host.store, key.as_bytes())
            .unwrap()
            .is_none()
        {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    }
    assert_eq!(host.keccak(keccak256(&node)), node);
    assert_eq!(nodes.calls("l2 debug_executePayload"), 1);
    assert_eq!(nodes.calls("l2 debug_executionWitness"), 3);
    let told = host.told.lock().unwrap();
    let lines = told
        .iter()
        .filter(|line| line.contains("debug_executePayload"));
    assert_eq!(lines.count(), 1, "{told:?}");
}

#[test]
fn where_there_is_no_witness_single_nodes_are_asked_for() {
    let (node, code) = (b"a node of the state".repeat(3), b"some code".to_vec());
    let (node_hash, code_hash) = (keccak256(&node), keccak256(&code));
    let answers = (hex(&node), hex(&code));
    let nodes = Nodes::start(move |_, method, params, _| match method {
        "debug_dbGet" if params[0] == hex(node_hash) => answers.0.clone().into(),
        // Only without geth's prefix.
        "debug_dbGet" if params[0] == hex(code_hash) => answers.1.clone().into(),
        "debug_dbGet" => Answer::Error(-32000, "not found"),
        "eth_chainId" => Answer::Status(404),
        _ => Answer::Error(-32601, "method not found"),
    });
    let host = host(&nodes);
    host.hint("l2-payload-witness", &[&[9; 32][..], b"{}"].concat());
    host.hint("l2-state-node", node_hash.as_slice());
    assert_eq!(host.keccak(node_hash), node);
    host.hint("l2-code", code_hash.as_slice());
    assert_eq!(host.keccak(code_hash), code);
}

#[test]
fn a_node_without_any_way_is_an_error_that_names_what_it_lacks() {
    let nodes = Nodes::start(|_, method, _, _| match method {
        "eth_chainId" => Answer::Status(404),
        _ => Answer::Error(-32601, "method not found"),
    });
    let host = host(&nodes);
    host.hint("l2-state-node", &[5; 32]);
    let key = PreimageKey::keccak256([5; 32]);
    let error = host.single.get(key.as_bytes()).unwrap_err().to_string();
    for word in [
        &key.to_string(),
        "has no method debug_dbGet",
        "l2-state-node",
    ] {
        assert!(error.contains(word), "{error}");
    }
}

#[test]
fn a_blob_is_found_in_its_slot_and_checked() {
    let mut bytes = vec![0; 131_072];
    for (index, element) in bytes.chunks_exact_mut(32).enumerate() {
        element[31] = index as u8;
    }
    let blob = Blob::from_bytes(&bytes).unwrap();
    let settings = ethereum_kzg_settings(0);
    let commitment = settings.blob_to_kzg_commitment(&blob).unwrap().to_bytes();
    let mut hash: [u8; 32] = Sha256::digest(commitment.as_slice()).into();
    hash[0] = 1;
    let (right, wrong) = (hex(&bytes), hex(vec![0; 131_072]));
    let nodes = Nodes::start(move |_, path, _, before| match path {
        "eth/v1/beacon/genesis" => json!({ "genesis_time": "1000" }).into(),
        "eth/v1/config/spec" => json!({ "SECONDS_PER_SLOT": "12" }).into(),
        "eth/v1/beacon/blobs/5" if before == 0 => json!([wrong.clone()]).into(),
        "eth/v1/beacon/blob_sidecars/5" if before > 0 => {
            json!([{ "index": "0", "blob": wrong }, { "index": "1", "blob": right }]).into()
        }
        _ => Answer::Status(404),
    });
    let host = host(&nodes);
    let payload = [&hash[..], &0_u64.to_be_bytes(), &1060_u64.to_be_bytes()].concat();
    host.hint("l1-blob", &payload);
    let key = PreimageKey::sha256(hash);
    let found = host.single.get(key.as_bytes()).unwrap();
    assert_eq!(found, commitment.as_slice());
    assert!(host.has_told(&["L1 beacon node", "gave a wrong answer to blobs", "slot 5"]));
    assert_eq!(nodes.calls("beacon eth/v1/beacon/genesis"), 1);
    // The first point is 1, at which the polynomial has the first element as its value.
    let mut place = found.clone();
    place.extend(B256::with_last_byte(1));
    let element = PreimageKey::blob(keccak256(&place).0);
    assert_eq!(host.single.get(element.as_bytes()).unwrap(), bytes[..32]);
    assert_eq!(host.keccak(keccak256(&place)), place);
    let blobs = host.single.summary().preimages["blob"];
    assert_eq!((blobs.fetched, blobs.served), (4097, 1));
}

#[test]
fn precompiles_run_here() {
    use revm::precompile::{PrecompileSpecId, Precompiles};
    let nodes = Nodes::start(|_, _, _, _| Answer::Status(404));
    let host = host(&nodes);
    let contracts = Precompiles::new(PrecompileSpecId::PRAGUE);
    for number in 1..=0x12_u8 {
        let address = Address::with_last_byte(number);
        let accelerated = matches!(number, 1 | 8 | 0x0a..=0x11);
        // Inputs that succeed, that fail, and too little gas.
        for (length, gas) in [
            (0, 1_000_000_u64),
            (128, 1_000_000),
            (192, 1_000_000),
            (256, 1_000_000),
            (128, 1),
        ] {
            let input = vec![0; length];
            let call = [address.as_slice(), &gas.to_be_bytes(), &input].concat();
            host.hint("l1-precompile-v2", &call);
            let hash = keccak256(&call);
            let key = PreimageKey::precompile(hash.0);
            let found = host.single.get(key.as_bytes());
            if !accelerated {
                assert!(found.is_err(), "{address}");
                continue;
            }
            let contract = contracts.get(&address).unwrap();
            let expected = match contract(&input, gas) {
                Ok(output) => [&[1], &output.bytes[..]].concat(),
                Err(_) => vec![0],
            };
            assert_eq!(found.unwrap(), expected, "{address} {length} {gas}");
            assert_eq!(host.keccak(hash), call);
        }
    }
    let summary = host.single.summary();
    let results = summary.preimages["precompile"];
    assert_eq!(results.served, results.fetched);
    // A recovered signer, so that a result is not only zeros.
    let digest = [0x47; 32];
    let mut input = digest.to_vec();
    input.extend(B256::with_last_byte(27));
    input.extend(B256::with_last_byte(1));
    input.extend(B256::with_last_byte(1));
    let call = [
        Address::with_last_byte(1).as_slice(),
        &3000_u64.to_be_bytes(),
        &input,
    ]
    .concat();
    let result = carronade_online::execute(&call).unwrap();
    assert_eq!(result[0], 1);
    let expected = contracts.get(&Address::with_last_byte(1)).unwrap()(&input, 3000).unwrap();
    assert_eq!(result[1..], expected.bytes[..]);
    assert!(!expected.bytes.is_empty());
}
