//! Code that is written while native code of it is at hand, or even running.

use crate::harness::{CODE, Start, Trace, register, run, statistics, word};

/// Runs a program to its end in all kinds of pieces.
#[track_caller]
fn check(start: &Start, steps: u64) -> Trace {
    let trace = Trace::new(start, steps);
    for hot in [1, 2, 5] {
        assert!(trace.run_in_pieces(hot) > 0, "nothing ran natively");
    }
    trace
}

/// A loop of 40 rounds, then the end; `$s3` counts, `$s1` gathers, `$t3` is an `addiu
/// $t2, $zero, 0` to be written in whatever way.
fn rounds(text: &str) -> Start {
    let text = format!("{text}\ndaddiu $s3, $s3, 1\nbne $s3, $s4, loop\nnop\nsyscall");
    let start = Start::program(&text)
        .with("v0", 5205)
        .with("t3", word(PATCHED));
    start.with("s1", 0).with("s3", 0).with("s4", 40)
}

const PATCHED: &str = "addiu $t2, $zero, 0";
const BEHIND: &str = "daddu $s1, $s1, $t2";

#[test]
fn every_kind_of_store_reaches_the_next_instruction() {
    let wide = word(PATCHED) << 32 | word(BEHIND);
    for (before, store, base) in [
        ("", "sb $t0, 3($t1)", 0),
        ("", "sh $t0, 2($t1)", 0),
        ("", "sw $t0, 0($t1)", word(PATCHED)),
        ("", "swl $t0, 0($t1)", word(PATCHED)),
        ("", "swr $t0, 3($t1)", word(PATCHED)),
        ("", "sd $t0, 0($t1)", wide),
        ("", "sdl $t0, 0($t1)", wide),
        ("", "sdr $t0, 7($t1)", wide),
        ("ll $a4, 0($t1)", "sc $t0, 0($t1)", word(PATCHED)),
        ("lld $a4, 0($t1)", "scd $t0, 0($t1)", wide),
    ] {
        let shift = if base == wide { "dsll32" } else { "dsll" };
        let pad = if before.is_empty() { "nop" } else { before };
        let text = format!(
            "li64 $t1, here
            loop: {shift} $t0, $s3, 0
            daddu $t0, $t0, $t3
            nop
            nop
            {pad}
            {store}
            here: {PATCHED}
            {BEHIND}"
        );
        let trace = check(&rounds(&text).with("t3", base), 2000);
        assert_eq!(trace.register("s1"), 39 * 40 / 2, "{store}");
    }
}

#[test]
fn a_store_reaches_the_delay_slot() {
    let text = format!(
        "li64 $t1, slot
        loop: daddu $t0, $t3, $s3
        sw $t0, 0($t1)
        beq $s3, $s4, loop
        slot: {PATCHED}
        {BEHIND}"
    );
    assert_eq!(check(&rounds(&text), 2000).register("s1"), 39 * 40 / 2);
    // From the slot to the target, and to the slot itself.
    let text = format!(
        "li64 $t1, there
        li64 $a4, slot
        loop: daddu $t0, $t3, $s3
        j there
        sw $t0, 0($t1)
        nop
        there: {PATCHED}
        {BEHIND}
        bne $s3, $s4, on
        slot: sw $t0, 0($a4)
        on: li64 $a5, {:#x}
        sw $a5, 0($a4)",
        word("sw $t0, 0($a4)")
    );
    assert_eq!(check(&rounds(&text), 2000).register("s1"), 39 * 40 / 2);
}

#[test]
fn a_callee_and_a_loop_are_written_from_outside() {
    for at in [0x400, 0x3000, 0x3ff4, 0x3ff8, 0x1_0000] {
        // The callee is a loop of its own; every third call is to other code.
        let text = format!(
            "loop: jal {0:#x}
            addiu $a6, $zero, 3
            jal {0:#x}
            addiu $a6, $zero, 2
            daddu $t0, $t3, $s3
            sw $t0, 0($t1)",
            CODE + at
        );
        let callee = format!(
            "{PATCHED}\n{BEHIND}\naddiu $a6, $a6, -1\nbne $a6, $zero, {:#x}\nnop\njr $ra\nnop",
            CODE + at
        );
        let start = rounds(&text).code(CODE + at, &callee).with("t1", CODE + at);
        let trace = check(&start, 4000);
        assert_eq!(trace.register("s1"), 5 * 38 * 39 / 2, "{at:#x}");
    }
}

#[test]
fn callers_are_written_while_they_wait() {
    // What follows the call, its own slot, the call itself; from one call deep and two.
    for (place, deep) in [
        ("back", 0),
        ("back", 1),
        ("slot", 0),
        ("call", 0),
        ("call", 1),
        ("far", 1),
    ] {
        let new = if place == "call" { "$a7" } else { "$t0" };
        let text = format!(
            "li64 $t1, {place}
            li64 $a7, {jump:#x}
            or $t8, $zero, $zero
            loop: daddu $t0, $t3, $s3
            daddu $a7, $a7, $t8
            call: jal {outer:#x}
            slot: {PATCHED}
            back: {PATCHED}
            {BEHIND}
            nop
            far: {PATCHED}
            {BEHIND}",
            jump = 0x0c00_0000 | (CODE + 0x4000) >> 2 & 0x3ff_ffff,
            outer = CODE + if deep == 0 { 0x4000 } else { 0x5000 },
        );
        let inner = format!("sw {new}, 0($t1)\njr $ra\nnop");
        let outer = format!(
            "or $s5, $ra, $zero\njal {:#x}\nnop\nor $ra, $s5, $zero\njr $ra\nnop",
            CODE + 0x4000
        );
        let start = rounds(&text)
            .code(CODE + 0x4000, &inner)
            .code(CODE + 0x5000, &outer);
        check(&start, 4000);
    }
}

#[test]
fn a_recursion_writes_what_it_returns_to() {
    let text = "loop: jal f
        addiu $a6, $zero, 12
        beq $zero, $zero, end
        nop
        f: beq $a6, $zero, deepest
        sw $ra, 0($sp)
        daddiu $sp, $sp, -8
        jal f
        addiu $a6, $a6, -1
        here: addiu $t2, $zero, 0
        daddu $s1, $s1, $t2
        daddiu $sp, $sp, 8
        lw $ra, 0($sp)
        jr $ra
        nop
        deepest: li64 $t1, here
        daddu $t0, $t3, $s3
        jr $ra
        sw $t0, 0($t1)
        end: nop";
    let start = rounds(text).with("sp", 0x7000_0000).with("s4", 20);
    assert_eq!(check(&start, 6000).register("s1"), 12 * 19 * 20 / 2);
}

#[test]
fn instructions_become_others_of_all_kinds() {
    let kinds = [
        "syscall",
        "addiu $t2, $zero, 5",
        "beq $zero, $zero, 0x50000008",
        "bne $s3, $s4, 0x50000008",
        "jr $ra",
        "jalr $t9, $ra",
        "sw $s3, 0($a0)",
        "ll $t2, 0($a0)",
        "ddiv $s3, $s4",
        "nop",
    ];
    // Wherever the branches are put, they go a little further.
    let words: Vec<u64> = kinds.iter().map(|kind| word(kind)).collect();
    for end in [words[0], 0x0000_000d, 0x0000_001a, word("jr $s3")] {
        let mut words = words.clone();
        words.push(end);
        let text = "li64 $t1, here
            loop: ld $t0, 0($s5)
            jal f
            daddiu $s5, $s5, 8
            bne $zero, $s3, on
            nop
            on: b: nop
            beq $zero, $zero, next
            nop
            f: or $s6, $ra, $zero
            sw $t0, 0($t1)
            here: nop
            nop
            nop
            or $ra, $s6, $zero
            jr $ra
            nop
            next: nop"
            .replace("on: b:", "on:");
        let list: Vec<u64> = (0..200).map(|n| words[n * 7 % words.len()]).collect();
        let start = rounds(&text)
            .words(0x6000_0000, &list)
            .with("s5", 0x6000_0000);
        let start = start
            .with("a0", 0x7000_0000)
            .with("v0", 5178)
            .with("s4", 60);
        let trace = Trace::new(&start, 900);
        trace.run_in_pieces(1);
        trace.run_in_pieces(2);
    }
}

#[test]
fn system_calls_write_code() {
    // read of a pre-image, eight bytes at a time.
    let callee = format!("{PATCHED}\n{BEHIND}\njr $ra\nnop");
    let call = |text: &str| {
        format!(
            "loop: jal {:#x}\nnop\n{text}\njal {:#x}\nnop",
            CODE + 0x2000,
            CODE + 0x2000
        )
    };
    let text = call(
        "addiu $v0, $zero, 5000\naddiu $a0, $zero, 5\nor $a1, $t1, $zero\naddiu $a2, $zero, 8\nsyscall\naddiu $v0, $zero, 5205",
    );
    let image = (0..40).flat_map(|n| ((word(PATCHED) + n) << 32 | word(BEHIND)).to_be_bytes());
    let start = rounds(&text)
        .code(CODE + 0x2000, &callee)
        .image(image.collect());
    let trace = check(&start.with("t1", CODE + 0x2000), 4000);
    assert_eq!(trace.register("s1"), 39 * 40 / 2 + 38 * 39 / 2);
    // clock_gettime writes zeros; then the code comes back.
    let text = call(
        "addiu $v0, $zero, 5222\nor $a0, $zero, $zero\nor $a1, $t1, $zero\nsyscall\nsd $t3, 0($t1)\nld $a4, 0($a7)\nsd $a4, 8($t1)",
    );
    let text = format!("{text}\naddiu $v0, $zero, 5205");
    let (code, tail) = (
        word("addiu $t2, $zero, 5") << 32 | word(BEHIND),
        word("jr $ra") << 32,
    );
    let start = rounds(&text)
        .code(CODE + 0x2000, &callee)
        .words(0x6000_0000, &[tail]);
    let start = start
        .with("t1", CODE + 0x2000)
        .with("a7", 0x6000_0000)
        .with("t3", code);
    let trace = check(&start, 4000);
    assert_eq!(trace.register("s1"), 5 * 79);
}

#[test]
fn random_bytes_become_code() {
    for pad in 0..24 {
        let text = format!(
            "{}loop: jal {:#x}
            nop
            addiu $v0, $zero, 5313
            or $a0, $t1, $zero
            addiu $a1, $zero, 4
            syscall
            addiu $v0, $zero, 5205",
            "nop\n".repeat(pad),
            CODE + 0x2000
        );
        let callee = "nop\naddiu $t2, $t2, 3\nor $ra, $s7, $zero\njr $ra\nnop";
        let here = CODE + 4 * (pad as u64 + 2);
        let start = rounds(&text)
            .code(CODE + 0x2000, callee)
            .with("t1", CODE + 0x2000)
            .with("s7", here);
        let trace = Trace::new(&start, 400);
        trace.run_in_pieces(1);
    }
}

#[test]
fn data_lies_beside_code() {
    for data in [CODE + 0x40, CODE + 0x48, CODE + 0xff8, CODE - 8] {
        let text = "loop: ld $t0, 0($t1)
            daddu $t0, $t0, $s3
            sd $t0, 0($t1)
            daddu $s1, $s1, $t0";
        let start = rounds(text).with("t1", data).with("s4", 300);
        let trace = Trace::new(&start, 2000);
        for hot in [1, 5] {
            assert!(trace.run_in_pieces(hot) > 0);
        }
    }
}

#[test]
fn code_that_never_rests_is_left_to_the_interpreter() {
    // Both the code that is written and what writes it, on one page and on two.
    for at in [0x100, 0x2000] {
        let text = format!(
            "loop: daddu $t0, $t3, $s3\nsw $t0, 0($t1)\njal {:#x}\nnop",
            CODE + at
        );
        let callee = format!("{PATCHED}\n{BEHIND}\njr $ra\nnop");
        let start = rounds(&text)
            .code(CODE + at, &callee)
            .with("t1", CODE + at)
            .with("s4", 20_000);
        let (mut plain, mut native) = (start.machine(None), start.machine(Some(1)));
        assert_eq!(run(&mut plain, 1 << 30), None);
        assert_eq!(run(&mut native, 1 << 30), None);
        assert_eq!(native.state(), plain.state());
        assert_eq!(native.witness().unwrap(), plain.witness().unwrap());
        let registers = &native.state().thread().unwrap().registers;
        let gathered =
            (0..20_000).fold(0u64, |sum, n| sum.wrapping_add(i64::from(n as i16) as u64));
        assert_eq!(registers[register("s1")], gathered);
        assert!(
            statistics(&native).regions < 200,
            "{:?}",
            statistics(&native)
        );
    }
}
