//! What nodes, blocks and other processes do to an agent that only wants to make a move.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, SystemTime};

use alloy_primitives::{Address, B256, U256};
use carronade_challenger::{Metrics, Request, SendOptions, Submission};
use carronade_contracts::abi::FaultDisputeGame as Abi;
use serde_json::json;

use crate::arena::{ACCOUNT, Arena, until, value};
use crate::proxy::{Answer, Proxy};

/// Never buried: what was sent stays in the journal.
fn patient() -> SendOptions {
    SendOptions {
        confirmations: 1_000,
        ..SendOptions::default()
    }
}

/// An attack on the root, as the agent would make it.
fn attack(arena: &Arena, game: Address, claim: B256) -> Request {
    let root = arena.game(game).claims()[0];
    let bond = arena.game(game).required_bond(1).expect("a bond");
    let call = Abi::moveCall {
        disputed: root.value,
        challengeIndex: U256::ZERO,
        claim,
        isAttack: true,
    };
    Request::new("the move".into(), game, &call, U256::from(bond))
}

#[test]
fn a_node_that_is_down_costs_time_only() {
    let mut arena = Arena::new();
    let game = arena.wrong_game();
    let proxy = Proxy::new(arena.anvil.url(), |_, _| Answer::Down);
    let playing = arena.play(&proxy.url, patient());
    until("it is told", || {
        arena.has_warned(&[
            "L1 node http://127.0.0.1",
            "does not answer",
            "503",
            "trying on",
        ])
    });
    proxy.change(|_, _| Answer::Pass);
    until("the move is made", || arena.claims(game) == 2);
    // In the middle of a game too.
    proxy.change(|_, _| Answer::Down);
    let failures = value(&playing.metrics.chain_failures);
    until("it is noticed", || {
        value(&playing.metrics.chain_failures) > failures
    });
    let again = arena
        .owner
        .create_game(arena.at.factory, B256::repeat_byte(8), 16);
    let other = again.expect("another game");
    proxy.change(|_, _| Answer::Pass);
    until("the other game is played", || arena.claims(other) == 2);
    drop(playing);
    assert_eq!(arena.claims(game), 2);
}

#[test]
fn what_games_of_long_ago_have_left_behind_is_removed() {
    let arena = Arena::new();
    let name = format!("{}-{}", "0a".repeat(32), "0b".repeat(32));
    let old = arena.folder.path().join("checkpoints").join(name);
    std::fs::create_dir_all(&old).expect("a folder");
    let folder = std::fs::File::open(&old).expect("a folder");
    folder.set_modified(SystemTime::UNIX_EPOCH).expect("a time");
    let playing = arena.play(arena.anvil.url(), patient());
    until("it is told", || {
        arena.has_told(&["checkpoints of 1 old executions removed"])
    });
    assert!(!old.exists());
    drop(playing);
}

#[test]
fn a_receipt_that_cannot_be_is_not_believed() {
    let mut arena = Arena::new();
    let game = arena.wrong_game();
    let block = arena.chain().latest().expect("a block");
    // Takes transactions, does not pass them on, and says that they are in a block.
    let lie = move |method: &str, params: &serde_json::Value| match method {
        "eth_sendRawTransaction" => Answer::Is(json!(B256::repeat_byte(1))),
        "eth_getTransactionByHash" => Answer::Is(json!({ "hash": params[0] })),
        "eth_getTransactionReceipt" => Answer::Is(json!({
            "transactionHash": params[0],
            "blockHash": block.hash,
            "blockNumber": format!("{:#x}", block.number),
            "status": "0x1",
            "from": "0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
        })),
        _ => Answer::Pass,
    };
    let proxy = Proxy::new(arena.anvil.url(), lie);
    let playing = arena.play(&proxy.url, patient());
    until("the lie is told", || {
        arena.has_warned(&[
            "L1 node http://127.0.0.1",
            "answers eth_getTransactionReceipt wrongly",
            "its block does not have the transaction",
        ])
    });
    assert!(value(&playing.metrics.wrong_answers) > 0);
    assert_eq!(arena.claims(game), 1);
    // The journal has it still, so it is sent again and made once.
    proxy.change(|_, _| Answer::Pass);
    until("the move is made", || arena.claims(game) == 2);
    until("it is found in its block", || {
        arena.has_told(&["attack", "done in block"])
    });
    drop(playing);
    assert_eq!(arena.nonce(ACCOUNT), 1, "{}", arena.all_told());
}

#[test]
fn a_move_that_a_reorganisation_takes_away_is_made_again_and_once() {
    let mut arena = Arena::new();
    let game = arena.wrong_game();
    let before = arena.ask("evm_snapshot", json!([]));
    let playing = arena.play(arena.anvil.url(), patient());
    until("the move is made", || arena.claims(game) == 2);
    until("it is found in its block", || {
        arena.has_told(&["attack", "done in block"])
    });
    // The chain goes back to before the move, and on in another way.
    arena.mine_at_once(false);
    assert_eq!(arena.ask("evm_revert", json!([before])), json!(true));
    assert_eq!(arena.claims(game), 1);
    arena.ask("anvil_mine", json!(["0x3", "0x5"]));
    until("it is noticed", || {
        arena.has_warned(&["attack", "a reorganisation took it out of block"])
    });
    assert!(value(&playing.metrics.transactions_reorganised) > 0);
    arena.mine_at_once(true);
    until("the move is made again", || {
        arena.ask("anvil_mine", json!(["0x1", "0x1"]));
        arena.claims(game) == 2
    });
    until("it rests", || {
        let head = arena.chain().latest().expect("a block").number;
        value(&playing.metrics.round_block) >= head
    });
    drop(playing);
    assert_eq!(arena.claims(game), 2);
    assert_eq!(arena.nonce(ACCOUNT), 1, "{}", arena.all_told());
}

#[test]
fn a_move_that_no_block_takes_pays_more_and_is_made_once() {
    let mut arena = Arena::new();
    let game = arena.wrong_game();
    arena.mine_at_once(false);
    let options = SendOptions {
        resubmit: Duration::ZERO,
        ..patient()
    };
    let metrics: Arc<Metrics> = Arc::default();
    let sender = arena.sender(arena.anvil.url(), options, &metrics);
    let claim = B256::repeat_byte(3);
    let sent = sender.submit(attack(&arena, game, claim)).expect("sent");
    assert!(matches!(sent, Submission::Sent(_)));
    let head = arena.chain().latest().expect("a block");
    for bumps in 1..=3 {
        sender.tend(&head).expect("tended");
        assert_eq!(value(&metrics.transactions_bumped), bumps);
    }
    assert!(arena.has_told(&["no block takes it", "higher fee"]));
    // For the same purpose nothing else is sent.
    let again = sender.submit(attack(&arena, game, claim)).expect("known");
    assert_eq!(again, Submission::Pending);
    let pool = arena.ask("txpool_status", json!([]));
    assert_eq!(pool["pending"], json!("0x1"), "{pool}");
    arena.ask("anvil_mine", json!(["0x1", "0x1"]));
    let head = arena.chain().latest().expect("a block");
    sender.tend(&head).expect("tended");
    assert!(arena.has_told(&["done in block"]));
    assert_eq!((arena.claims(game), arena.nonce(ACCOUNT)), (2, 1));
}

#[test]
fn what_a_node_refuses_does_not_stand_in_the_way() {
    let mut arena = Arena::new();
    let game = arena.wrong_game();
    let refuse = |method: &str, _: &serde_json::Value| match method {
        "eth_sendRawTransaction" => Answer::Refuse("insufficient funds: overshot"),
        _ => Answer::Pass,
    };
    let proxy = Proxy::new(arena.anvil.url(), refuse);
    let sender = arena.sender(&proxy.url, patient(), &Arc::default());
    let request = || attack(&arena, game, B256::repeat_byte(3));
    let error = sender.submit(request()).expect_err("refused").to_string();
    assert!(error.contains("insufficient funds"), "{error}");
    assert_eq!(sender.pending(), 0);
    proxy.change(|_, _| Answer::Pass);
    sender.submit(request()).expect("sent under the same nonce");
    until("the move is made", || arena.claims(game) == 2);
    assert_eq!(arena.nonce(ACCOUNT), 1);
}

/// A node that has no states of some time ago can still be lived with.
#[test]
fn states_of_old_blocks_are_not_asked_for() {
    let mut arena = Arena::new();
    let game = arena.wrong_game();
    let metrics = Arc::default();
    let sender = arena.sender(arena.anvil.url(), patient(), &metrics);
    let request = attack(&arena, game, B256::repeat_byte(3));
    sender.submit(request).expect("sent");
    until("it is in a block", || arena.nonce(ACCOUNT) == 1);
    drop(sender);
    arena.ask("anvil_mine", json!(["0x80", "0x1"]));
    let head = arena.chain().latest().expect("a block");
    let known = json!(head.hash);
    let forgetful = move |method: &str, params: &serde_json::Value| {
        let is_state = matches!(method, "eth_getTransactionCount" | "eth_call");
        match is_state && params[1]["blockHash"] != known {
            true => Answer::Refuse("missing trie node"),
            false => Answer::Pass,
        }
    };
    let proxy = Proxy::new(arena.anvil.url(), forgetful);
    let sender = arena.sender(&proxy.url, SendOptions::default(), &metrics);
    for _ in 0..2 {
        sender.tend(&head).expect("tended");
    }
    assert_eq!(sender.pending(), 0);
    assert_eq!(value(&metrics.transactions_confirmed), 1);
}

#[test]
fn fees_above_the_limit_are_not_paid() {
    let mut arena = Arena::new();
    let game = arena.wrong_game();
    let options = SendOptions {
        max_fee: 7,
        ..patient()
    };
    let sender = arena.sender(arena.anvil.url(), options, &Arc::default());
    let error = sender.submit(attack(&arena, game, B256::repeat_byte(3)));
    let words = error.expect_err("too dear").to_string();
    assert!(words.contains("wei per gas, and the limit is 7"), "{words}");
    assert_eq!((sender.pending(), arena.nonce(ACCOUNT)), (0, 0));
}

#[test]
fn a_process_that_comes_back_does_not_move_again() {
    let mut arena = Arena::new();
    let game = arena.wrong_game();
    arena.mine_at_once(false);
    let playing = arena.play(arena.anvil.url(), patient());
    until("the move is under way", || {
        arena.has_told(&["attack", ": transaction 0x"])
    });
    drop(playing);
    // The node has lost it as well.
    arena.ask("anvil_dropAllTransactions", json!([]));
    let playing = arena.play(arena.anvil.url(), patient());
    until("it is sent again", || {
        arena.ask("txpool_status", json!([]))["pending"] == json!("0x1")
    });
    arena.mine_at_once(true);
    arena.ask("anvil_mine", json!(["0x1", "0x1"]));
    until("the move is made", || arena.claims(game) == 2);
    until("it is found in its block", || {
        arena.has_told(&["attack", "done in block"])
    });
    drop(playing);
    assert_eq!((arena.claims(game), arena.nonce(ACCOUNT)), (2, 1));
}

#[test]
fn a_nonce_that_another_transaction_took_is_given_up() {
    let mut arena = Arena::new();
    let game = arena.wrong_game();
    arena.mine_at_once(false);
    let options = SendOptions {
        confirmations: 2,
        ..SendOptions::default()
    };
    let metrics: Arc<Metrics> = Arc::default();
    let sender = arena.sender(arena.anvil.url(), options, &metrics);
    let request = || attack(&arena, game, B256::repeat_byte(3));
    sender.submit(request()).expect("sent");
    arena.ask("anvil_dropAllTransactions", json!([]));
    // The user sends something by hand.
    let by_hand = json!([{ "from": ACCOUNT, "to": ACCOUNT, "value": "0x1" }]);
    arena.ask("eth_sendTransaction", by_hand);
    for _ in 0..3 {
        arena.ask("anvil_mine", json!(["0x1", "0x1"]));
        let head = arena.chain().latest().expect("a block");
        sender.tend(&head).expect("tended");
    }
    assert!(arena.has_warned(&["another transaction of the account took its nonce 0"]));
    assert_eq!(value(&metrics.transactions_lost), 1);
    assert_eq!((sender.pending(), arena.claims(game)), (0, 1));
    sender.submit(request()).expect("sent under the next nonce");
    arena.ask("anvil_mine", json!(["0x1", "0x1"]));
    assert_eq!((arena.claims(game), arena.nonce(ACCOUNT)), (2, 2));
}

#[test]
fn a_nonce_that_leaves_a_gap_is_given_up() {
    let mut arena = Arena::new();
    let game = arena.wrong_game();
    let lie = |method: &str, _: &serde_json::Value| match method {
        "eth_getTransactionCount" => Answer::Is(json!("0x3e8")),
        _ => Answer::Pass,
    };
    let proxy = Proxy::new(arena.anvil.url(), lie);
    let options = SendOptions {
        confirmations: 2,
        ..SendOptions::default()
    };
    let sender = arena.sender(&proxy.url, options, &Arc::default());
    let request = || attack(&arena, game, B256::repeat_byte(3));
    sender
        .submit(request())
        .expect("sent, for all that is known");
    proxy.change(|_, _| Answer::Pass);
    for _ in 0..3 {
        arena.ask("anvil_mine", json!(["0x1", "0x1"]));
        let head = arena.chain().latest().expect("a block");
        sender.tend(&head).expect("tended");
    }
    assert!(
        arena.has_warned(&["its nonce 1000 is after 0, which nothing has"]),
        "{}",
        arena.all_told()
    );
    sender.submit(request()).expect("sent");
    until("the move is made", || arena.claims(game) == 2);
    assert_eq!(arena.nonce(ACCOUNT), 1);
}

#[test]
fn a_dry_run_does_not_send_again_what_is_under_way() {
    let mut arena = Arena::new();
    let game = arena.wrong_game();
    arena.mine_at_once(false);
    let sender = arena.sender(arena.anvil.url(), patient(), &Arc::default());
    let request = attack(&arena, game, B256::repeat_byte(3));
    sender.submit(request).expect("sent");
    drop(sender);
    arena.ask("anvil_dropAllTransactions", json!([]));
    let options = SendOptions {
        dry_run: true,
        resubmit: Duration::ZERO,
        ..patient()
    };
    let sender = arena.sender(arena.anvil.url(), options, &Arc::default());
    sender
        .tend(&arena.chain().latest().expect("a block"))
        .expect("tended");
    // Nor does it wait for it.
    let buried = sender.bury(Duration::ZERO, &AtomicBool::new(false));
    assert!(buried.expect("nothing is done"));
    let pool = arena.ask("txpool_status", json!([]));
    assert_eq!(pool["pending"], json!("0x0"), "{pool}");
    assert_eq!(sender.pending(), 1);
}

#[test]
fn a_dry_run_sends_nothing() {
    let mut arena = Arena::new();
    let game = arena.wrong_game();
    let options = SendOptions {
        dry_run: true,
        ..patient()
    };
    let playing = arena.play(arena.anvil.url(), options);
    until("it is told", || {
        arena.has_told(&["dry run: would send", "attack claim 0"])
    });
    arena.ask("anvil_mine", json!(["0x2", "0x1"]));
    let head = arena.chain().latest().expect("a block").number;
    until("another round is over", || {
        value(&playing.metrics.round_block) >= head
    });
    drop(playing);
    assert_eq!((arena.claims(game), arena.nonce(ACCOUNT)), (1, 0));
}
