//! Load-linked and store-conditional over several instructions and threads.

use crate::harness::Start;
use carronade_emulator::state::{Reservation, Thread};
use carronade_emulator::step::SCHED_QUANTUM;

const WORD: u64 = 0x2000;

/// Runs `ll; <between>; sc` on a word with 5 in it: the result of the sc, and the word.
fn between(text: &str, steps: u64) -> (u64, u64) {
    let text = format!("ll $t1, 0($t0)\n{text}\nsc $t2, 0($t0)");
    let end = Start::program(&text)
        .with("t0", WORD)
        .with("t2", 7)
        .word(WORD, 5 << 32)
        .run(steps);
    (end.register("t2"), end.word(WORD) >> 32)
}

#[test]
fn a_pair_succeeds_once() {
    assert_eq!(between("", 2), (1, 7));
    assert_eq!(between("nop\nlw $t3, 0($t0)\nsd $t3, 8($t0)", 5), (1, 7));
    let text = "ll $t1, 0($t0)\nsc $t2, 0($t0)\nsc $t3, 0($t0)";
    let end = Start::program(text).with("t0", WORD).word(WORD, 0).run(3);
    assert_eq!((end.register("t2"), end.register("t3")), (1, 0));
}

#[test]
fn the_own_store_to_the_double_word_clears() {
    for store in [
        "sb $t3, 0($t0)",
        "sb $t3, 7($t0)",
        "sw $t3, 4($t0)",
        "sd $t3, 0($t0)",
    ] {
        assert_eq!(between(store, 3).0, 0, "{store}");
    }
}

#[test]
fn kinds_and_full_addresses_must_match() {
    for (load, store, done) in [
        ("ll $t1, 0($t0)", "scd $t2, 0($t0)", 0),
        ("lld $t1, 0($t0)", "sc $t2, 0($t0)", 0),
        ("lld $t1, 0($t0)", "scd $t2, 0($t0)", 1),
        ("ll $t1, 0($t0)", "sc $t2, 4($t0)", 0),
        ("ll $t1, 0($t0)", "sc $t2, 1($t0)", 0),
        ("ll $t1, 1($t0)", "sc $t2, 1($t0)", 1),
        ("lld $t1, 3($t0)", "scd $t2, 3($t0)", 1),
    ] {
        let start = Start::program(&format!("{load}\n{store}"))
            .with("t0", WORD)
            .word(WORD, 0);
        assert_eq!(start.run(2).register("t2"), done, "{load}; {store}");
    }
}

#[test]
fn a_failed_store_keeps_the_reservation() {
    let text = "ll $t1, 0($t0)\nscd $t2, 0($t0)\nsc $t3, 0($t0)";
    let end = Start::program(text).with("t0", WORD).word(WORD, 0).run(3);
    assert_eq!((end.register("t2"), end.register("t3")), (0, 1));
}

#[test]
fn a_later_load_linked_moves_the_reservation() {
    let text = "ll $t1, 0($t0)\nlld $t1, 8($t0)\nsc $t2, 0($t0)\nscd $t3, 8($t0)";
    let end = Start::program(text).with("t0", WORD).word(WORD, 0).run(4);
    assert_eq!((end.register("t2"), end.register("t3")), (0, 1));
}

/// The start of one thread, and below it on the same stack a second one.
fn two_threads(first: &str, second: &str) -> Start {
    let mut start = Start::program(first)
        .with("t0", WORD)
        .word(WORD, 0)
        .code(0x20000, second);
    let below = Thread {
        id: 1,
        pc: 0x20000,
        next_pc: 0x20004,
        ..start.thread().clone()
    };
    start.state.left.threads.insert(0, below);
    start.state.next_thread_id = 2;
    start
}

#[test]
fn context_switches_keep_the_reservation() {
    let first = "ll $t1, 0($t0)\naddiu $v0, $zero, 5023\nsyscall\nsc $t2, 0($t0)";
    // A thread that yields as the last of its side is the first of the other.
    let second = "nop\naddiu $v0, $zero, 5023\nsyscall\naddiu $v0, $zero, 5023\nsyscall";
    let end = two_threads(first, second).run(9);
    assert_eq!((end.state.thread().unwrap().id, end.register("t2")), (0, 1));
    // Preemption is no different.
    let mut start = two_threads("ll $t1, 0($t0)\nsc $t2, 0($t0)", "nop");
    start.state.steps_since_context_switch = SCHED_QUANTUM - 1;
    let end = start.run(2);
    assert_eq!(
        end.state.reservation,
        Reservation {
            status: 1,
            address: WORD,
            owner: 0
        }
    );
}

#[test]
fn another_threads_store_clears_and_its_store_conditional_fails() {
    let first = "ll $t1, 0($t0)\naddiu $v0, $zero, 5023\nsyscall\nsc $t2, 0($t0)";
    for (store, first_done) in [
        ("sb $t1, 3($t0)", 0),
        ("sc $t1, 0($t0)", 1),
        ("ll $t1, 0($t0)", 0),
        ("nop", 1),
    ] {
        let yields = "addiu $v0, $zero, 5023\nsyscall\naddiu $v0, $zero, 5023\nsyscall";
        let end = two_threads(first, &format!("{store}\n{yields}")).run(9);
        assert_eq!(
            (end.state.thread().unwrap().id, end.register("t2")),
            (0, first_done),
            "{store}"
        );
    }
}

#[test]
fn system_calls_that_write_clear() {
    // clock_gettime writes two words, getrandom one, even if it writes no byte of it.
    for (call, [a0, a1], offset, done) in [
        (5222, [0, WORD], 0, 0),
        (5222, [1, WORD - 8], 0, 0),
        (5222, [7, WORD], 0, 1),
        (5313, [WORD + 7, 1], 0, 0),
        (5313, [WORD, 0], 0, 0),
        (5313, [WORD + 8, 8], 0, 1),
        (5038, [0, 0], 0, 1),
    ] {
        let text = "ll $t1, 0($t0)\nsyscall\nsc $t2, 0($t0)";
        let start = Start::program(text).with("t0", WORD + offset).word(WORD, 0);
        let end = start.with("v0", call).with("a0", a0).with("a1", a1).run(3);
        assert_eq!(end.register("t2"), done, "call {call} {a0:x} {a1:x}");
    }
}
