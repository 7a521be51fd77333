//! Gas of a step by kind, over all golden vectors: never above the reference's, and as
//! docs/gas.md says. `CARRONADE_WRITE_DOCS=1` writes the file anew.

mod support;

use carronade_contracts::artifact;
use carronade_contracts::stepper::Stepper;
use carronade_emulator::isa::{Instruction, Opcode};
use carronade_emulator::state::Thread;
use carronade_emulator::witness::StepWitness;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use support::calls::{self, CALLS, Cost};

const CONTEXT: [u8; 32] = [7; 32];

/// What a step does, and the most that the reference's MIPS64 1.10.1 needs for it: gas of
/// execution, as measured in an EVM once (0 where it was not).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Arithmetic,
    Control,
    Load,
    Store,
    FailedStore,
    Call,
    Yield,
    FutexWait,
    Clone,
    WriteKey,
    ReadPreimage,
    GetRandom,
    ClockGetTime,
    Scheduler,
}

impl Kind {
    fn describe(self) -> (&'static str, u64) {
        match self {
            Kind::Arithmetic => ("arithmetic, shift, multiplication, division, move", 33_900),
            Kind::Control => ("jump, branch", 32_800),
            Kind::Load => ("load, load-linked", 45_600),
            Kind::Store => ("store, store-conditional", 57_300),
            Kind::FailedStore => ("store-conditional that fails", 57_300),
            Kind::Call => ("system call without memory", 32_800),
            Kind::Yield => ("sched_yield, nanosleep, futex wake", 0),
            Kind::FutexWait => ("futex wait", 43_800),
            Kind::Clone => ("clone", 41_300),
            Kind::WriteKey => ("write to the pre-image key", 43_700),
            Kind::ReadPreimage => ("read of a pre-image, once loaded", 65_800),
            Kind::GetRandom => ("getrandom", 0),
            Kind::ClockGetTime => ("clock_gettime, with two memory proofs", 79_000),
            Kind::Scheduler => ("preemption, end of an exited thread", 16_600),
        }
    }
}

fn kind(witness: &StepWitness) -> Kind {
    let thread = Thread::decode(witness.proof_data.first_chunk().unwrap());
    let since = u64::from_be_bytes(witness.state_data[107..115].try_into().unwrap());
    if thread.exited.get() || since >= 100_000 {
        return Kind::Scheduler;
    }
    let at = 330 + (thread.pc & 31) as usize;
    let word = u32::from_be_bytes(witness.proof_data[at..at + 4].try_into().unwrap());
    let opcode = Instruction::decode(word).opcode();
    match opcode {
        Opcode::syscall => call(&thread),
        Opcode::sc | Opcode::scd if !reserved(witness, &thread, word) => Kind::FailedStore,
        Opcode::sc | Opcode::scd => Kind::Store,
        _ if opcode.transfers_control() => Kind::Control,
        _ => match word >> 26 {
            0x1a | 0x1b | 0x20..=0x27 | 0x30 | 0x34 | 0x37 => Kind::Load,
            0x28..=0x2e | 0x3f => Kind::Store,
            _ => Kind::Arithmetic,
        },
    }
}

fn reserved(witness: &StepWitness, thread: &Thread, word: u32) -> bool {
    let (i, state) = (Instruction::decode(word), &witness.state_data);
    let size = if i.opcode() == Opcode::sc { 1 } else { 2 };
    let address = thread.registers[i.rs() as usize].wrapping_add(i.immediate());
    state[80] == size
        && state[81..89] == address.to_be_bytes()
        && state[89..97] == thread.id.to_be_bytes()
}

fn call(thread: &Thread) -> Kind {
    let [number, a0, a1] = [2, 4, 5].map(|register| thread.registers[register]);
    match (number, a0, a1) {
        (5000, 5, _) => Kind::ReadPreimage,
        (5001, 6, _) => Kind::WriteKey,
        (5055, ..) => Kind::Clone,
        (5194, _, 128) => Kind::FutexWait,
        (5194, _, 129) | (5023 | 5034, ..) => Kind::Yield,
        (5222, 0 | 1, _) => Kind::ClockGetTime,
        (5313, ..) => Kind::GetRandom,
        _ => Kind::Call,
    }
}

/// Least and most gas of execution and of whole transactions.
struct Gas {
    execution: (u64, u64),
    transaction: (u64, u64),
    steps: u64,
}

fn measure() -> BTreeMap<Kind, Gas> {
    let (mut stepper, mut table) = (Stepper::new(), BTreeMap::new());
    let all = [
        support::proofs_of_guests(),
        support::system_calls(),
        support::instructions(),
    ];
    for vector in all.into_iter().flatten() {
        if let Some(data) = &vector.witness.oracle {
            stepper.put(data, CONTEXT);
        }
        let stepped = stepper.step(&vector.witness, CONTEXT);
        assert_eq!(stepped.post, Ok(vector.post), "{}", vector.name);
        let gas = table.entry(kind(&vector.witness)).or_insert(Gas {
            execution: (u64::MAX, 0),
            transaction: (u64::MAX, 0),
            steps: 0,
        });
        let widen = |range: &mut (u64, u64), gas: u64| {
            *range = (range.0.min(gas), range.1.max(gas));
        };
        widen(&mut gas.execution, stepped.gas);
        widen(&mut gas.transaction, stepped.transaction_gas);
        gas.steps += 1;
    }
    table
}

/// The most that a move of the reference's game needs for its execution.
const MOST_OF_A_MOVE: u64 = 224_000;

fn thousands((least, most): (u64, u64)) -> String {
    if least == most {
        return format!("{:.1}", most as f64 / 1e3);
    }
    format!("{:.1} to {:.1}", least as f64 / 1e3, most as f64 / 1e3)
}

const GAME: &str = "
# Gas of a game

In games of full depth (73, split at 30), every call a transaction of its own, its slots not
touched before; gas that is given back is taken off. The last column is what the reference's
contracts need, as far as somebody measured it: in a game of another course, and in part with
slots that had been touched before, without which its `resolve`, say, cannot cost that little.
Pre-images have 64 to 1,024 bytes, a blob's element includes the 50 of the precompile.

| call | execution | transaction | reference |
| --- | --- | --- | --- |
";

fn document(table: &BTreeMap<Kind, Gas>, costs: &BTreeMap<&str, Cost>) -> String {
    let mut text = String::from(
        "# Gas of a step\n\n\
         Thousands of gas, over all golden vectors that can be proved, with the rules of Cancun:\n\
         execution alone, and the whole transaction with its 6,090 bytes of proof. The last column is\n\
         the most that the reference's MIPS64 1.10.1 needs for the execution. Written by\n\
         `contracts/evm/tests/gas.rs`, which fails where a step costs more than the reference's.\n\n\
         | step | steps measured | execution | transaction | reference |\n\
         | --- | --- | --- | --- | --- |\n",
    );
    for (kind, gas) in table {
        let (name, reference) = kind.describe();
        let reference = match reference {
            0 => "not measured".into(),
            most => format!("{:.1}", most as f64 / 1e3),
        };
        let (execution, transaction) = (thousands(gas.execution), thousands(gas.transaction));
        let steps = gas.steps;
        writeln!(
            text,
            "| {name} | {steps} | {execution} | {transaction} | {reference} |"
        )
        .unwrap();
    }
    text.push_str(GAME);
    for (name, reference) in CALLS {
        let cost = costs.get(name).expect("every call is measured");
        let (execution, transaction) = (thousands(cost.execution), thousands(cost.transaction));
        writeln!(
            text,
            "| {name} | {execution} | {transaction} | {reference} |"
        )
        .unwrap();
    }
    text.push_str(
        "\nBytes of runtime code (EIP-170 allows 24,576):\n\n| contract | bytes |\n| --- | --- |\n",
    );
    for artifact in artifact::all() {
        let (name, bytes) = (artifact.contract, artifact.deployed_bytecode.len());
        writeln!(text, "| {name} | {bytes} |").unwrap();
    }
    text
}

#[test]
fn no_kind_of_step_costs_more_than_the_references() {
    let table = measure();
    for (kind, gas) in &table {
        let (name, reference) = kind.describe();
        let most = gas.execution.1;
        assert!(reference == 0 || most <= reference, "{name}: {most}");
    }
    assert_eq!(table.len(), 14, "every kind is among the vectors");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/gas.md");
    let costs = calls::measure();
    assert_eq!(costs.len(), CALLS.len(), "every call has its row");
    for name in [calls::FIRST_ATTACK, calls::ATTACK, calls::DEFEND] {
        let most = costs[name].execution.1;
        assert!(most <= MOST_OF_A_MOVE, "{name}: {most}");
    }
    let text = document(&table, &costs);
    if std::env::var_os("CARRONADE_WRITE_DOCS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    assert_eq!(
        std::fs::read_to_string(&path).unwrap(),
        text,
        "docs/gas.md is stale"
    );
}
