//! Machines with native code in several threads of this process.

use crate::harness::{CODE, Start, run, statistics};
use carronade_emulator::machine::Machine;
use carronade_translator::Exit;

/// Recursion deeper than the native stack, some times, with stores; `salt` makes it differ.
fn start(salt: u64) -> Start {
    let text = "loop: jal f
        ori $a4, $zero, 40000
        daddiu $s3, $s3, 1
        bne $s3, $s4, loop
        nop
        syscall
        f: sd $ra, 0($sp)
        beq $a4, $zero, out
        daddiu $sp, $sp, -16
        jal f
        addiu $a4, $a4, -1
        out: daddiu $sp, $sp, 16
        ld $ra, 0($sp)
        daddu $s1, $s1, $s7
        dsll $t0, $s1, 7
        xor $s1, $s1, $t0
        jr $ra
        nop";
    let start = Start::at(CODE + 16 * salt, text).with("sp", 0x7000_0000 + (salt << 20));
    start
        .with("s7", salt)
        .with("s3", 0)
        .with("s4", 5)
        .with("v0", 5205)
}

fn finish(mut machine: Machine) -> Machine {
    assert_eq!(run(&mut machine, 1 << 30), None);
    assert!(machine.state().exited);
    machine
}

#[test]
fn machines_run_side_by_side() {
    let wanted: Vec<_> = (0..4)
        .map(|salt| finish(start(salt).machine(None)).witness().unwrap())
        .collect();
    let threads: Vec<_> = (0..8u64)
        .map(|n| {
            let machine = move || {
                let machine = finish(start(n % 4).machine(Some(1 + n as u16)));
                let steps = machine.state().step;
                let statistics = statistics(&machine);
                assert!(statistics.native_steps > steps / 2, "{statistics:?}");
                assert!(statistics.exits[Exit::Depth as usize] > 0, "{statistics:?}");
                machine
            };
            // As much stack as native code may use, and some.
            std::thread::Builder::new()
                .stack_size(512 << 10)
                .spawn(machine)
                .unwrap()
        })
        .collect();
    for (n, thread) in threads.into_iter().enumerate() {
        // Each lives on in this thread.
        let mut machine = thread.join().unwrap();
        assert_eq!(machine.witness().unwrap(), wanted[n % 4]);
    }
}

#[test]
fn a_machine_moves_between_threads() {
    let wanted = finish(start(5).machine(None)).witness().unwrap();
    let mut machine = start(5).machine(Some(1));
    for until in (0..).step_by(100_000) {
        let piece = std::thread::spawn(move || {
            assert_eq!(run(&mut machine, until), None);
            machine
        });
        machine = piece.join().unwrap();
        if machine.state().exited {
            break;
        }
    }
    assert_eq!(machine.witness().unwrap(), wanted);
}
