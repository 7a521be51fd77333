//! Code that is written while it runs. The contract reads every instruction from memory,
//! so a store is seen by the very next fetch.

use crate::harness::{CODE, Start, word, words};

const NEW: &str = "addiu $t2, $zero, 99";

/// A program with `$t0` = the word of [`NEW`], `$t1` = an address.
fn writing(base: u64, text: &str, to: u64) -> Start {
    Start::at(base, text)
        .with("t0", word(NEW))
        .with("t1", to)
        .with("t2", 1)
}

#[test]
fn a_store_reaches_the_next_instruction() {
    let end = writing(CODE, "sw $t0, 0($t1)\naddiu $t2, $zero, 5\nnop", CODE + 4).run(3);
    assert_eq!(end.register("t2"), 99);
}

#[test]
fn every_kind_of_store_reaches_the_next_instruction() {
    // At an address that is a multiple of 8, so that the whole double word is new.
    let both = words(NEW, "addiu $t3, $zero, 98");
    for (store, value, t2) in [
        ("sd $t0, 0($t1)", both, 99),
        ("sw $t0, 0($t1)", word(NEW), 99),
        ("swl $t0, 0($t1)", word(NEW), 99),
        ("swr $t0, 3($t1)", word(NEW), 99),
        ("sdl $t0, 0($t1)", both, 99),
        ("sdr $t0, 7($t1)", both, 99),
        ("sh $t0, 2($t1)", 7, 7),
        ("sb $t0, 3($t1)", 7, 7),
    ] {
        let text = format!("nop\n{store}\naddiu $t2, $zero, 5\nnop\nnop");
        let end = writing(CODE, &text, CODE + 8).with("t0", value).run(5);
        assert_eq!(end.register("t2"), t2, "{store}");
        let t3 = if value == both {
            98
        } else {
            15 * 0x0101_0101_0101_0101
        };
        assert_eq!(end.register("t3"), t3, "{store}");
    }
}

#[test]
fn a_conditional_store_reaches_the_next_instruction() {
    for (load, store, value) in [
        ("ll $t3, 0($t1)", "sc $t0, 0($t1)", word(NEW)),
        ("lld $t3, 0($t1)", "scd $t0, 0($t1)", words(NEW, "nop")),
    ] {
        let text = format!("{load}\n{store}\naddiu $t2, $zero, 5\nnop\nnop");
        let end = writing(CODE, &text, CODE + 8).with("t0", value).run(5);
        assert_eq!((end.register("t2"), end.register("t0")), (99, 1), "{store}");
    }
}

#[test]
fn a_conditional_store_in_a_slot_reaches_the_target() {
    let text = "ll $t3, 0($t1)\nj 0x20000\nsc $t0, 0($t1)";
    let end = writing(CODE, text, 0x20000)
        .code(0x20000, "addiu $t2, $zero, 5")
        .run(4);
    assert_eq!(end.register("t2"), 99);
    // The target's page has been decoded before.
    let text = "jal 0x20000\nnop\nll $t3, 0($t1)\nj 0x20000\nsc $t0, 0($t1)";
    let start = writing(CODE, text, 0x20000).code(0x20000, "addiu $t2, $zero, 5\njr $ra\nnop");
    assert_eq!(start.run(5).register("t2"), 5);
    assert_eq!(start.run(9).register("t2"), 99);
}

#[test]
fn a_store_reaches_the_middle_of_the_run_and_what_lies_before() {
    let text = "nop\nsw $t0, 0($t1)\nnop\nnop\naddiu $t2, $zero, 5\nnop";
    assert_eq!(writing(CODE, text, CODE + 16).run(6).register("t2"), 99);
    let text = "addiu $t2, $zero, 5
        bne $t3, $zero, 0x10000
        addiu $t3, $zero, 0
        bne $t3, $s0, 0x10000
        sw $t0, 0($t1)";
    let end = writing(CODE, text, CODE).run(9);
    assert_eq!(end.register("t2"), 99);
}

#[test]
fn a_store_reaches_a_delay_slot_and_from_a_slot_the_target() {
    let end = writing(
        CODE,
        "sw $t0, 0($t1)\nj 0x20000\naddiu $t2, $zero, 5",
        CODE + 8,
    )
    .run(3);
    assert_eq!(end.register("t2"), 99);
    let end = writing(
        CODE,
        "j here\nsw $t0, 0($t1)\nnop\nhere: nop\nnop",
        CODE + 12,
    )
    .run(3);
    assert_eq!(end.register("t2"), 99);
    // A slot that writes itself has run by then.
    let end = writing(CODE, "j 0x20000\nsw $t0, 0($t1)", CODE + 4).run(3);
    assert_eq!(end.register("t2"), 1);
}

#[test]
fn a_store_may_turn_straight_code_into_a_branch_and_back() {
    let jump = word("beq $zero, $zero, 0x10040");
    // Either word of a pair, behind or not behind straight code.
    for before in 0..3 {
        let (nops, to) = ("nop\n".repeat(before as usize), CODE + 8 + 4 * before);
        // The branch is assembled for the address 0x10000 and moved.
        let text = format!("sw $t0, 0($t1)\n{nops}nop\nnop\naddiu $t2, $t2, 4\naddiu $t2, $t2, 8");
        let end = writing(CODE, &text, to).with("t0", jump).run(5 + before);
        assert_eq!(end.register("t2"), 5);
        assert_eq!(end.state.thread().unwrap().pc, to + 0x44);
        let text =
            format!("sw $zero, 0($t1)\n{nops}nop\nj 0x20000\naddiu $t2, $t2, 4\naddiu $t2, $t2, 8");
        let end = writing(CODE, &text, to).run(5 + before);
        assert_eq!(end.register("t2"), 13);
        assert_eq!(end.state.thread().unwrap().pc, to + 12);
    }
    // Into something that the machine refuses.
    for before in 0..3 {
        let text = format!(
            "sw $t0, 0($t1)\n{}nop\nnop",
            "nop\n".repeat(before as usize)
        );
        let end = writing(CODE, &text, CODE + 8 + 4 * before)
            .with("t0", 13)
            .run(9);
        assert_eq!(end.fault(), "invalid instruction 0x0000000d");
        assert_eq!(end.state.step, 2 + before);
    }
}

#[test]
fn an_instruction_may_write_itself() {
    let text = "addiu $t3, $zero, 0
        addiu $t3, $t3, 1
        sw $t0, 0($t1)
        bne $t3, $s0, 0x10004
        nop";
    let end = writing(CODE, text, CODE + 8).with("s0", 2).run(9);
    // The second time round its place holds the new instruction.
    assert_eq!((end.register("t2"), end.register("t3")), (99, 2));
}

#[test]
fn stores_reach_across_a_page_border() {
    // The last word of one page writes the first of the next, once it has been decoded.
    let text = "sw $t0, 0($t1)\naddiu $t2, $zero, 5\nnop";
    assert_eq!(writing(0x10ffc, text, 0x11000).run(3).register("t2"), 99);
    let text = "sw $t0, 0($t1)\naddiu $t2, $zero, 5\nbne $t3, $zero, 0x10ffc\naddiu $t3, $zero, 0";
    let end = writing(0x10ffc, text, 0x11010).run(8);
    assert_eq!(end.register("t2"), 5);
    let text = "nop\naddiu $t2, $zero, 5\nsw $t0, 0($t1)\nj 0x10ffc\nnop";
    let end = writing(0x10ff8, text, 0x10ffc).run(7);
    assert_eq!(end.register("t2"), 99);
}

#[test]
fn every_pass_of_a_loop_may_run_other_code() {
    let text = "
        loop: lw $t0, 0($t1)
              addiu $t0, $t0, 1
              sw $t0, 0($t1)
       here:  addiu $t2, $zero, 0
              addu $t3, $t3, $t2
              bne $t2, $s0, loop
              nop";
    let end = writing(CODE, text, CODE + 12)
        .with("t3", 0)
        .with("s0", 50)
        .run(50 * 7);
    assert_eq!((end.register("t2"), end.register("t3")), (50, 50 * 51 / 2));
}

#[test]
fn data_may_lie_between_code() {
    let text = "
        loop: sd $t2, 0($t1)
              ld $t3, 0($t1)
              bne $t3, $s0, loop
              addiu $t2, $t2, 1
              addiu $s1, $zero, 7";
    // The data is on the same page, just behind the code and at the end of the page.
    for data in [CODE + 24, CODE + 4088] {
        let end = writing(CODE, text, data).with("s0", 20).run(81);
        assert_eq!((end.word(data), end.register("t2")), (20, 21));
    }
}

#[test]
fn system_calls_write_code_too() {
    // clock_gettime with the clock that stands still writes 16 zero bytes: four nops.
    let start = Start::program(
        "addiu $v0, $zero, 5222
         syscall
         addiu $t0, $zero, 5
         addiu $t1, $zero, 5
         addiu $t2, $zero, 5
         addiu $t3, $zero, 5
         addiu $s0, $zero, 5",
    );
    let start = start
        .with("t0", 1)
        .with("t3", 1)
        .with("a0", 0)
        .with("a1", CODE + 8);
    let end = start.run(7);
    assert_eq!(["t0", "t3", "s0"].map(|name| end.register(name)), [1, 1, 5]);
}

#[test]
fn memory_that_was_never_written_is_nops() {
    for base in [0x5000_0000, 1 << 44, 1 << 50, 1 << 63] {
        let end = Start::program("jr $t0\nnop")
            .with("t0", base + 0xff0)
            .run(12);
        assert_eq!(end.state.thread().unwrap().pc, base + 0x1018);
        // Executing a page does not make it exist.
        assert_eq!(end.memory.page_indexes(), [CODE >> 12]);
    }
}

#[test]
fn a_store_reaches_an_empty_page_that_has_been_run() {
    for base in [0x5000_0000, 1 << 50] {
        let text = "jr $t3\nsw $t0, 0($t1)";
        let start = writing(base, text, base + 0x100c).with("t3", base + 0x1000);
        assert_eq!(start.run(6).register("t2"), 99);
        // The empty page is run first, comes back, and is then written.
        let text = "bne $s0, $zero, 0x50001000\naddiu $s0, $zero, 0\nsw $t0, 0($t1)";
        if base == 0x5000_0000 {
            let start = writing(base + 0xff0, text, base + 0x1010);
            let end = start
                .code(0x5000_1ff8, "j 0x50000ff0\nnop")
                .run(2 + 1024 + 3 + 6);
            assert_eq!(end.register("t2"), 99);
        }
    }
}

#[test]
fn pages_that_share_a_place_in_a_cache_do_not_mix() {
    // Pages 256 and 4096 apart call each other and write into each other.
    for distance in [256 * 4096, 4096 * 4096] {
        let (near, far) = (CODE, CODE + distance);
        let text = "
            loop: jalr $ra, $t1
                  addiu $s0, $s0, -1
                  bne $s0, $zero, loop
                  nop";
        let other = "addiu $t2, $t2, 1\nsw $t0, 8($t1)\nnop\njr $ra\nnop";
        let start = writing(near, text, far)
            .code(far, other)
            .with("s0", 3)
            .with("t2", 0);
        let end = start.with("t0", word("addiu $t2, $t2, 16")).run(27);
        assert_eq!(end.register("t2"), 3 * 17);
    }
}

#[test]
fn code_runs_around_the_end_of_the_space() {
    let text = "addiu $t2, $zero, 5\naddiu $t3, $zero, 6\naddiu $s0, $zero, 7";
    let base = 0u64.wrapping_sub(8);
    let end = Start::at(base, text).run(3);
    assert_eq!(["t2", "t3", "s0"].map(|name| end.register(name)), [5, 6, 7]);
    let thread = end.state.thread().unwrap();
    assert_eq!((thread.pc, thread.next_pc), (4, 8));
    // A branch in the last word, its slot in the first, back again; then a store there.
    let text = "sw $t0, 0($t1)\nbeq $zero, $zero, 0xfffffffffffffff8\naddiu $t2, $zero, 5";
    let end = writing(base, text, 0).run(6);
    assert_eq!(
        (end.register("t2"), end.state.thread().unwrap().pc),
        (99, base)
    );
}

#[test]
fn a_run_may_stop_right_after_a_store_to_code() {
    let start = writing(CODE, "nop\nsw $t0, 0($t1)\naddiu $t2, $zero, 5", CODE + 8);
    for until in 0..=3 {
        let end = start.run(until);
        assert_eq!(end.state.step, until);
        assert_eq!(end.register("t2"), if until == 3 { 99 } else { 1 });
    }
    for mut steps in [
        [0, 0, 1],
        [1, 0, 1],
        [0, 1, 0],
        [2, 0, 0],
        [1, 1, 1],
        [1, 2, 1],
    ] {
        steps.reverse();
        let mut steps = steps.to_vec();
        let end = start.run_mixed(3, move || steps.pop().unwrap_or(1));
        end.same_as(&start.run(3), "mixed ways");
    }
}
