//! Jumps and branches with what follows them.

use crate::harness::{CODE, Start};
use carronade_emulator::step::SCHED_QUANTUM;

#[test]
fn the_slot_runs_once_and_before_the_target() {
    let end = Start::program(
        "addiu $t0, $zero, 3
         addiu $t1, $zero, 0
   loop: bne $t0, $zero, loop
         daddiu $t0, $t0, -1
         addiu $t1, $t1, 1",
    )
    .run(2 + 4 * 2 + 1);
    // The slot also runs after the last test, which does not branch.
    assert_eq!((end.register("t0"), end.register("t1")), (u64::MAX, 1));
    assert_eq!(end.state.thread().unwrap().pc, CODE + 20);
}

#[test]
fn a_branch_in_a_slot_is_refused_where_it_stands() {
    for first in [
        "j 0x20000",
        "jal 0x20000",
        "jr $t0",
        "jalr $ra, $t0",
        "bgezal $zero, 0x20000",
    ] {
        for second in [
            "j 0x20000",
            "beq $t0, $t1, 0x10000",
            "bnever $t0, 0x10000",
            "jr $t0",
        ] {
            let end = Start::program(&format!("{first}\n{second}"))
                .with("t0", 0x20000)
                .run(9);
            assert_eq!(end.fault(), "branch in delay slot", "{first}; {second}");
            let thread = end.state.thread().unwrap();
            assert_eq!(
                (thread.pc, thread.next_pc, end.state.step),
                (CODE + 4, 0x20000, 1)
            );
        }
    }
}

#[test]
fn a_branch_that_is_not_taken_has_no_slot_to_protect() {
    let end = Start::program("bne $zero, $zero, 0x20000\nj 0x30000\naddiu $t0, $zero, 7").run(4);
    assert_eq!(
        (end.register("t0"), end.state.thread().unwrap().pc),
        (7, 0x30004)
    );
    let end = Start::program("bnever $t0, 0x20000\nbeq $zero, $zero, 0x10100\nnop").run(3);
    assert_eq!(end.state.thread().unwrap().pc, 0x10100);
}

/// The check compares addresses, so a jump to its own pc + 8 leaves no trace, and a jump
/// in its slot passes, as in the reference.
#[test]
fn a_jump_over_its_own_slot_hides_the_slot() {
    for first in ["j 0x10008", "jr $t0", "beq $zero, $zero, 0x10008"] {
        let text = format!("{first}\nj 0x20000\naddiu $t1, $zero, 7");
        let end = Start::program(&text).with("t0", CODE + 8).run(4);
        assert_eq!(end.fault(), "");
        assert_eq!(
            (end.register("t1"), end.state.thread().unwrap().pc),
            (7, 0x20004)
        );
    }
}

#[test]
fn a_slot_may_change_what_the_branch_read() {
    let end = Start::program("jr $t0\naddiu $t0, $zero, 0")
        .with("t0", 0x20000)
        .run(3);
    assert_eq!(
        (end.register("t0"), end.state.thread().unwrap().pc),
        (0, 0x20004)
    );
    let end = Start::program("jal 0x20000\ndaddiu $ra, $ra, 4").run(2);
    assert_eq!(end.register("ra"), CODE + 12);
}

#[test]
fn a_slot_may_lie_on_the_next_page() {
    let end = Start::at(0x10ff8, "nop\nj 0x20000\naddiu $t0, $zero, 5").run(3);
    assert_eq!(
        (end.register("t0"), end.state.thread().unwrap().pc),
        (5, 0x20000)
    );
    let end = Start::at(0x10ffc, "bne $t0, $zero, 0x11000\naddiu $t0, $zero, 5").run(3);
    assert_eq!(
        (end.register("t0"), end.state.thread().unwrap().pc),
        (5, 0x11004)
    );
}

#[test]
fn a_fault_in_a_slot_leaves_both_counters() {
    let end = Start::program("j 0x20000\nddiv $t0, $zero").run(9);
    assert_eq!(end.fault(), "division by zero");
    let thread = end.state.thread().unwrap();
    assert_eq!(
        (thread.pc, thread.next_pc, end.state.step),
        (CODE + 4, 0x20000, 1)
    );
}

#[test]
fn a_fault_amid_straight_code_keeps_what_came_before() {
    let end =
        Start::program("addiu $t0, $zero, 1\naddiu $t1, $zero, 2\ndiv $t0, $zero\nnop").run(9);
    assert_eq!(
        (end.fault().as_str(), end.state.step),
        ("division by zero", 2)
    );
    assert_eq!((end.register("t0"), end.register("t1")), (1, 2));
    assert_eq!(end.state.thread().unwrap().pc, CODE + 8);
}

#[test]
fn a_system_call_in_a_slot_returns_to_the_target() {
    let end = Start::program("j 0x20000\nsyscall").with("v0", 5038).run(3);
    assert_eq!(
        (end.register("v0"), end.state.thread().unwrap().pc),
        (0, 0x20004)
    );
    // A new thread begins where its parent goes on.
    let end = Start::program("j 0x20000\nsyscall")
        .with("v0", 5055)
        .with("a0", 0x50f00)
        .run(2);
    let pcs: Vec<u64> = end
        .state
        .left
        .threads
        .iter()
        .map(|thread| thread.pc)
        .collect();
    assert_eq!(pcs, [0x20000, 0x20000]);
}

#[test]
fn a_thread_may_be_preempted_before_its_slot() {
    let mut start = Start::program("j 0x20000\naddiu $t0, $zero, 5");
    start.state.steps_since_context_switch = SCHED_QUANTUM - 1;
    let end = start.run(2);
    let thread = end.state.thread().unwrap();
    assert_eq!((thread.pc, thread.next_pc), (CODE + 4, 0x20000));
    assert!(end.state.traverse_right.get());
    assert_eq!(start.run(4).register("t0"), 5);
}

#[test]
fn a_call_comes_back_past_its_slot() {
    let end = Start::program(
        "      jal twice
               addiu $a0, $zero, 21
               daddu $t0, $v0, $zero
         end:  beq $zero, $zero, end
               nop
        twice: jr $ra
               daddu $v0, $a0, $a0",
    )
    .run(5);
    assert_eq!(end.register("t0"), 42);
}

#[test]
fn an_unaligned_target_faults_at_its_fetch_after_the_slot() {
    let end = Start::program("jr $t0\naddiu $t1, $zero, 5")
        .with("t0", 0x20002)
        .run(9);
    assert_eq!(end.fault(), "unaligned instruction fetch at pc 0x20002");
    assert_eq!((end.register("t1"), end.state.step), (5, 2));
}
