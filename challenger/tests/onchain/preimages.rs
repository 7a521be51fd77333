//! Large pre-images of others, right ones and wrong ones, before the agent's eyes.

use alloy_primitives::{Address, B256, Bytes, U256};
use alloy_sol_types::SolCall as _;
use carronade_challenger::{Metrics, SendOptions};
use carronade_contracts::abi::PreimageOracle as Abi;
use carronade_contracts::deployment::Deployer as _;
use carronade_dispute::upload::large::{AddLeaves, LargePreimage};
use serde_json::{Value, json};

use crate::arena::{ACCOUNT, Arena, until, value};
use crate::proxy::{Answer, Proxy};

/// What the contract wants at least, in wei.
const BOND: u64 = 250_000_000_000_000_000;

fn image() -> LargePreimage {
    LargePreimage {
        part_offset: 0,
        preimage: (0..130_000_u32).map(|number| (number / 7) as u8).collect(),
    }
}

/// The calls that upload it, with a claim that is wrong.
fn calls(wrong: Option<usize>) -> Vec<AddLeaves> {
    let mut calls = image().calls(0);
    if let Some(wrong) = wrong {
        let of_block = |call: &&mut AddLeaves| {
            let blocks = call.start_block..call.start_block + call.state_commitments.len();
            blocks.contains(&wrong)
        };
        let call = calls.iter_mut().find(of_block).expect("such a block");
        call.state_commitments[wrong - call.start_block] = B256::repeat_byte(6);
    }
    calls
}

fn begin(arena: &Arena, uuid: u64) {
    let size = image().claimed_size();
    let init = Abi::initLPPCall {
        uuid: U256::from(uuid),
        partOffset: 0,
        claimedSize: u32::try_from(size).expect("not so large"),
    };
    let begun = arena.owner.send(arena.at.oracle, &init, U256::from(BOND));
    begun.expect("a new proposal");
}

/// The calldata as encoders write it.
fn evenly(uuid: u64, call: &AddLeaves) -> Bytes {
    let call = Abi::addLeavesLPPCall {
        uuid: U256::from(uuid),
        inputStartBlock: U256::from(call.start_block),
        input: call.input.clone().into(),
        stateCommitments: call.state_commitments.clone(),
        finalize: call.finalize,
    };
    call.abi_encode().into()
}

/// The same for the contract, in a form that encoders do not write: the commitments come first and
/// at odd places, and the input is not padded.
fn oddly(uuid: u64, call: &AddLeaves) -> Bytes {
    let word = |value: usize| U256::from(value).to_be_bytes::<32>();
    let commitments = call.state_commitments.concat();
    let count = call.state_commitments.len();
    let at = 5 * 32 + 3;
    let head = [
        word(usize::try_from(uuid).expect("small")),
        word(call.start_block),
        word(at + 32 + commitments.len()),
        word(at),
        word(usize::from(call.finalize)),
    ];
    let selector = &Abi::addLeavesLPPCall::SELECTOR[..];
    let tail = [&word(call.input.len())[..], &call.input].concat();
    let data = [&[0xee; 3][..], &word(count), &commitments, &tail].concat();
    [selector, &head.concat(), &data].concat().into()
}

/// Adds the leaves of some calls.
fn add(arena: &Arena, data: impl IntoIterator<Item = Bytes>) {
    for data in data {
        let call = json!([{ "from": arena.owner.account(), "to": arena.at.oracle, "data": data }]);
        let hash = arena.ask("eth_sendTransaction", call);
        let mut receipt = Value::Null;
        until("it is in a block", || {
            receipt = arena.ask("eth_getTransactionReceipt", json!([hash]));
            !receipt.is_null()
        });
        assert_eq!(receipt["status"], json!("0x1"), "it takes them");
    }
}

/// Proposes it whole.
fn propose(arena: &Arena, uuid: u64, wrong: Option<usize>) {
    begin(arena, uuid);
    add(arena, calls(wrong).iter().map(|call| evenly(uuid, call)));
}

fn is_countered(arena: &mut Arena, uuid: u64) -> bool {
    let call = Abi::proposalMetadataCall {
        claimant: arena.owner.account(),
        uuid: U256::from(uuid),
    };
    let told = arena.owner.view(arena.at.oracle, &call);
    told.expect("an answer")[31] == 1
}

/// Waits until all proposals of the newest block have been looked at.
fn until_looked_at(arena: &Arena, metrics: &Metrics) {
    let head = arena.chain().latest().expect("a block").number;
    until("all were looked at", || {
        value(&metrics.large_preimages_block) >= head
    });
}

#[test]
fn wrong_ones_are_challenged_and_right_ones_left_alone() {
    let mut arena = Arena::new();
    let last = image().tree().blocks().len() - 1;
    // Some are there before the agent is, and no game is.
    propose(&arena, 1, Some(0));
    propose(&arena, 2, None);
    begin(&arena, 3);
    let unfinished = calls(Some(500));
    add(&arena, unfinished[..3].iter().map(|call| oddly(3, call)));
    let before = arena
        .chain()
        .balance(ACCOUNT, &arena.chain().latest().unwrap());
    let playing = arena.play(arena.anvil.url(), SendOptions::default());
    let metrics = &playing.metrics;
    until("the first is challenged", || is_countered(&mut arena, 1));
    propose(&arena, 4, Some(last));
    until("the last is challenged", || is_countered(&mut arena, 4));
    until_looked_at(&arena, metrics);
    // It is not complete, and could be given up.
    assert!(!is_countered(&mut arena, 3));
    add(&arena, unfinished[3..].iter().map(|call| oddly(3, call)));
    until("the other is challenged", || is_countered(&mut arena, 3));
    until_looked_at(&arena, metrics);
    assert!(!is_countered(&mut arena, 2));
    assert_eq!(value(&metrics.large_preimages_right), 1);
    assert_eq!(value(&metrics.large_preimages_wrong), 3);
    assert_eq!(value(&metrics.large_preimages_challenged), 3);
    let words = [
        "large pre-image 3 of",
        "in oracle",
        "is wrong from block 500 on",
    ];
    assert!(arena.has_warned(&words), "{}", arena.all_told());
    drop(playing);
    // Their bonds are the agent's.
    let after = arena
        .chain()
        .balance(ACCOUNT, &arena.chain().latest().unwrap());
    let gained = after.expect("a balance") - before.expect("a balance");
    assert!(gained > U256::from(2 * BOND), "{gained}");
}

#[test]
fn another_one_in_its_place_after_a_reorganisation_is_looked_at_too() {
    let mut arena = Arena::new();
    let before = arena.ask("evm_snapshot", json!([]));
    propose(&arena, 1, None);
    let playing = arena.play(arena.anvil.url(), SendOptions::default());
    let metrics = &playing.metrics;
    until("it is found right", || {
        value(&metrics.large_preimages_right) == 1
    });
    assert_eq!(arena.ask("evm_revert", json!([before])), json!(true));
    arena.ask("anvil_mine", json!(["0x1", "0x5"]));
    // The same place in the list, the same number, and another tree.
    propose(&arena, 1, Some(7));
    until("it is challenged", || is_countered(&mut arena, 1));
}

#[test]
fn the_same_tree_in_its_place_is_challenged_under_its_own_number() {
    let mut arena = Arena::new();
    let before = arena.ask("evm_snapshot", json!([]));
    propose(&arena, 1, Some(7));
    let proxy = Proxy::new(arena.anvil.url(), |_, _| Answer::Pass);
    let playing = arena.play(&proxy.url, SendOptions::default());
    until("it is challenged", || is_countered(&mut arena, 1));
    until_looked_at(&arena, &playing.metrics);
    // There is no moment at which the agent can see that the first one is gone.
    proxy.change(|_, _| Answer::Down);
    assert_eq!(arena.ask("evm_revert", json!([before])), json!(true));
    arena.ask("anvil_mine", json!(["0x1", "0x5"]));
    propose(&arena, 2, Some(7));
    proxy.change(|_, _| Answer::Pass);
    until("the other is challenged", || {
        arena.ask("anvil_mine", json!(["0x1", "0x1"]));
        is_countered(&mut arena, 2)
    });
    assert_eq!(value(&playing.metrics.large_preimages_wrong), 1);
}

#[test]
fn calls_with_nothing_or_with_much_beside_their_leaves_hold_up_nothing() {
    let mut arena = Arena::new();
    begin(&arena, 1);
    let nothing = AddLeaves {
        start_block: 0,
        input: Vec::new(),
        state_commitments: Vec::new(),
        finalize: false,
    };
    // Many in one block, and then some blocks with one each.
    add(&arena, [evenly(1, &nothing)]);
    arena.mine_at_once(false);
    for _ in 0..200 {
        let call = json!([{
            "from": arena.owner.account(),
            "to": arena.at.oracle,
            "data": evenly(1, &nothing),
            "gas": "0x1d4c0",
        }]);
        arena.ask("eth_sendTransaction", call);
    }
    arena.ask("anvil_mine", json!(["0x1", "0x1"]));
    arena.mine_at_once(true);
    let count = Abi::proposalBlocksLenCall {
        claimant: arena.owner.account(),
        uuid: U256::from(1),
    };
    let count = arena.owner.view(arena.at.oracle, &count);
    assert_eq!(count.expect("an answer"), U256::from(201));
    // Behind the arguments there may be anything.
    let padded = [evenly(1, &nothing).to_vec(), vec![0xab; 60_000]].concat();
    add(&arena, std::iter::repeat_n(Bytes::from(padded), 20));
    add(&arena, calls(Some(11)).iter().map(|call| evenly(1, call)));
    // A node for which the answers to such questions are too large for a batch, and that refuses
    // one of ten.
    let mut asked = 0;
    let script = move |method: &str, params: &Value| match method {
        "batch" if params[0]["method"] == json!("eth_getLogs") => Answer::Down,
        "eth_getLogs" => {
            asked += 1;
            match asked % 10 {
                0 => Answer::Refuse("rate limit exceeded"),
                _ => Answer::Pass,
            }
        }
        _ => Answer::Pass,
    };
    let proxy = Proxy::new(arena.anvil.url(), script);
    let playing = arena.play(&proxy.url, SendOptions::default());
    until("it is challenged", || {
        arena.ask("anvil_mine", json!(["0x1", "0x1"]));
        is_countered(&mut arena, 1)
    });
    // What was read before is not asked for again.
    let failures = value(&playing.metrics.large_preimage_failures);
    assert!((1..5).contains(&failures), "{failures}");
}

#[test]
fn logs_are_not_believed_and_asked_for_again() {
    let mut arena = Arena::new();
    propose(&arena, 1, Some(3));
    let newest = arena.chain().latest().expect("a block").number;
    let script = move |method: &str, params: &Value| {
        let from = params[0]["fromBlock"].as_str().unwrap_or_default();
        let from = u64::from_str_radix(from.trim_start_matches("0x"), 16);
        match method == "eth_getLogs" && from.expect("a number") <= newest {
            true => Answer::Is(json!([])),
            false => Answer::Pass,
        }
    };
    let proxy = Proxy::new(arena.anvil.url(), script);
    let playing = arena.play(&proxy.url, SendOptions::default());
    let words = [
        "large pre-image 1 of",
        "the logs do not have the leaves of its tree",
    ];
    until("it is told", || arena.has_warned(&words));
    assert!(value(&playing.metrics.large_preimage_failures) > 0);
    // It does not hold up others.
    propose(&arena, 2, Some(9));
    until("the other is challenged", || is_countered(&mut arena, 2));
    assert!(!is_countered(&mut arena, 1));
    proxy.change(|_, _| Answer::Pass);
    until("it is challenged", || {
        arena.ask("anvil_mine", json!(["0x1", "0x1"]));
        is_countered(&mut arena, 1)
    });
}

#[test]
fn in_a_dry_run_it_is_told_only() {
    let mut arena = Arena::new();
    propose(&arena, 1, Some(3));
    let options = SendOptions {
        dry_run: true,
        ..SendOptions::default()
    };
    let playing = arena.play(arena.anvil.url(), options);
    until("it is told", || {
        arena.has_told(&[
            "dry run: would send: large pre-image 1 of",
            "challenge block 3",
        ])
    });
    until_looked_at(&arena, &playing.metrics);
    assert!(!is_countered(&mut arena, 1));
}

#[test]
fn an_oracle_that_the_factory_does_not_tell_of_is_known_from_its_games() {
    let mut arena = Arena::new();
    // As factories answer that have no arguments.
    let selector = carronade_contracts::abi::DisputeGameFactory::gameArgsCall::SELECTOR;
    let selector = alloy_primitives::hex::encode_prefixed(selector);
    let proxy = Proxy::new(arena.anvil.url(), move |method, params| {
        let data = params[0]["data"].as_str().unwrap_or_default();
        match method == "eth_call" && data.starts_with(&selector) {
            true => Answer::Refuse("execution reverted"),
            false => Answer::Pass,
        }
    });
    propose(&arena, 1, Some(3));
    let playing = arena.play(&proxy.url, SendOptions::default());
    until_looked_at(&arena, &playing.metrics);
    assert!(!is_countered(&mut arena, 1));
    let game: Address = arena.wrong_game();
    until("it is challenged", || is_countered(&mut arena, 1));
    assert!(arena.claims(game) > 0);
}
