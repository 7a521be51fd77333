//! Output roots from nodes, which are not believed.

use alloy_primitives::{B256, Bytes, keccak256};
use carronade_challenger::{OutputError, OutputNodes, RollupNode, RpcError};
use carronade_devnet::{Devnet, Spec};
use carronade_dispute::provider::OutputSource as _;
use serde_json::{Value, json};

use crate::served::{Answer, Nodes, rollup};

/// A chain of a few blocks.
fn devnet() -> Devnet {
    let spec = Spec {
        l1_blocks: 2,
        l2_blocks: 3,
        transactions: 1,
        ..Spec::default()
    };
    Devnet::generate(&spec).expect("a devnet")
}

/// Headers of the devnet's chains, by hash.
fn header(devnet: &Devnet, role: &str, params: &Value) -> Option<alloy_consensus::Header> {
    let hash: B256 = serde_json::from_value(params[0].clone()).expect("a hash");
    let found = match role {
        "l1" => devnet
            .l1
            .iter()
            .find(|block| block.header.hash() == hash)?
            .header
            .inner(),
        _ => devnet
            .l2
            .iter()
            .find(|block| block.header.hash() == hash)?
            .header
            .inner(),
    };
    Some(found.clone())
}

/// What honest nodes answer.
fn honest(devnet: &Devnet, role: &str, method: &str, params: &Value) -> Answer {
    match (role, method) {
        ("rollup", _) => rollup(devnet, method, params),
        (_, "debug_getRawHeader") => {
            let header = header(devnet, role, params)?;
            Some(json!(Bytes::from(alloy_rlp::encode(header))))
        }
        (_, "eth_getBlockByHash") => Some(match header(devnet, role, params) {
            None => Value::Null,
            Some(header) => {
                let hash = header.hash_slow();
                let mut block = serde_json::to_value(header).expect("plain data");
                block["hash"] = json!(hash);
                block["transactions"] = json!([]);
                block
            }
        }),
        _ => None,
    }
}

/// Nodes whose honest answers are changed, and a game's outputs from them.
fn with(
    devnet: &Devnet,
    change: impl Fn(&str, &str, Answer) -> Answer + Send + Sync + 'static,
) -> (Nodes, RollupNode) {
    let (chains, head) = (devnet.clone(), devnet.l1[devnet.l1.len() - 1].header.hash());
    let nodes = Nodes::start(move |role, method, params| {
        change(role, method, honest(&chains, role, method, params))
    });
    let outputs = RollupNode::new(asked(&nodes), head);
    (nodes, outputs)
}

fn asked(nodes: &Nodes) -> OutputNodes {
    OutputNodes {
        rollup: nodes.node("rollup"),
        l1: nodes.node("l1"),
        l2: nodes.node("l2"),
        must_be_past_head: true,
    }
}

#[test]
fn outputs_are_those_of_the_chain_and_asked_for_once() {
    let devnet = devnet();
    let (nodes, mut outputs) = with(&devnet, |_, _, answer| answer);
    for _ in 0..3 {
        assert_eq!(outputs.safe_head(), Ok(devnet.l2_head()));
        for block in &devnet.l2 {
            let root = outputs.output_at(block.header.number).expect("an output");
            assert_eq!(root, block.output.hash());
        }
    }
    assert_eq!(nodes.calls("rollup optimism_safeHeadAtL1Block"), 1);
    assert_eq!(
        nodes.calls("rollup optimism_outputAtBlock"),
        devnet.l2.len()
    );
    assert_eq!(nodes.calls("l1 debug_getRawHeader"), 1);
}

/// Also from nodes without the debug API.
#[test]
fn numbers_of_blocks_are_proven() {
    let devnet = devnet();
    for has_debug in [true, false] {
        let (_nodes, mut outputs) = with(&devnet, move |_, method, answer| {
            answer.filter(|_| has_debug || method != "debug_getRawHeader")
        });
        assert_eq!(outputs.safe_head(), Ok(devnet.l2_head()));
        let proof = outputs.block_number_proof(2).expect("a proof");
        let block = &devnet.l2[2];
        assert_eq!(proof.proof.hash(), block.output.hash());
        assert_eq!(keccak256(&proof.header_rlp), block.header.hash());
    }
}

/// What an answer is changed to, and what is said of it.
fn is_found_out(method: &'static str, path: &'static [&str], lie: Value, says: [&str; 2]) {
    let devnet = devnet();
    let (_nodes, mut outputs) = with(&devnet, move |_, asked, answer| {
        let mut answer = answer?;
        if asked == method {
            let place = path
                .iter()
                .fold(&mut answer, |value, name| &mut value[*name]);
            *place = lie.clone();
        }
        Some(answer)
    });
    let safe_head = outputs.safe_head().map(drop);
    let proof = outputs.block_number_proof(1).map(drop);
    let error = safe_head.and(proof).expect_err("a lie");
    let words = error.to_string();
    assert!(
        matches!(error, OutputError::Node(RpcError::Wrong { .. })),
        "{words}"
    );
    for word in says {
        assert!(words.contains(word), "{words}");
    }
    assert!(!words.contains('\n'), "{words}");
}

#[test]
fn lies_are_errors_that_name_the_node() {
    let other = json!(B256::repeat_byte(9));
    let output = "optimism_outputAtBlock";
    let rollup = "rollup http";
    is_found_out(output, &["outputRoot"], other.clone(), [rollup, "0x0909"]);
    is_found_out(
        output,
        &["stateRoot"],
        other.clone(),
        [rollup, "output root"],
    );
    is_found_out(
        output,
        &["withdrawalStorageRoot"],
        other.clone(),
        [rollup, "not"],
    );
    is_found_out(output, &["version"], other.clone(), [rollup, "output root"]);
    is_found_out(
        output,
        &["blockRef", "hash"],
        other.clone(),
        [rollup, "output root"],
    );
    is_found_out(
        output,
        &["blockRef", "number"],
        json!(2),
        [rollup, "block 2"],
    );
    let raw = "debug_getRawHeader";
    is_found_out(raw, &[], json!("0xc0"), ["l1 http", "has the hash"]);
    let safe = "optimism_safeHeadAtL1Block";
    is_found_out(safe, &["l1Block", "number"], json!(99), [rollup, "99"]);
    is_found_out(safe, &["l1Block", "hash"], other, [rollup, "0x0909"]);
}

/// All of another block: its output root is right, but the header has another number.
#[test]
fn another_blocks_output_is_found_out_by_its_header() {
    let devnet = devnet();
    let chains = devnet.clone();
    let (_nodes, mut outputs) = with(&devnet, move |_, method, answer| match method {
        "optimism_outputAtBlock" => {
            let mut answer = rollup(&chains, method, &json!(["0x2"]))?;
            answer["blockRef"]["number"] = json!(1);
            Some(answer)
        }
        _ => answer,
    });
    let error = outputs.block_number_proof(1).expect_err("a lie");
    assert!(error.to_string().starts_with("rollup http"), "{error}");
    assert!(error.to_string().contains("has the number 2"), "{error}");
}

#[test]
fn a_head_that_is_not_there_is_told() {
    let devnet = devnet();
    let (nodes, _) = with(&devnet, |_, method, answer| {
        answer.filter(|_| method != "debug_getRawHeader")
    });
    let head = B256::repeat_byte(4);
    let mut outputs = RollupNode::new(asked(&nodes), head);
    let error = outputs.safe_head().expect_err("no head");
    assert!(matches!(&error, OutputError::NoHead { head: of, .. } if *of == head));
    assert!(error.to_string().starts_with("l1 http"), "{error}");
}

/// What it says before it has gone past the head may still change: it is not asked, and not
/// remembered.
#[test]
fn a_rollup_node_must_have_come_past_the_head() {
    let devnet = devnet();
    let number = devnet.l1[devnet.l1.len() - 1].header.number;
    for at in [number - 1, number] {
        let (nodes, mut outputs) = with(&devnet, move |_, method, answer| match method {
            "optimism_syncStatus" => Some(json!({
                "current_l1": { "hash": B256::ZERO, "number": at },
            })),
            _ => answer,
        });
        let error = outputs.safe_head().expect_err("it is behind");
        assert!(
            matches!(&error, OutputError::Behind { at: told, head, .. }
                if *told == at && *head == number),
            "{error}"
        );
        assert_eq!(nodes.calls("rollup optimism_safeHeadAtL1Block"), 0);
        let still = OutputNodes {
            must_be_past_head: false,
            ..asked(&nodes)
        };
        let head = devnet.l1[number as usize].header.hash();
        let mut outputs = RollupNode::new(still, head);
        assert_eq!(outputs.safe_head(), Ok(devnet.l2_head()));
    }
}
