//! Runs stop exactly wherever they are to stop, and any engine goes on from there.

use crate::harness::{CODE, Start, Trace, numbers, statistics};
use carronade_emulator::machine::{Stop, Watch};

/// Programs that together have every way of going on: loops in loops, calls in calls,
/// recursion, jumps through registers, reservations, system calls, divisions that fail,
/// and more threads than one.
fn programs() -> Vec<(&'static str, Start)> {
    let loops = "outer: addiu $a4, $zero, 3
        inner: daddu $s1, $s1, $a4
        sd $s1, 0($t1)
        ld $t2, 0($t1)
        addiu $a4, $a4, -1
        bne $a4, $zero, inner
        dsll $s1, $s1, 1
        daddiu $s3, $s3, 1
        bne $s3, $s4, outer
        mult $s1, $s3
        mflo $s5
        syscall";
    let calls = "outer: jal f
        addiu $a4, $zero, 4
        jalr $t9, $t8
        nop
        daddiu $s3, $s3, 1
        bne $s3, $s4, outer
        nop
        syscall
        f: sd $ra, 0($sp)
        beq $a4, $zero, out
        daddiu $sp, $sp, -16
        jal f
        addiu $a4, $a4, -1
        out: daddiu $sp, $sp, 16
        ld $ra, 0($sp)
        daddu $s1, $s1, $a4
        jr $ra
        daddiu $s1, $s1, 1";
    let reservations = "outer: ll $t0, 0($t1)
        addiu $t0, $t0, 1
        sc $t0, 0($t1)
        lld $t2, 8($t1)
        daddu $t2, $t2, $s3
        bne $t0, $zero, on
        nop
        daddiu $s1, $s1, 1
        on: scd $t2, 8($t1)
        ll $t0, 0($t1)
        sw $s3, 0($t1)
        sc $s3, 4($t1)
        or $s3, $s6, $zero
        daddiu $s6, $s6, 1
        daddiu $s3, $s3, 1
        bne $s3, $s4, outer
        nop
        syscall";
    let system_calls = "outer: addiu $v0, $zero, 5178
        syscall
        daddu $s1, $s1, $v0
        addiu $v0, $zero, 5023
        beq $s3, $s1, outer
        syscall
        addiu $v0, $zero, 5313
        or $a0, $t1, $zero
        addiu $a1, $zero, 8
        syscall
        ld $t0, 0($t1)
        daddu $s1, $s1, $t0
        addiu $v0, $zero, 5205
        daddiu $s3, $s3, 1
        bne $s3, $s4, outer
        nop
        syscall";
    let fault = "outer: daddiu $s5, $s5, -1
        ddivu $s4, $s5
        mflo $t0
        bne $s5, $s1, outer
        ddiv $s4, $s5";
    // Two threads count in one place.
    let threads = "addiu $v0, $zero, 5055
        lui $a0, 0x35
        ori $a0, $a0, 0xf00
        syscall
        outer: ll $t0, 0($t1)
        addiu $t0, $t0, 1
        sc $t0, 0($t1)
        beq $t0, $zero, outer
        addiu $v0, $zero, 5023
        daddiu $s3, $s3, 1
        andi $t0, $s3, 3
        bne $t0, $zero, outer
        nop
        syscall
        bne $s3, $s4, outer
        nop
        addiu $v0, $zero, 5205
        syscall";
    let add = |text: &str, rounds: u64| {
        let start = Start::program(text)
            .with("t1", 0x7000_0000)
            .with("v0", 5205);
        let start = start
            .with("sp", 0x7000_8000)
            .with("t8", CODE + 32)
            .with("s6", 0);
        start.with("s1", 0).with("s3", 0).with("s4", rounds)
    };
    vec![
        ("loops", add(loops, 8)),
        ("calls", add(calls, 6)),
        ("reservations", add(reservations, 12)),
        ("system calls", add(system_calls, 12)),
        ("fault", add(fault, 40).with("s5", 40).with("s1", 0)),
        ("threads", add(threads, 12)),
    ]
}

#[test]
fn runs_stop_at_every_step() {
    for (name, start) in programs() {
        let trace = Trace::new(&start, 330);
        let mut native = 0;
        for until in 0..=trace.end() {
            let mut machine = start.machine(Some(1 + until as u16 % 2));
            trace.run(&mut machine, until, until % 4 == 0, name);
            native += statistics(&machine).native_steps;
        }
        assert!(native > trace.steps(), "{name}: {native}");
        trace.run_in_pieces(1);
    }
}

#[test]
fn quanta_end_where_they_should() {
    // The thread is preempted in the middle, at every place.
    for (name, mut start) in programs() {
        for left in (1..120).step_by(3) {
            start.state.steps_since_context_switch = 100_000 - left;
            let trace = Trace::new(&start, left + 40);
            let mut machine = start.machine(Some(1));
            trace.run(&mut machine, trace.end(), true, name);
        }
    }
}

#[test]
fn engines_may_change_at_every_step() {
    for (name, start) in programs() {
        let trace = Trace::new(&start, 250);
        // One to the other once, at every step; then each step by another.
        for at in 0..trace.steps() {
            for first in [None, Some(1)] {
                let mut machine = start.machine(first);
                trace.run(&mut machine, at, false, name);
                let (state, memory) = machine.into_parts();
                let second = first.xor(Some(1));
                let mut machine = start.resume(state, memory, second);
                let error = crate::harness::run(&mut machine, start.state.step + trace.end());
                assert_eq!(error, trace.error, "{name}");
                trace.check(&mut machine, at % 4 == 0, name);
            }
        }
        let mut random = numbers(1);
        let (mut at, mut machine) = (0, start.machine(None));
        while at < trace.end() {
            at = trace.end().min(at + random() % 9);
            let (state, memory) = machine.into_parts();
            machine = start.resume(
                state,
                memory,
                [None, Some(1), Some(2)][random() as usize % 3],
            );
            let error = crate::harness::run(&mut machine, start.state.step + at);
            assert!(error.is_none() || at > trace.steps());
            trace.check(&mut machine, random().is_multiple_of(2), name);
        }
    }
}

#[test]
fn steps_are_proven_in_between() {
    for (name, start) in programs() {
        let trace = Trace::new(&start, 330);
        let mut random = numbers(2);
        let (mut at, mut machine) = (0, start.machine(Some(1)));
        while at < trace.steps() {
            if random().is_multiple_of(3) {
                at += 1;
                let proof = machine.prove().unwrap();
                assert_eq!(proof.post, machine.witness().unwrap().1);
            } else {
                at = trace.steps().min(at + random() % 40);
                trace.run(&mut machine, at, false, name);
            }
            trace.check(&mut machine, true, name);
        }
    }
}

#[test]
fn reads_of_pre_images_are_stopped_at() {
    let text = "loop: addiu $v0, $zero, 5000
        addiu $a0, $zero, 5
        or $a1, $t1, $zero
        addiu $a2, $zero, 8
        syscall
        ld $t0, 0($t1)
        daddu $s1, $s1, $t0
        addiu $s3, $s3, 1
        bne $s3, $s4, loop
        nop
        syscall";
    let start = Start::program(text)
        .image((0..160).collect())
        .with("t1", 0x7000_0000);
    let start = start.with("s1", 0).with("s3", 0).with("s4", 20);
    let stops = |hot| {
        let mut machine = start.machine(hot);
        let mut stops = Vec::new();
        while machine.run(190, Watch::PreimageReads).unwrap() == Stop::PreimageRead {
            stops.push((machine.state().step, machine.witness().unwrap()));
        }
        (stops, machine.state().clone(), machine.debug_info())
    };
    assert_eq!(stops(Some(1)), stops(None));
    assert_eq!(stops(None).0.len(), 19);
}
