//! The rollup node answers in op-node's forms.

use std::sync::{Arc, LazyLock};

use alloy_primitives::B256;
use carronade_devnet::{Devnet, Faults, L1Ref, Served, Spec};
use serde_json::{Value, json};

mod support;
use support::call;

static DEVNET: LazyLock<Arc<Devnet>> =
    LazyLock::new(|| Arc::new(Devnet::generate(&Spec::standard()).expect("a devnet")));

fn serve() -> Served {
    DEVNET.serve(Faults::default()).expect("ports on loopback")
}

fn ask(served: &Served, method: &str, params: Value) -> Value {
    call(&served.rollup(), method, params).expect("an answer")
}

fn l2_ref(number: usize) -> Value {
    let block = &DEVNET.l2[number];
    json!({
        "hash": block.header.hash(),
        "number": number,
        "parentHash": block.header.parent_hash,
        "timestamp": block.header.timestamp,
        "l1origin": {
            "hash": DEVNET.l1[block.origin as usize].header.hash(),
            "number": block.origin,
        },
        "sequenceNumber": block.sequence_number,
    })
}

#[test]
fn outputs_are_those_of_blocks() {
    let served = serve();
    for (number, block) in DEVNET.l2.iter().enumerate() {
        let params = json!([format!("{number:#x}")]);
        let answer = ask(&served, "optimism_outputAtBlock", params);
        assert_eq!(answer["version"], json!(B256::ZERO));
        assert_eq!(answer["outputRoot"], json!(block.output.hash()));
        assert_eq!(answer["stateRoot"], json!(block.header.state_root));
        let storage = json!(block.header.withdrawals_root.expect("it is Isthmus"));
        // At genesis there was no Isthmus before that would have put it into the header.
        if number > 0 {
            assert_eq!(answer["withdrawalStorageRoot"], storage);
        }
        assert_eq!(answer["blockRef"], l2_ref(number));
        assert_eq!(answer["syncStatus"]["safe_l2"], l2_ref(30));
    }
    let error = call(&served.rollup(), "optimism_outputAtBlock", json!(["0x1f"])).unwrap_err();
    assert!(error.ends_with("not found"), "{error}");
}

#[test]
fn safe_heads_grow_with_l1_to_the_whole_chain() {
    let served = serve();
    let at = |l1: u64| {
        let params = json!([format!("{l1:#x}")]);
        let answer = ask(&served, "optimism_safeHeadAtL1Block", params);
        let [l1_block, safe] = ["l1Block", "safeHead"].map(|name| answer[name].clone());
        let number = safe["number"].as_u64().expect("a number") as usize;
        assert_eq!(safe["hash"], json!(DEVNET.l2[number].header.hash()));
        let from = l1_block["number"].as_u64().expect("a number");
        assert_eq!(
            l1_block["hash"],
            json!(DEVNET.l1[from as usize].header.hash())
        );
        assert_eq!(from, DEVNET.l2[number].safe_from);
        assert!(from <= l1);
        number
    };
    let last = DEVNET.l1.len() as u64 - 1;
    let heads: Vec<_> = (0..=last).map(at).collect();
    assert_eq!(heads[0], 0);
    assert!(heads.is_sorted(), "{heads:?}");
    assert!(
        heads.iter().filter(|head| **head < 30).count() > 3,
        "{heads:?}"
    );
    assert_eq!(heads.last(), Some(&30));
    // Nothing comes after L1's end.
    assert_eq!(at(last + 1000), 30);
}

#[test]
fn it_tells_how_far_it_is() {
    let served = serve();
    let status = ask(&served, "optimism_syncStatus", json!([]));
    let l1 = |number: usize| {
        let header = &DEVNET.l1[number].header;
        json!({
            "hash": header.hash(),
            "number": number,
            "parentHash": header.parent_hash,
            "timestamp": header.timestamp,
        })
    };
    let fields = "current_l1 current_l1_finalized head_l1 safe_l1 finalized_l1";
    for field in fields.split(' ') {
        assert_eq!(status[field], l1(DEVNET.l1.len() - 1), "{field}");
    }
    let fields = "unsafe_l2 safe_l2 finalized_l2 pending_safe_l2 cross_unsafe_l2 local_safe_l2";
    for field in fields.split(' ') {
        assert_eq!(status[field], l2_ref(30), "{field}");
    }

    served.set_reorg(2);
    let status = ask(&served, "optimism_syncStatus", json!([]));
    assert_eq!(status["head_l1"], l1(2));
    assert_eq!(status["unsafe_l2"], l2_ref(30));
    assert!(status["safe_l2"]["number"].as_u64() < Some(30));

    let elsewhere = L1Ref {
        hash: B256::repeat_byte(1),
        number: 99,
        parent_hash: B256::repeat_byte(2),
        timestamp: 5,
    };
    served.set_l1_head(elsewhere);
    let status = ask(&served, "optimism_syncStatus", json!([]));
    assert_eq!(status["current_l1"], json!(elsewhere));
}

#[test]
fn it_tells_what_it_is() {
    let served = serve();
    let config = ask(&served, "optimism_rollupConfig", json!([]));
    assert_eq!(config, serde_json::to_value(&DEVNET.config).expect("JSON"));
    assert_eq!(config["genesis"]["l2"]["number"], 0);
    let version = ask(&served, "optimism_version", json!([]));
    assert!(version.as_str().expect("words").starts_with('v'));
    let error = call(&served.rollup(), "optimism_other", json!([])).unwrap_err();
    assert!(error.contains("does not exist"), "{error}");
}
