//! Machines over memory a page of which cannot be loaded: they say so, instead of giving
//! out what follows from wrong bytes.

use crate::harness::{Start, lazily};
use carronade_emulator::codec::{Packing, write_state};
use carronade_emulator::machine::{Cause, Machine, Stop, VmError, Watch};
use carronade_emulator::memory::Memory;

const DATA: u64 = 0xC0_0000_0000;
const PAGE: u64 = DATA >> 12;

/// A machine whose second step loads where its third jumps to, from a page that is lost.
fn machine(memory: Memory) -> Machine {
    let start = Start::program("nop\nld $t1, 8($t0)\njr $t1\nnop")
        .with("t0", DATA)
        .word(DATA + 8, 0x4000);
    lazily(start.machine(Memory::new()), memory, Some(PAGE))
}

#[track_caller]
fn is_lost<T: std::fmt::Debug>(result: Result<T, VmError>) {
    let error = result.expect_err("the page is lost");
    let Cause::Page(page) = &error.cause else {
        panic!("{error}");
    };
    assert_eq!(page.page, PAGE);
}

#[track_caller]
fn gives_nothing_out(machine: &mut Machine) {
    is_lost(machine.run(1000, Watch::Nothing));
    is_lost(machine.run(0, Watch::Nothing));
    is_lost(machine.prove());
    is_lost(machine.witness());
    for packing in [Packing::Plain, Packing::Gzip] {
        let written = write_state(&mut Vec::new(), packing, machine.state(), machine.memory());
        assert!(
            written
                .unwrap_err()
                .to_string()
                .contains("cannot be loaded")
        );
    }
}

#[test]
fn a_run_over_a_lost_page_fails() {
    let mut machine = machine(Memory::new());
    if machine.memory().failure().is_none() {
        assert_eq!(machine.run(1, Watch::Nothing).unwrap(), Stop::Step);
        machine.witness().unwrap();
        machine.prove().unwrap_err();
    }
    gives_nothing_out(&mut machine);
}

#[test]
fn a_proof_over_a_lost_page_fails() {
    let mut machine = machine(Memory::new());
    let _ = machine.run(1, Watch::Nothing);
    is_lost(machine.prove());
    gives_nothing_out(&mut machine);
}

#[test]
fn a_state_with_a_lost_page_is_not_written() {
    let machine = machine(Memory::new());
    let mut bytes = Vec::new();
    write_state(
        &mut bytes,
        Packing::Plain,
        machine.state(),
        machine.memory(),
    )
    .unwrap_err();
}

#[test]
fn a_page_that_is_lost_at_once_is_known_at_once() {
    gives_nothing_out(&mut machine(Memory::without_reservation()));
}
