//! Crosschecks of accelerators that are right and wrong.

use super::*;
use crate::failure::Failure;
use carronade_emulator::accelerator::Running;
use carronade_emulator::cpu::Width;
use carronade_emulator::leaders::Leaders;
use carronade_emulator::memory::Stored;
use carronade_emulator::oracle::NoOracle;
use carronade_emulator::state::StateVersion;
use carronade_emulator::step::NoOutput;

const START: u64 = 0x10000;
/// Where the wrong accelerator stores.
const SPOILT: u64 = 0x8_0000;

/// What an accelerator does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wrong {
    Nothing,
    /// Changes `$s4` each time it is asked from a step on.
    Register,
    /// Stores to a page each time it is asked from a step on.
    Memory,
}

/// Executes nothing, which is right, but for one thing.
struct Spoiler {
    leaders: Leaders,
    wrong: Wrong,
    from: u64,
}

impl Accelerator for Spoiler {
    fn leaders(&mut self) -> &mut Leaders {
        &mut self.leaders
    }

    fn run(&mut self, running: &mut Running<'_>, _: u64) -> u64 {
        if running.step >= self.from {
            match self.wrong {
                Wrong::Nothing => {}
                Wrong::Register => running.thread.registers[20] = 0xbad,
                Wrong::Memory => {
                    let stored = running.memory.store(SPOILT, Width::Double, 0xbad);
                    assert_eq!(stored, Stored::Data);
                }
            }
        }
        0
    }

    fn forget(&mut self, _: &[u64]) {}

    fn forget_all(&mut self) {}
}

/// A loop of three instructions that counts in `$t0`, without end.
fn start() -> (State, Memory) {
    let mut memory = Memory::new();
    let words = [0x6508_0001_u32, 0x1000_fffe, 0];
    for (n, word) in (0..).zip(words) {
        memory.write(START + 4 * n, &word.to_be_bytes());
    }
    (State::new(StateVersion::V8, START, 1 << 44), memory)
}

fn check(wrong: Wrong, from: u64, until: u64) -> Result<Stop, Ended> {
    let maker: Maker = Box::new(move |_| {
        Ok(Box::new(Spoiler {
            leaders: Leaders::new(u16::MAX),
            wrong,
            from,
        }))
    });
    let about = (Metadata::default(), Logger::new(false));
    let outside = (Box::new(NoOracle), Box::new(NoOutput));
    let (mut first, mut second) =
        Crosscheck::begin(start(), outside.0, outside.1, maker, about).unwrap();
    let stop = second.run(&mut first, until, Watch::Nothing)?;
    second.finish(&first)?;
    assert_eq!(first.state().step, until);
    Ok(stop)
}

#[track_caller]
fn difference(result: Result<Stop, Ended>) -> Difference {
    match result {
        Err(Ended::Differ(difference)) => difference,
        other => panic!("{other:?}"),
    }
}

#[test]
fn equal_machines_stay_equal() {
    let stop = check(Wrong::Nothing, 0, 12_345_678).unwrap();
    assert_eq!(stop, Stop::Step);
}

#[test]
fn a_wrong_register_is_found_and_its_step() {
    let found = difference(check(Wrong::Register, 300_001, 1_000_000));
    assert_eq!(found.to, found.from + 1);
    assert!(found.from >= 300_001);
    assert_eq!(found.lines.len(), 1, "{:?}", found.lines);
    assert!(found.lines[0].contains("$s4") && found.lines[0].ends_with("0x0 against 0xbad"));
    let marked: Vec<_> = found
        .code
        .iter()
        .filter(|line| line.starts_with("=>"))
        .collect();
    assert_eq!(marked.len(), 1);
}

#[test]
fn wrong_memory_is_found_at_the_end_and_its_step() {
    let found = difference(check(Wrong::Memory, 77_777, 500_000));
    assert_eq!(found.to, found.from + 1);
    assert!((77_777..300_000).contains(&found.from), "{}", found.from);
    assert!(found.lines[0].contains("memory"), "{:?}", found.lines);
}

#[test]
fn what_does_not_come_again_is_told_as_it_was_found() {
    let once = std::sync::atomic::AtomicBool::new(true);
    let maker: Maker = Box::new(move |_| {
        let first = once.swap(false, std::sync::atomic::Ordering::Relaxed);
        Ok(Box::new(Spoiler {
            leaders: Leaders::new(u16::MAX),
            wrong: if first {
                Wrong::Register
            } else {
                Wrong::Nothing
            },
            from: 5000,
        }))
    });
    let about = (Metadata::default(), Logger::new(false));
    let outside = (Box::new(NoOracle), Box::new(NoOutput));
    let (mut first, mut second) =
        Crosscheck::begin(start(), outside.0, outside.1, maker, about).unwrap();
    let found = difference(second.run(&mut first, 1_000_000, Watch::Nothing));
    assert!(found.from < found.to && found.lines[0].contains("$s4"));
}

#[test]
fn the_exit_code_is_that_of_an_error() {
    assert_eq!(Failure::EnginesDiffer(String::new()).exit_code(), 1);
}
