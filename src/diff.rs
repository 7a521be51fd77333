//! `diff`: how two states differ.

use crate::failure::{Failure, Outcome};
use crate::{cli, files, say};
use carronade_emulator::image::Metadata;
use carronade_emulator::isa::register_name;
use carronade_emulator::memory::Memory;
use carronade_emulator::state::{State, Thread, ThreadStack, state_hash};

/// Lines about differing memory words that are shown.
const MAX_WORDS: usize = 16;

/// Runs the command: prints the differences, the first with an explanation.
///
/// # Errors
/// [`Failure::No`] if the states differ; errors if they cannot be read.
pub fn run(args: &cli::Diff) -> Outcome {
    let (left, mut left_memory) = files::read_state(&args.left)?;
    let (right, mut right_memory) = files::read_state(&args.right)?;
    let metadata = files::read_metadata(&args.meta)?.unwrap_or_default();
    let lines = differences((&left, &left_memory), (&right, &right_memory), &metadata);
    let hashes = [(&left, &mut left_memory), (&right, &mut right_memory)]
        .map(|(state, memory)| state_hash(&state.witness(&memory.root())));
    if lines.is_empty() {
        say!(
            "the states are equal: {}",
            const_hex::encode_prefixed(hashes[0])
        );
        return Ok(());
    }
    let verdict = if hashes[0] == hashes[1] {
        "equal, the files are not"
    } else {
        "different"
    };
    say!("state hashes are {verdict}:");
    say!(
        "  {} step {}",
        const_hex::encode_prefixed(hashes[0]),
        left.step
    );
    say!(
        "  {} step {}",
        const_hex::encode_prefixed(hashes[1]),
        right.step
    );
    say!("first difference: {}", lines[0]);
    for line in &lines[1..] {
        say!("also: {line}");
    }
    Err(Failure::No)
}

/// How two machines differ: a line for each difference, the state's before the memory's.
#[must_use]
pub fn differences(
    (left, left_memory): (&State, &Memory),
    (right, right_memory): (&State, &Memory),
    metadata: &Metadata,
) -> Vec<String> {
    let mut report = Report {
        metadata,
        lines: Vec::new(),
    };
    report.scalars(left, right);
    report.stack("left", &left.left, &right.left);
    report.stack("right", &left.right, &right.right);
    report.threads(left, right);
    report.memory(left_memory, right_memory);
    report.lines
}

struct Report<'a> {
    metadata: &'a Metadata,
    lines: Vec<String>,
}

impl Report<'_> {
    fn differ(&mut self, what: &str, left: impl ToString, right: impl ToString) {
        let (left, right) = (left.to_string(), right.to_string());
        if left != right {
            self.lines.push(format!("{what}: {left} against {right}"));
        }
    }

    fn hex(&mut self, what: &str, left: u64, right: u64) {
        self.differ(what, format!("0x{left:x}"), format!("0x{right:x}"));
    }

    fn scalars(&mut self, left: &State, right: &State) {
        self.differ("state version", left.version.name(), right.version.name());
        self.differ("step", left.step, right.step);
        let exit = |state: &State| format!("{} with code {}", state.exited, state.exit_code);
        self.differ("exited", exit(left), exit(right));
        self.hex("heap", left.heap, right.heap);
        let key = |state: &State| const_hex::encode_prefixed(state.preimage_key);
        self.differ("pre-image key", key(left), key(right));
        self.differ(
            "pre-image offset",
            left.preimage_offset,
            right.preimage_offset,
        );
        let reservation = |state: &State| {
            let held = state.reservation;
            format!(
                "status {} at 0x{:x} by thread {}",
                held.status, held.address, held.owner
            )
        };
        self.differ("reservation", reservation(left), reservation(right));
        let quantum = |state: &State| state.steps_since_context_switch;
        self.differ(
            "steps since the context switch",
            quantum(left),
            quantum(right),
        );
        let direction = |state: &State| state.traverse_right.get();
        self.differ("traverseRight", direction(left), direction(right));
        self.differ("next thread id", left.next_thread_id, right.next_thread_id);
        let hint = |state: &State| const_hex::encode_prefixed(&state.last_hint);
        self.differ("unfinished hint", hint(left), hint(right));
    }

    fn stack(&mut self, side: &str, left: &ThreadStack, right: &ThreadStack) {
        let ids = |stack: &ThreadStack| {
            stack
                .threads
                .iter()
                .map(|thread| thread.id)
                .collect::<Vec<_>>()
        };
        self.differ(
            &format!("threads on the {side} stack, bottom first"),
            format!("{:?}", ids(left)),
            format!("{:?}", ids(right)),
        );
    }

    /// Compares threads by id, on whichever stack they are: each quantum moves one across.
    fn threads(&mut self, left: &State, right: &State) {
        let all = |state: &State| [&state.left.threads[..], &state.right.threads[..]].concat();
        let others = all(right);
        for thread in all(left) {
            if let Some(other) = others.iter().find(|other| other.id == thread.id) {
                self.thread(&thread, other);
            }
        }
    }

    fn thread(&mut self, left: &Thread, right: &Thread) {
        let name = format!("thread {}", left.id);
        let place = |thread: &Thread, metadata: &Metadata| {
            format!("0x{:x} in {}", thread.pc, metadata.lookup(thread.pc))
        };
        let places = [left, right].map(|thread| place(thread, self.metadata));
        self.differ(&format!("{name} pc"), &places[0], &places[1]);
        self.hex(&format!("{name} nextPC"), left.next_pc, right.next_pc);
        let exit = |thread: &Thread| format!("{} with {}", thread.exited.get(), thread.exit_code);
        self.differ(&format!("{name} exited"), exit(left), exit(right));
        self.hex(&format!("{name} hi"), left.hi, right.hi);
        self.hex(&format!("{name} lo"), left.lo, right.lo);
        for (n, (a, b)) in (0..).zip(left.registers.into_iter().zip(right.registers)) {
            self.hex(
                &format!("{name} ${} (register {n})", register_name(n)),
                a,
                b,
            );
        }
    }

    fn memory(&mut self, left: &Memory, right: &Memory) {
        let mut pages = [left.page_indexes(), right.page_indexes()].concat();
        pages.sort_unstable();
        pages.dedup();
        let (mut words, mut only) = (0, Vec::new());
        for page in pages {
            match (left.page(page), right.page(page)) {
                (Some(a), Some(b)) if a == b => {}
                (Some(a), Some(b)) => {
                    for (n, (a, b)) in a.chunks(8).zip(b.chunks(8)).enumerate() {
                        words += usize::from(a != b);
                        if a != b && words <= MAX_WORDS {
                            self.word((page << 12) + 8 * n as u64, a, b);
                        }
                    }
                }
                (a, _) => only.push((page, if a.is_some() { "first" } else { "second" })),
            }
        }
        if words > MAX_WORDS {
            self.lines.push(format!(
                "{words} words of memory in all; {MAX_WORDS} are shown"
            ));
        }
        self.only(&only);
    }

    /// Pages that only one state has, neighbours together. A page of zeros makes no
    /// difference to the hash.
    fn only(&mut self, pages: &[(u64, &str)]) {
        for run in pages.chunk_by(|a, b| a.0 + 1 == b.0 && a.1 == b.1) {
            let (first, last, side) = (
                run[0].0 << 12,
                (run[run.len() - 1].0 << 12) + 4095,
                run[0].1,
            );
            self.lines.push(format!(
                "memory from 0x{first:x} to 0x{last:x} exists only in the {side} state"
            ));
        }
    }

    fn word(&mut self, address: u64, left: &[u8], right: &[u8]) {
        let name = self.metadata.lookup(address);
        let name = if name.starts_with('!') {
            String::new()
        } else {
            format!(" in {name}")
        };
        let what = format!("memory at 0x{address:x}{name}");
        self.differ(&what, const_hex::encode(left), const_hex::encode(right));
    }
}
