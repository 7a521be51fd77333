//! Threads: the quantum, cloning, yielding, exiting.

use crate::harness::{CODE, Start};
use carronade_emulator::machine::{Stop, Watch};
use carronade_emulator::memory::Memory;
use carronade_emulator::state::{Flag, State, Thread};
use carronade_emulator::step::SCHED_QUANTUM;
use carronade_emulator::witness::verify;

const LOOP: &str = "loop: beq $zero, $zero, loop\naddiu $t0, $t0, 1";

fn ids(threads: &[Thread]) -> Vec<u64> {
    threads.iter().map(|thread| thread.id).collect()
}

/// Direction, the left stack and the right one, bottom first.
fn stacks(state: &State) -> (bool, Vec<u64>, Vec<u64>) {
    (
        state.traverse_right.get(),
        ids(&state.left.threads),
        ids(&state.right.threads),
    )
}

/// A start with more threads below the running one, numbered from 1 at the top, each at
/// its own copy of the code.
fn with_threads(mut start: Start, count: u64) -> Start {
    for id in 1..=count {
        let thread = Thread {
            id,
            ..start.thread().clone()
        };
        start.state.left.threads.insert(0, thread);
    }
    start.state.next_thread_id = count + 1;
    start
}

#[test]
fn a_single_thread_is_preempted_to_the_other_side() {
    let mut start = Start::program(LOOP);
    start.state.steps_since_context_switch = SCHED_QUANTUM - 3;
    let before = start.run(3).state;
    assert_eq!(
        (stacks(&before), before.steps_since_context_switch),
        ((false, vec![0], vec![]), SCHED_QUANTUM)
    );
    let after = start.run(4).state;
    assert_eq!(
        (stacks(&after), after.steps_since_context_switch),
        ((true, vec![], vec![0]), 0)
    );
    assert_eq!(
        before.thread().unwrap(),
        after.thread().unwrap(),
        "the step was the scheduler's"
    );
    assert_eq!(start.run(5).state.steps_since_context_switch, 1);
}

#[test]
fn long_runs_toggle_at_every_quantum() {
    assert_eq!(SCHED_QUANTUM, 100_000, "the reference's");
    let start = Start::program(LOOP).with("t0", 0);
    // A quantum is 100,000 instructions and the step of the preemption.
    for (until, right, since) in [
        (SCHED_QUANTUM, false, SCHED_QUANTUM),
        (SCHED_QUANTUM + 1, true, 0),
        (2 * SCHED_QUANTUM + 1, true, SCHED_QUANTUM),
        (2 * SCHED_QUANTUM + 2, false, 0),
        (2 * SCHED_QUANTUM + 12, false, 10),
    ] {
        let end = start.run_unproven(until);
        assert_eq!(end.state.traverse_right.get(), right, "at {until}");
        assert_eq!(end.state.steps_since_context_switch, since, "at {until}");
    }
    assert_eq!(
        start.run_unproven(2 * SCHED_QUANTUM + 12).register("t0"),
        SCHED_QUANTUM + 5
    );
}

#[test]
fn a_count_past_the_quantum_is_preempted_at_once() {
    for since in [SCHED_QUANTUM, SCHED_QUANTUM + 1, u64::MAX] {
        let mut start = Start::program(LOOP);
        start.state.steps_since_context_switch = since;
        let end = start.run(1);
        assert_eq!(
            (stacks(&end.state).0, end.state.steps_since_context_switch),
            (true, 0)
        );
        assert_eq!(end.state.thread().unwrap().pc, CODE);
    }
}

#[test]
fn preemption_takes_turns_and_comes_back() {
    let mut start = with_threads(Start::program(LOOP), 2);
    let expected = [
        (false, vec![2, 1], vec![0]),
        (false, vec![2], vec![0, 1]),
        (true, vec![], vec![0, 1, 2]),
        (true, vec![2], vec![0, 1]),
        (true, vec![2, 1], vec![0]),
        (false, vec![2, 1, 0], vec![]),
    ];
    for expected in expected {
        start.state.steps_since_context_switch = SCHED_QUANTUM;
        let end = start.run(start.state.step + 1);
        assert_eq!(stacks(&end.state), expected);
        start.state = end.state;
    }
}

#[test]
fn a_clone_runs_next_with_a_fresh_quantum() {
    let mut start = Start::program("syscall\naddiu $t0, $zero, 5");
    start.state.steps_since_context_switch = 77;
    start.state.next_thread_id = 9;
    let start = start
        .with("v0", 5055)
        .with("a0", 0x50f00)
        .with("a1", 0x7000)
        .with("a3", 3);
    let end = start.run(1);
    assert_eq!(stacks(&end.state), (false, vec![0, 9], vec![]));
    assert_eq!(
        (
            end.state.steps_since_context_switch,
            end.state.next_thread_id
        ),
        (0, 10)
    );
    let child = end.state.thread().unwrap();
    assert_eq!(
        ["v0", "a3", "sp"].map(|name| end.register(name)),
        [0, 0, 0x7000]
    );
    let parent = &end.state.left.threads[0];
    assert_eq!((parent.registers[2], parent.registers[7]), (9, 0));
    assert_eq!((child.pc, child.next_pc), (parent.pc, parent.next_pc));
    assert_eq!(
        (child.hi, child.lo, child.registers[31]),
        (parent.hi, parent.lo, parent.registers[31])
    );
    assert_eq!(start.run(2).register("t0"), 5);
}

#[test]
fn a_clone_with_other_flags_ends_the_program() {
    let end = Start::program("syscall")
        .with("v0", 5055)
        .with("a0", 0x50f01)
        .run(9);
    assert_eq!(
        (end.state.exited, end.state.exit_code, end.state.step),
        (true, 2, 1)
    );
    assert_eq!(end.state.thread().unwrap().pc, CODE);
}

#[test]
fn yields_move_the_thread_and_answer_0() {
    for call in [5023, 5034] {
        let start = with_threads(Start::program("syscall"), 1)
            .with("v0", call)
            .with("a3", 5);
        let end = start.run(1);
        assert_eq!(stacks(&end.state), (false, vec![1], vec![0]));
        assert_eq!(end.state.steps_since_context_switch, 0);
        let thread = &end.state.right.threads[0];
        assert_eq!(
            (thread.registers[2], thread.registers[7], thread.pc),
            (0, 0, CODE + 4)
        );
    }
}

#[test]
fn futex_never_blocks() {
    for (operation, value, yields, result) in [
        (128, 5, true, (0, 0)),
        (128, 0x1_0000_0005, true, (0, 0)),
        (128, 6, false, (11, u64::MAX)),
        (129, 6, true, (0, 0)),
        (130, 5, false, (22, u64::MAX)),
    ] {
        // The address is rounded down to 4 bytes.
        let start = with_threads(Start::program("syscall"), 1)
            .word(0x2000, 5)
            .with("v0", 5194);
        let end = start
            .with("a0", 0x2007)
            .with("a1", operation)
            .with("a2", value)
            .run(1);
        let stack = if yields {
            &end.state.right
        } else {
            &end.state.left
        };
        let thread = stack.threads.last().unwrap();
        assert_eq!(
            (thread.id, (thread.registers[2], thread.registers[7])),
            (0, result)
        );
    }
}

#[test]
fn an_exited_thread_is_popped_by_a_step_of_its_own() {
    let start = with_threads(Start::program("syscall"), 1)
        .with("v0", 5058)
        .with("a0", 0x107);
    let end = start.run(1);
    assert_eq!(stacks(&end.state), (false, vec![1, 0], vec![]));
    let thread = end.state.thread().unwrap();
    assert_eq!(
        (thread.exited, thread.exit_code, thread.pc),
        (Flag(1), 7, CODE)
    );
    assert!(!end.state.exited);
    let end = start.run(2);
    assert_eq!(stacks(&end.state), (false, vec![1], vec![]));
    assert_eq!(end.state.steps_since_context_switch, 0);
}

#[test]
fn popping_the_last_of_a_side_turns_the_direction() {
    let mut start = Start::program("syscall").with("v0", 5058).with("a0", 1);
    let other = Thread {
        id: 4,
        ..start.thread().clone()
    };
    start.state.right.threads.push(other);
    assert_eq!(stacks(&start.run(2).state), (true, vec![], vec![4]));
    let end = start.run(9);
    assert_eq!(
        (end.state.exited, end.state.exit_code, end.state.step),
        (true, 1, 3)
    );
    assert_eq!(
        stacks(&end.state),
        (true, vec![], vec![4]),
        "the last thread stays"
    );
}

#[test]
fn the_last_thread_ends_the_program_and_the_counter() {
    let start = Start::program("syscall").with("v0", 5058).with("a0", 0x1ff);
    let end = start.run(1000);
    assert_eq!(
        (end.state.exited, end.state.exit_code, end.state.step),
        (true, 255, 1)
    );
    let start = with_threads(Start::program("syscall"), 3)
        .with("v0", 5205)
        .with("a0", 3);
    let end = start.run(1000);
    assert_eq!(
        (end.state.exited, end.state.exit_code, end.state.step),
        (true, 3, 1)
    );
}

/// Such a state has no successor: popping its only thread leaves nothing to run.
#[test]
fn an_exited_thread_without_others_is_refused() {
    let mut start = Start::program("nop");
    start.thread().exited = Flag(1);
    let (end, fault) = (start.run_unproven(5), "active thread stack is empty");
    assert_eq!((end.fault().as_str(), end.state.step), (fault, 0));
    let mut start = Start::program("nop");
    start.state.traverse_right = Flag(1);
    assert_eq!(start.run_unproven(5).fault(), fault);
}

#[test]
fn an_exited_machine_steps_in_place() {
    let start = Start::program("syscall").with("v0", 5205).with("a0", 0);
    let mut machine = start.machine(Memory::new());
    assert_eq!(machine.run(10, Watch::Nothing).unwrap(), Stop::Exited);
    for _ in 0..2 {
        let proof = machine.prove().unwrap();
        assert_eq!((proof.step, proof.pre), (1, proof.post));
        let version = machine.state().version;
        assert_eq!(verify(version, &proof), Ok(proof.post));
    }
}

#[test]
fn threads_take_turns_over_a_long_run() {
    // Three threads that count and yield, one that only counts, for several quanta.
    let text = "loop: addiu $t0, $t0, 1\nbeq $t1, $zero, loop\naddiu $v0, $zero, 5023
        syscall\nbeq $zero, $zero, loop\nnop";
    let mut start = with_threads(Start::program(text), 3)
        .with("t0", 0)
        .with("t1", 0);
    for thread in &mut start.state.left.threads {
        thread.registers[12] = 0;
    }
    start.run_unproven(250_000);
    // The same near a quantum's end, with proofs.
    start.state.steps_since_context_switch = SCHED_QUANTUM - 20;
    start.run(100);
}
