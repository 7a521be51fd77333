//! Guests that do what the contract would refuse.

use crate::support::*;
use carronade_emulator::state::State;

const SYSCALL: u32 = 0x0000_000c;

/// Runs instructions to their fault, without and with symbols.
fn fault(words: &[u32], prepare: impl FnOnce(&mut State), want: &[&str]) {
    let sandbox = Sandbox::new();
    sandbox.program(words, prepare);
    let ran = sandbox
        .run("program.bin", &["--info-at", "never"])
        .fails(2, want);
    assert!(ran.stderr.contains("!unknown") && !ran.stderr.contains("backtrace"));
    let flags = [
        "run",
        "--input",
        "program.bin",
        "--info-at",
        "never",
        "--debug-info",
        "info.json",
    ];
    let ran = sandbox.call(&flags).fails(2, want);
    assert!(
        ran.stderr.contains("in main") || ran.stderr.contains("in !start"),
        "{}",
        ran.stderr
    );
    assert!(
        ran.stderr.contains("\nguest backtrace (thread 0"),
        "{}",
        ran.stderr
    );
    assert_eq!(
        sandbox.files(),
        ["meta.json", "program.bin"],
        "nothing is written"
    );
}

#[test]
fn invalid_instruction() {
    fault(
        &[0, 0, 0x0000_000d],
        |_| (),
        &["step 2 ", "pc 0x1008", "0x0000000d", "invalid instruction"],
    );
}

#[test]
fn unknown_system_call() {
    fault(
        &[0, SYSCALL],
        |state| state.left.threads[0].registers[2] = 4242,
        &["step 1 ", "pc 0x1004", "0x0000000c syscall", "4242"],
    );
}

#[test]
fn branch_in_delay_slot() {
    // j 0x1010, and j again in its delay slot.
    fault(
        &[0x0800_0404, 0x0800_0404],
        |_| (),
        &["step 1 ", "pc 0x1004", "branch in delay slot"],
    );
}

#[test]
fn division_by_zero() {
    // ddivu $t0, $zero
    fault(
        &[0x0100_001f],
        |_| (),
        &["step 0 ", "pc 0x1000", "0x0100001f", "division by zero"],
    );
}

#[test]
fn unaligned_pc() {
    // jr $t0
    fault(
        &[0x0100_0008, 0],
        |state| state.left.threads[0].registers[8] = 0xf02,
        &["step 2 ", "pc 0xf02", "unaligned"],
    );
}

#[test]
fn preimage_without_a_host() {
    // A read of descriptor 5 with a key that is not zero.
    let prepare = |state: &mut State| {
        state.preimage_key = [2; 32];
        let thread = &mut state.left.threads[0];
        (
            thread.registers[2],
            thread.registers[4],
            thread.registers[5],
            thread.registers[6],
        ) = (5000, 5, 0x8000, 8);
    };
    let sandbox = Sandbox::new();
    sandbox.program(&[SYSCALL], prepare);
    let want = ["step 0 ", "in main", &"02".repeat(32), "host"];
    let ran = sandbox
        .call(&["run", "--input", "program.bin", "--info-at", "never"])
        .fails(2, &want);
    // The guest did nothing wrong, so how it got here is beside the point.
    assert!(!ran.stderr.contains("backtrace"), "{}", ran.stderr);
}

#[test]
fn no_thread_to_run() {
    let sandbox = Sandbox::new();
    sandbox.program(&[0], |state| state.left.threads.clear());
    sandbox
        .run("program.bin", &[])
        .fails(2, &["step 0 ", "thread"]);
}

#[test]
fn faults_in_a_step_to_prove_are_the_same() {
    let sandbox = Sandbox::new();
    sandbox.program(&[0x0000_000d], |_| ());
    sandbox
        .run("program.bin", &["--proof-at", "=0"])
        .fails(2, &["step 0 ", "pc 0x1000", "invalid instruction"]);
    assert_eq!(sandbox.files(), ["meta.json", "program.bin"]);
}

#[test]
fn the_backtrace_names_the_callers() {
    let sandbox = Sandbox::new();
    // jal helper; at helper: invalid.
    let mut words = [0; 9];
    (words[0], words[8]) = (0x0c00_0408, 0x0000_000d);
    sandbox.program(&words, |_| ());
    let ran = sandbox
        .call(&["run", "--input", "program.bin"])
        .fails(2, &["pc 0x1020 in helper"]);
    let trace: Vec<_> = ran
        .stderr
        .split("guest backtrace")
        .nth(1)
        .unwrap()
        .lines()
        .skip(1)
        .collect();
    assert_eq!(trace.len(), 2, "{}", ran.stderr);
    assert!(trace[0].ends_with("0x1020 helper") && trace[1].ends_with("0x1008 main"));
}
