//! The pieces that random programs are made of.
//!
//! Some registers have a purpose that no piece disturbs, or programs would soon be lost:
//! loops count down in [`COUNTERS`], loads and stores go by [`BASES`], divisors are in
//! [`ODD`], and so on. All else computes on [`SCRATCH`] without regard.

use crate::code::{Code, Entry, Label, Toggle, immediate, registers};
use crate::dice::Dice;
use carronade_emulator::isa::generate::generate;
use carronade_emulator::isa::{Opcode, ROWS, Row};
use std::ops::{Range, RangeInclusive};

const ZERO: u8 = 0;
const V0: u8 = 2;
const A0: u8 = 4;
/// What straight code writes to.
pub(crate) const SCRATCH: RangeInclusive<u8> = 1..=15;
/// Remaining rounds of a loop and of one within it; a function saves them.
const COUNTERS: [u8; 2] = [16, 17];
/// Where loads and stores go.
pub(crate) const BASES: Range<u8> = 18..24;
/// The base that walks through memory.
const WALKER: u8 = 23;
/// Where thunks return to.
const LINK: u8 = 24;
/// Addresses and conditions, from one instruction to a near one.
const TEMPORARY: u8 = 25;
/// Counts the rounds of everything, so that rare things happen at last.
const TICK: u8 = 26;
/// How many calls deeper the program may go.
pub(crate) const DEPTH: u8 = 27;
/// The table of constants.
pub(crate) const TABLE: u8 = 28;
pub(crate) const STACK: u8 = 29;
/// Never 0, in all of its low 32 bits.
pub(crate) const ODD: u8 = 30;
const RETURN: u8 = 31;

/// The flags that `clone` accepts.
const CLONE_FLAGS: u64 = 0x50f00;

/// What a program does and another does not. Masks say how rare something is: it happens
/// when these bits of [`TICK`] are 0.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Traits {
    /// Threads to start.
    pub threads: u64,
    /// How rarely the program rewrites itself, if it does.
    pub patches: Option<u16>,
    /// How rarely it runs into faults, if it does.
    pub faults: Option<u16>,
    /// How rarely it makes system calls, if it does.
    pub calls: Option<u16>,
    /// Whether words that are random altogether are among the rest.
    pub wild: bool,
}

/// A place to come back to from anywhere, and the constants that hold stack pointer and
/// depth there, and its address.
struct Resume {
    stack: u16,
    depth: u16,
    place: u16,
}

/// Writes code piece by piece.
pub(crate) struct Writer<'w, 'd> {
    pub dice: &'w mut Dice<'d>,
    pub code: Code,
    traits: Traits,
    stack_top: u64,
    functions: Vec<Label>,
    thunks: Vec<Label>,
    resumes: Vec<Resume>,
    /// Constants: addresses of data.
    addresses: Vec<u16>,
    /// Constants: edges of arithmetic.
    edges: Vec<u16>,
    /// Positions of straight instructions, to be rewritten.
    sites: Vec<usize>,
    /// Labels of the next straight instruction.
    next_sites: Vec<Label>,
    /// Labels of the next delay slot.
    next_slots: Vec<Label>,
    island: Label,
    /// Whether the return address is saved, so that register 31 is free.
    framed: bool,
}

impl<'w, 'd> Writer<'w, 'd> {
    pub(crate) fn new(
        dice: &'w mut Dice<'d>,
        base: u64,
        traits: Traits,
        stack_top: u64,
        addresses: &[u64],
    ) -> Self {
        let mut code = Code::at(base);
        let island = code.label();
        let mut constants = |values: &[u64]| -> Vec<u16> {
            let values = values.iter();
            values
                .map(|value| code.constant(Entry::Value(*value)))
                .collect()
        };
        let (mut addresses, edges) = (constants(addresses), constants(&EDGES));
        addresses.push(code.constant(Entry::Address(island, 64)));
        addresses.push(code.constant(Entry::Address(island, 125)));
        let functions = (0..dice.between(2, 6)).map(|_| code.label()).collect();
        let thunks = (0..dice.between(1, 2)).map(|_| code.label()).collect();
        let (resumes, sites, next_sites, next_slots) = Default::default();
        Self {
            dice,
            code,
            traits,
            stack_top,
            functions,
            thunks,
            resumes,
            addresses,
            edges,
            sites,
            next_sites,
            next_slots,
            island,
            framed: true,
        }
    }

    /// The whole program: its first instruction, and where its outermost loop begins.
    pub(crate) fn program(&mut self) -> [usize; 2] {
        let functions = self.functions.clone();
        let split = self.dice.below(functions.len() as u64 + 1) as usize;
        functions[..split]
            .iter()
            .for_each(|label| self.function(*label));
        let places = self.main();
        self.island();
        functions[split..]
            .iter()
            .for_each(|label| self.function(*label));
        for thunk in self.thunks.clone() {
            self.thunk(thunk);
        }
        places
    }

    /// Starts the threads and runs for ever, or nearly.
    fn main(&mut self) -> [usize; 2] {
        let first = self.code.len();
        BASES.for_each(|base| self.rebase(base));
        let outer = self.code.label();
        for thread in 0..self.traits.threads {
            self.start_thread(thread, outer);
        }
        let start = self.code.len();
        self.code.bind(outer);
        let depth = self.dice.between(2, 6) as u16;
        self.immediate(Opcode::addiu, ZERO, DEPTH, depth);
        self.body(8, 0);
        if self.traits.faults.is_some() || self.dice.one_in(8) {
            let number = self.dice.pick(&[5058, 5205]);
            self.guarded(1023, |w| {
                w.call_system(number, [0, 0, 0].map(Argument::Number))
            });
        }
        self.go_to(outer);
        [first, start]
    }

    /// A function of its own frame, that calls others; or one that does not.
    fn function(&mut self, label: Label) {
        self.code.bind(label);
        self.framed = !self.dice.one_in(4);
        if !self.framed {
            self.leaf();
            return;
        }
        let out = self.code.label();
        self.immediate(Opcode::daddiu, STACK, STACK, -32i16 as u16);
        for (offset, register) in FRAME {
            self.immediate(Opcode::sd, STACK, register, offset);
        }
        self.immediate(Opcode::daddiu, DEPTH, DEPTH, -1i16 as u16);
        self.code.branch(immediate(Opcode::bltz, DEPTH, 0, 0), out);
        self.slot();
        let statements = self.dice.between(2, 6);
        self.body(statements, 0);
        self.code.bind(out);
        if self.dice.one_in(3) {
            self.guarded(3, Self::tail_call);
        }
        self.unwind();
        self.return_by(RETURN);
        self.immediate(Opcode::daddiu, STACK, STACK, 32);
        self.framed = true;
    }

    fn leaf(&mut self) {
        self.straight_run();
        if self.dice.one_in(2) {
            self.skip_some();
        }
        self.return_by(RETURN);
        self.slot();
        self.framed = true;
    }

    /// A function with a link register of its own.
    fn thunk(&mut self, label: Label) {
        self.code.bind(label);
        self.framed = false;
        self.straight_run();
        self.return_by(LINK);
        self.slot();
        self.framed = true;
    }

    /// Restores all that the frame holds but the stack pointer.
    fn unwind(&mut self) {
        for (offset, register) in FRAME {
            self.immediate(Opcode::ld, STACK, register, offset);
        }
        self.immediate(Opcode::daddiu, DEPTH, DEPTH, 1);
    }

    /// Jumps to the address in a register, or in a copy of it.
    fn return_by(&mut self, register: u8) {
        if self.dice.one_in(4) {
            self.registers(Opcode::daddu, register, ZERO, TEMPORARY);
            self.registers(Opcode::jr, TEMPORARY, 0, 0);
        } else {
            self.registers(Opcode::jr, register, 0, 0);
        }
    }

    /// Leaves the frame and becomes another function.
    fn tail_call(&mut self) {
        let function = self.dice.pick(&self.functions);
        self.unwind();
        if self.dice.one_in(2) && self.code.in_one_region() {
            self.code.jump(Opcode::j, function);
        } else {
            self.load_address(function);
            self.registers(Opcode::jr, TEMPORARY, 0, 0);
        }
        self.immediate(Opcode::daddiu, STACK, STACK, 32);
    }

    /// Data on the pages of the code, around which two of the addresses lie.
    fn island(&mut self) {
        let words = 48;
        self.code.bind(self.island);
        (0..words).for_each(|_| self.code.emit(0));
    }

    fn body(&mut self, statements: u64, loops: usize) {
        for _ in 0..statements {
            if !self.code.is_full() {
                self.statement(loops);
            }
        }
    }

    /// One piece, within so many loops.
    fn statement(&mut self, loops: usize) {
        match self.dice.below(32) {
            0..8 => self.straight_run(),
            8..11 => self.skip_some(),
            11..14 if loops < COUNTERS.len() => self.counted_loop(loops),
            14..17 => self.call(),
            18 => self.switch(loops),
            19 if loops < COUNTERS.len() => self.walk(loops),
            20 | 21 => {
                let base = self.base();
                self.rebase(base);
            }
            22 | 23 => self.take_edges(),
            24 | 25 => self.linked(),
            17 | 26 => self.when(self.traits.patches, Self::patch),
            27 => self.when(self.traits.calls, Self::system_call),
            28 => self.jump_into_a_slot(),
            29 => self.leave_for_a_resume(),
            30 => self.when(self.traits.faults, Self::fault),
            31 if self.traits.wild => self.wild(),
            _ => self.straight_run(),
        }
    }

    // Instructions.

    fn immediate(&mut self, opcode: Opcode, s: u8, t: u8, value: u16) {
        self.code.emit(immediate(opcode, s, t, value));
    }

    fn registers(&mut self, opcode: Opcode, s: u8, t: u8, d: u8) {
        self.code.emit(registers(opcode, s, t, d));
    }

    fn scratch(&mut self) -> u8 {
        if self.framed && self.dice.one_in(16) {
            return RETURN;
        }
        self.dice
            .between(u64::from(*SCRATCH.start()), u64::from(*SCRATCH.end())) as u8
    }

    fn base(&mut self) -> u8 {
        BASES.start + self.dice.below(BASES.len() as u64) as u8
    }

    /// Mostly within 8 bytes, so that accesses meet.
    fn offset(&mut self) -> u16 {
        let reach = self.dice.pick(&[16, 16, 16, 128]);
        (self.dice.below(reach) as i16 - (reach / 2) as i16) as u16
    }

    /// A random row of some kind, with random fields, ignored ones included.
    fn random_row(&mut self, kind: impl Fn(&Row) -> bool) -> (&'static Row, u32) {
        let row = loop {
            let row = &ROWS[self.dice.below(ROWS.len() as u64) as usize];
            if kind(row) {
                break row;
            }
        };
        (row, row.bits | self.dice.any() as u32 & !row.mask)
    }

    /// An instruction after which the next one follows.
    fn straight_word(&mut self) -> u32 {
        let (row, word) = self.random_row(|row| !row.opcode.ends_run() || reserves(row.opcode));
        if row.operands.ends_with("(s)") {
            let (base, scratch, offset) = (self.base(), self.scratch(), self.offset());
            return immediate(row.opcode, base, scratch, offset);
        }
        if !has(row, b'd') {
            return with_field(word, T, self.scratch());
        }
        let to = if has_no_use_for_d(row) && !self.dice.one_in(8) {
            ZERO
        } else {
            self.scratch()
        };
        let word = with_field(word, D, to);
        let may_fault = self.traits.faults.is_some() && self.dice.one_in(256);
        if divides(row.opcode) && !may_fault {
            with_field(word, T, ODD)
        } else {
            word
        }
    }

    fn straight(&mut self) {
        let word = self.straight_word();
        self.sites.push(self.code.len());
        while let Some(label) = self.next_sites.pop() {
            self.code.bind(label);
        }
        self.code.emit(word);
    }

    /// A delay slot with any straight instruction.
    fn slot(&mut self) {
        while let Some(label) = self.next_slots.pop() {
            self.code.bind(label);
        }
        self.straight();
    }

    fn straight_run(&mut self) {
        if self.dice.one_in(4) {
            self.take_edge();
        }
        for _ in 0..self.dice.between(1, 8) {
            self.straight();
        }
    }

    /// A branch of any kind, taken or not. One that links needs a frame.
    fn branch(&mut self, to: Label) {
        let framed = self.framed;
        let (_, word) = self.random_row(|row| {
            let links = matches!(row.opcode, Opcode::bltzal | Opcode::bgezal);
            row.operands.ends_with('b') && (framed || !links)
        });
        self.code.branch(word, to);
    }

    /// Goes to a place in the same function, always.
    fn go_to(&mut self, to: Label) {
        match self.dice.below(4) {
            0 if self.code.in_one_region() => self.code.jump(Opcode::j, to),
            1 => {
                self.load_address(to);
                self.registers(Opcode::jr, TEMPORARY, 0, 0);
            }
            _ => self.code.branch(immediate(Opcode::beq, ZERO, ZERO, 0), to),
        }
        self.slot();
    }

    fn load_constant(&mut self, register: u8, constant: u16) {
        self.immediate(Opcode::ld, TABLE, register, constant);
    }

    fn load_entry(&mut self, register: u8, entry: Entry) {
        let constant = self.code.constant(entry);
        self.load_constant(register, constant);
    }

    fn load_address(&mut self, label: Label) {
        self.load_entry(TEMPORARY, Entry::Address(label, 0));
    }

    // Statements.

    /// A piece that runs only now and then.
    fn guarded(&mut self, mask: u16, piece: impl FnOnce(&mut Self)) {
        let skip = self.code.label();
        self.immediate(Opcode::daddiu, TICK, TICK, 1);
        self.immediate(Opcode::andi, TICK, TEMPORARY, mask);
        self.code
            .branch(registers(Opcode::bne, TEMPORARY, ZERO, 0), skip);
        self.slot();
        piece(self);
        self.code.bind(skip);
    }

    fn when(&mut self, mask: Option<u16>, piece: impl FnOnce(&mut Self)) {
        match mask {
            Some(mask) => self.guarded(mask, piece),
            None => self.straight_run(),
        }
    }

    fn skip_some(&mut self) {
        let to = self.code.label();
        self.branch(to);
        self.slot();
        self.straight_run();
        self.code.bind(to);
    }

    fn counted_loop(&mut self, loops: usize) {
        let rounds = self.dice.pick(&[1, 2, 3, 5, 8, 20]);
        let statements = self.dice.between(1, 3);
        self.repeat(loops, rounds, |w| w.body(statements, loops + 1));
    }

    /// A loop, ended in one of the ways that compilers use.
    fn repeat(&mut self, loops: usize, rounds: u16, body: impl FnOnce(&mut Self)) {
        let counter = COUNTERS[loops];
        let count_down = immediate(Opcode::daddiu, counter, counter, -1i16 as u16);
        self.immediate(Opcode::addiu, ZERO, counter, rounds);
        let (head, out) = (self.code.here(), self.code.label());
        body(self);
        match self.dice.below(3) {
            0 => {
                self.code
                    .branch(immediate(Opcode::bgtz, counter, 0, 0), head);
                self.code.emit(count_down);
            }
            1 => {
                self.code.emit(count_down);
                self.code
                    .branch(registers(Opcode::bne, counter, ZERO, 0), head);
                self.slot();
            }
            _ => {
                self.code.emit(count_down);
                self.code
                    .branch(immediate(Opcode::blez, counter, 0, 0), out);
                self.slot();
                self.go_to(head);
            }
        }
        self.code.bind(out);
    }

    /// Loads and stores along memory, within pages and across them.
    fn walk(&mut self, loops: usize) {
        let (rounds, stride) = (self.dice.between(2, 24), self.dice.pick(&STRIDES));
        let start = self
            .dice
            .pick(&[1 << 21, 16 << 40, (2 << 40) - 64, 3 << 40]);
        let start = start + self.dice.below(0x3000);
        self.load_entry(WALKER, Entry::Value(start));
        self.repeat(loops, rounds as u16, |w| {
            w.straight_run();
            w.immediate(Opcode::daddiu, WALKER, WALKER, stride as u16);
        });
        self.rebase(WALKER);
    }

    /// Another address in a base register.
    fn rebase(&mut self, base: u8) {
        match self.dice.below(8) {
            0 => {
                let other = self.base();
                self.registers(Opcode::daddu, other, ZERO, base);
            }
            1 => {
                let offset = self.offset();
                self.immediate(Opcode::daddiu, base, base, offset);
            }
            _ => {
                let constant = self.dice.pick(&self.addresses);
                self.load_constant(base, constant);
            }
        }
    }

    /// An edge value in a register, before random results have taken over everywhere.
    fn take_edge(&mut self) {
        let (to, constant) = (self.scratch(), self.dice.pick(&self.edges));
        self.load_constant(to, constant);
    }

    fn take_edges(&mut self) {
        for _ in 0..self.dice.between(1, 4) {
            self.take_edge();
        }
        let odd = [1, u64::MAX, 3, 1 << 63 | 1, 0x7fff_ffff, !0 << 31 | 1];
        let odd = self.dice.pick(&odd);
        self.load_entry(ODD, Entry::Value(odd));
    }

    fn call(&mut self) {
        let function = self.dice.pick(&self.functions);
        let resume = self.dice.one_in(4).then(|| self.save_resume());
        match self.dice.below(6) {
            0 | 1 if self.code.in_one_region() => self.code.jump(Opcode::jal, function),
            2 => self
                .code
                .branch(immediate(Opcode::bgezal, ZERO, 0, 0), function),
            3 => {
                let opcode = self.dice.pick(&[Opcode::bltzal, Opcode::bgezal]);
                let condition = self.scratch();
                self.code
                    .branch(immediate(opcode, condition, 0, 0), function);
            }
            4 => {
                let thunk = self.dice.pick(&self.thunks);
                self.load_address(thunk);
                self.registers(Opcode::jalr, TEMPORARY, 0, LINK);
            }
            5 => {
                let functions = self.functions.clone();
                let table: [Label; 4] = std::array::from_fn(|_| self.dice.pick(&functions));
                self.load_indexed(&table);
                self.registers(Opcode::jalr, TEMPORARY, 0, RETURN);
            }
            _ => {
                self.load_address(function);
                self.registers(Opcode::jalr, TEMPORARY, 0, RETURN);
            }
        }
        self.slot();
        if let Some((place, resume)) = resume {
            self.code.bind(place);
            self.resumes.push(resume);
        }
    }

    /// Notes stack and depth for who comes back here without returning.
    fn save_resume(&mut self) -> (Label, Resume) {
        let place = self.code.label();
        let resume = Resume {
            stack: self.code.constant(Entry::Value(self.stack_top)),
            depth: self.code.constant(Entry::Value(3)),
            place: self.code.constant(Entry::Address(place, 0)),
        };
        self.immediate(Opcode::sd, TABLE, STACK, resume.stack);
        self.immediate(Opcode::sd, TABLE, DEPTH, resume.depth);
        (place, resume)
    }

    /// Goes back to a place of a function further up, past all returns between.
    fn leave_for_a_resume(&mut self) {
        let count = self.resumes.len() as u64;
        if count == 0 {
            return self.straight_run();
        }
        let which = self.dice.below(count) as usize;
        let Resume {
            stack,
            depth,
            place,
        } = self.resumes[which];
        self.guarded(7, |w| {
            w.load_constant(STACK, stack);
            w.load_constant(DEPTH, depth);
            w.load_constant(TEMPORARY, place);
            w.registers(Opcode::jr, TEMPORARY, 0, 0);
            w.slot();
        });
    }

    /// The address of one of some labels, whose count is a power of two, by a number that
    /// only the run knows.
    fn load_indexed(&mut self, labels: &[Label]) {
        let entries = labels.iter().map(|label| Entry::Address(*label, 0));
        let constants: Vec<u16> = entries.map(|entry| self.code.constant(entry)).collect();
        let index = if self.dice.one_in(2) {
            TICK
        } else {
            self.scratch()
        };
        self.immediate(Opcode::daddiu, TICK, TICK, 1);
        self.immediate(Opcode::andi, index, TEMPORARY, labels.len() as u16 - 1);
        self.code
            .emit(registers(Opcode::dsll, 0, TEMPORARY, TEMPORARY) | 3 << 6);
        self.registers(Opcode::daddu, TEMPORARY, TABLE, TEMPORARY);
        self.immediate(Opcode::ld, TEMPORARY, TEMPORARY, constants[0]);
    }

    fn switch(&mut self, loops: usize) {
        let count = self.dice.pick(&[2, 4]);
        let (cases, join): (Vec<Label>, _) = (
            (0..count).map(|_| self.code.label()).collect(),
            self.code.label(),
        );
        self.load_indexed(&cases);
        self.registers(Opcode::jr, TEMPORARY, 0, 0);
        self.slot();
        for case in cases {
            self.code.bind(case);
            self.body(1, loops.max(1));
            self.go_to(join);
        }
        self.code.bind(join);
    }

    /// Load-linked, something or nothing between, and a store-conditional that may fit.
    fn linked(&mut self) {
        let (load, store) = self
            .dice
            .pick(&[(Opcode::ll, Opcode::sc), (Opcode::lld, Opcode::scd)]);
        let (base, offset) = (self.base(), self.offset());
        let (loaded, stored) = (self.scratch(), self.scratch());
        self.immediate(load, base, loaded, offset);
        match self.dice.below(6) {
            0 => return,
            1 => self.straight_run(),
            2 => self.skip_some(),
            3 => {
                let near = offset.wrapping_add(self.dice.between(0, 16) as u16);
                let store = self
                    .dice
                    .pick(&[Opcode::sb, Opcode::sw, Opcode::sd, Opcode::swr]);
                self.immediate(store, base, loaded, near);
            }
            _ => {}
        }
        let store = if self.dice.one_in(8) {
            Opcode::sc
        } else {
            store
        };
        let offset = if self.dice.one_in(8) {
            self.offset()
        } else {
            offset
        };
        self.immediate(store, base, stored, offset);
    }

    /// A store to an instruction: an old one, or one that comes next.
    fn patch(&mut self) {
        let (bytes, load, store) = self.dice.pick(&PATCHES);
        let (site, next) = self.site();
        let other = match self.dice.below(12) {
            0 => immediate(Opcode::beq, ZERO, ZERO, self.dice.between(1, 6) as u16),
            1 if self.traits.wild => generate(&mut self.dice.0),
            _ => self.straight_word(),
        };
        let toggle = Toggle { site, other, bytes };
        let delta = self.dice.between(1, 7) as u8;
        let word = delta + self.dice.between(1, 7) as u8;
        self.load_entry(TEMPORARY, Entry::Site(toggle));
        self.load_entry(delta, Entry::Delta(toggle));
        self.immediate(load, TEMPORARY, word, 0);
        self.registers(Opcode::xor, word, delta, word);
        let store = immediate(store, TEMPORARY, word, 0);
        let after = self.code.label();
        match self.dice.below(4) {
            // The store is in a delay slot, and what it changes may be next.
            0 => {
                self.branch(after);
                self.code.emit(store);
            }
            // What it changes is in a delay slot.
            1 => {
                self.code.emit(store);
                self.branch(after);
                self.slot();
            }
            _ => self.code.emit(store),
        }
        self.code.bind(after);
        if next {
            self.straight();
        }
    }

    /// An instruction to be rewritten, and whether it is the next one to be written.
    fn site(&mut self) -> (Label, bool) {
        if self.dice.one_in(2) || self.sites.is_empty() {
            let label = self.code.label();
            self.next_sites.push(label);
            return (label, true);
        }
        let position = self.dice.pick(&self.sites);
        (self.code.label_at(position), false)
    }

    /// Jumps into the next delay slot, as if it were nobody's.
    fn jump_into_a_slot(&mut self) {
        let label = self.code.label();
        let after = self.code.label();
        self.guarded(1, |w| {
            w.go_to(label);
            w.next_slots.push(label);
        });
        self.straight_run();
        self.branch(after);
        self.slot();
        self.straight_run();
        self.code.bind(after);
    }

    fn wild(&mut self) {
        let word = match self.dice.below(4) {
            0 => self.dice.any() as u32,
            _ => generate(&mut self.dice.0),
        };
        self.guarded(255, |w| w.code.emit(word));
    }

    /// What ends the program, or leads it astray.
    fn fault(&mut self) {
        match self.dice.below(7) {
            0 => self.registers(Opcode::ddivu, ODD, ZERO, 0),
            1 => {
                let function = self.dice.pick(&self.functions);
                let more = self.dice.between(1, 3);
                self.load_entry(TEMPORARY, Entry::Address(function, more));
                self.registers(Opcode::jr, TEMPORARY, 0, 0);
                self.slot();
            }
            2 => {
                let to = self.code.label();
                self.branch(to);
                self.branch(to);
                self.code.bind(to);
            }
            3 => self.code.emit(0xffff_ffff),
            4 => self.call_system(4999, [0, 0, 0].map(Argument::Number)),
            // Through zeros, which do nothing, for ever or until something comes.
            5 => {
                self.load_entry(TEMPORARY, Entry::Value((3 << 20) - 40));
                self.registers(Opcode::jr, TEMPORARY, 0, 0);
                self.slot();
            }
            _ => {
                let island = self.island;
                self.go_to(island);
            }
        }
    }

    // System calls.

    fn system_call(&mut self) {
        use Argument::{Address, Any, Number, Word};
        let small = Number(self.dice.below(64) as u16);
        let fd = Number(self.dice.pick(&[0, 1, 2, 3, 4, 6, 100, 9]));
        match self.dice.below(12) {
            0 | 1 => {
                let number = self.quiet_call();
                self.call_system(number, [Any, Any, small]);
            }
            2 | 3 => self.call_system(5023, [Any, Any, Any]),
            4 => {
                let clock = Number(self.dice.below(3) as u16);
                self.call_system(5222, [clock, Address, Any]);
            }
            5 => self.call_system(5313, [Address, small, Any]),
            6 => self.random_byte_of_code(),
            7 => {
                let value = self.dice.pick(&[Word, small]);
                let operation = Number(self.dice.pick(&[128, 128, 129, 1]));
                self.call_system(5194, [Address, operation, value]);
            }
            8 => self.call_system(5000, [fd, Address, small]),
            9 => self.call_system(5001, [fd, Address, small]),
            10 => self.read_preimage(),
            _ => {
                self.call_system(5009, [Number(0), small, Any]);
                let base = self.base();
                self.registers(Opcode::daddu, V0, ZERO, base);
            }
        }
    }

    /// A call that changes nothing but its results.
    fn quiet_call(&mut self) -> u16 {
        self.dice
            .pick(&[5002, 5003, 5010, 5012, 5015, 5027, 5038, 5070, 5178, 5284])
    }

    /// `getrandom` over the last byte of an immediate.
    fn random_byte_of_code(&mut self) {
        let code = &self.code;
        let sites = self.sites.iter().copied();
        let sites: Vec<usize> = sites.filter(|site| code.has_immediate(*site)).collect();
        if sites.is_empty() {
            return;
        }
        let site = self.dice.pick(&sites);
        let (site, other) = (self.code.label_at(site), 0);
        let site = Entry::Site(Toggle {
            site,
            other,
            bytes: 1,
        });
        self.call_system(
            5313,
            [Argument::Entry(site), Argument::Number(1), Argument::Any],
        );
    }

    /// Chooses a key and reads from its pre-image; sooner or later past its end.
    fn read_preimage(&mut self) {
        use Argument::{Address, Number};
        let keys = crate::program::preimage_keys();
        let key = self.dice.pick(&keys);
        let count = self.dice.between(1, 8) as u16;
        for part in key.chunks_exact(8) {
            let part = part
                .iter()
                .fold(0, |value, byte| value << 8 | u64::from(*byte));
            let constant = self.code.constant(Entry::Value(part));
            self.immediate(Opcode::daddiu, TABLE, A0 + 1, constant);
            self.call_system(5001, [Number(6), Argument::Any, Number(8)]);
        }
        for _ in 0..self.dice.between(1, 2) {
            self.call_system(5000, [Number(5), Address, Number(count)]);
        }
    }

    /// The arguments, then the number last: who jumps into the middle of it should not
    /// make a call that nobody meant.
    fn call_system(&mut self, number: u16, arguments: [Argument; 3]) {
        for (register, argument) in (A0..).zip(arguments) {
            match argument {
                Argument::Any => {}
                Argument::Number(value) => self.immediate(Opcode::addiu, ZERO, register, value),
                Argument::Entry(entry) => self.load_entry(register, entry),
                Argument::Word => self.immediate(Opcode::lw, A0, register, 0),
                Argument::Address => {
                    let (base, offset) = (self.base(), self.offset());
                    self.immediate(Opcode::daddiu, base, register, offset);
                }
            }
        }
        self.immediate(Opcode::addiu, ZERO, V0, number);
        self.registers(Opcode::syscall, 0, 0, 0);
    }

    /// `clone`: the new thread takes a way of its own, or the parent's, and exits late.
    fn start_thread(&mut self, number: u64, outer: Label) {
        let parent = self.code.label();
        let stack = self.stack_top.wrapping_sub(0x3000 * (number + 1));
        let [flags, stack] = [CLONE_FLAGS, stack].map(|value| Argument::Entry(Entry::Value(value)));
        self.call_system(5055, [flags, stack, Argument::Any]);
        self.code
            .branch(registers(Opcode::bne, V0, ZERO, 0), parent);
        self.code.emit(0);
        if self.dice.one_in(3) {
            self.go_to(outer);
        } else {
            let head = self.code.here();
            self.immediate(Opcode::addiu, ZERO, DEPTH, 3);
            self.body(3, 0);
            self.guarded(3, |w| w.call_system(5023, [Argument::Any; 3]));
            self.guarded(511, |w| w.call_system(5058, [Argument::Number(3); 3]));
            self.go_to(head);
        }
        self.code.bind(parent);
    }
}

/// What a system call is given.
#[derive(Debug, Clone, Copy)]
enum Argument {
    /// What the register holds.
    Any,
    Number(u16),
    Entry(Entry),
    /// Near one of the bases.
    Address,
    /// The word at the first argument.
    Word,
}

/// What a frame saves, by offset.
const FRAME: [(u16, u8); 3] = [(0, RETURN), (8, COUNTERS[0]), (16, COUNTERS[1])];

const STRIDES: [i16; 8] = [1, 4, 8, 8, -8, 64, 1000, 4096];

/// Bytes of a patch, and what loads and stores them.
const PATCHES: [(u64, Opcode, Opcode); 9] = [
    (1, Opcode::lbu, Opcode::sb),
    (2, Opcode::lhu, Opcode::sh),
    (4, Opcode::lw, Opcode::sw),
    (4, Opcode::lwu, Opcode::sw),
    (4, Opcode::lw, Opcode::swl),
    (4, Opcode::ll, Opcode::sc),
    (8, Opcode::ld, Opcode::sd),
    (8, Opcode::ld, Opcode::sdl),
    (8, Opcode::lld, Opcode::scd),
];

/// Where arithmetic has its edges.
pub(crate) const EDGES: [u64; 14] = [
    0,
    1,
    2,
    31,
    63,
    u64::MAX,
    (1 << 31) - 1,
    1 << 31,
    !0 << 31,
    u32::MAX as u64,
    1 << 32,
    (1 << 63) - 1,
    1 << 63,
    0x0123_4567_89ab_cdef,
];

const T: u32 = 16;
const D: u32 = 11;

fn with_field(word: u32, shift: u32, register: u8) -> u32 {
    word & !(31 << shift) | u32::from(register) << shift
}

fn has(row: &Row, letter: u8) -> bool {
    row.pattern.contains(&letter)
}

/// Rows whose rd is an accident of the reference: real programs leave it 0.
fn has_no_use_for_d(row: &Row) -> bool {
    row.operands.ends_with(",d")
}

const fn reserves(opcode: Opcode) -> bool {
    matches!(opcode, Opcode::ll | Opcode::lld | Opcode::sc | Opcode::scd)
}

const fn divides(opcode: Opcode) -> bool {
    matches!(
        opcode,
        Opcode::div | Opcode::divu | Opcode::ddiv | Opcode::ddivu
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserved_registers_do_not_overlap() {
        let reserved = [
            COUNTERS[0],
            COUNTERS[1],
            LINK,
            TEMPORARY,
            TICK,
            DEPTH,
            TABLE,
            STACK,
            ODD,
        ];
        let mut all: Vec<u8> = SCRATCH.chain(BASES).chain(reserved).collect();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 15 + 6 + 9);
    }
}
