//! Code as it is being written: words, labels that may not have a place yet, and a table
//! of constants in the program's memory.

use carronade_emulator::isa::{Opcode, ROWS, Row};

/// A place in the code, known or still to come.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Label(usize);

/// How a program rewrites an instruction of its own: with an exclusive or, so that every
/// second time brings the first instruction back and the code never wears out.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Toggle {
    /// The instruction.
    pub site: Label,
    /// What it turns into, where the store is wide enough to say so.
    pub other: u32,
    /// Bytes of the store: 1, 2, 4 or 8.
    pub bytes: u64,
}

/// A constant of the table.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Entry {
    Value(u64),
    /// The address of a label and some bytes more.
    Address(Label, u64),
    /// What to exclusive-or to the bytes of a toggle.
    Delta(Toggle),
    /// Where those bytes are.
    Site(Toggle),
}

#[derive(Debug, Clone, Copy)]
enum Fixup {
    Branch,
    Jump,
}

/// Words and constants.
pub(crate) struct Code {
    base: u64,
    words: Vec<u32>,
    places: Vec<Option<usize>>,
    fixups: Vec<(usize, Label, Fixup)>,
    table: Vec<Entry>,
}

/// No program has more words than this.
const MAX_WORDS: u64 = 8000;
/// A constant's offset must fit a load's immediate.
const MAX_ENTRIES: usize = 4000;

impl Code {
    pub(crate) fn at(base: u64) -> Self {
        let (words, places, fixups, table) = Default::default();
        Self {
            base,
            words,
            places,
            fixups,
            table,
        }
    }

    /// Whether every `j` of the program reaches every place of it.
    pub(crate) fn in_one_region(&self) -> bool {
        let region = |address: u64| address >> 28;
        region(self.base) == region(self.base.wrapping_add(4 * MAX_WORDS))
    }

    /// Whether the program should come to its end.
    pub(crate) fn is_full(&self) -> bool {
        self.words.len() as u64 > MAX_WORDS / 2 || self.table.len() > MAX_ENTRIES / 2
    }

    /// The position of the next word.
    pub(crate) fn len(&self) -> usize {
        self.words.len()
    }

    /// Whether the last byte of a straight instruction is one of an immediate.
    pub(crate) fn has_immediate(&self, position: usize) -> bool {
        row_has_immediate(self.words[position])
    }

    pub(crate) fn emit(&mut self, word: u32) {
        self.words.push(word);
    }

    pub(crate) fn label(&mut self) -> Label {
        self.places.push(None);
        Label(self.places.len() - 1)
    }

    /// A label of a position that has been written.
    pub(crate) fn label_at(&mut self, position: usize) -> Label {
        self.places.push(Some(position));
        Label(self.places.len() - 1)
    }

    /// Gives a label the position of the next word.
    pub(crate) fn bind(&mut self, label: Label) {
        self.places[label.0] = Some(self.words.len());
    }

    /// A label of the next word.
    pub(crate) fn here(&mut self) -> Label {
        self.label_at(self.words.len())
    }

    /// Writes a branch whose offset is filled in at the end.
    pub(crate) fn branch(&mut self, word: u32, to: Label) {
        self.fixups.push((self.words.len(), to, Fixup::Branch));
        self.emit(word & !0xffff);
    }

    /// Writes a `j` or `jal` whose index is filled in at the end.
    pub(crate) fn jump(&mut self, opcode: Opcode, to: Label) {
        self.fixups.push((self.words.len(), to, Fixup::Jump));
        self.emit(row(opcode).bits);
    }

    /// Adds a constant; says at which offset of the table.
    pub(crate) fn constant(&mut self, entry: Entry) -> u16 {
        self.table.push(entry);
        8 * (self.table.len() - 1) as u16
    }

    /// The words and the table, big-endian. Labels without a place are at the end.
    pub(crate) fn finish(mut self) -> (Vec<u8>, Vec<u8>) {
        for (at, label, fixup) in std::mem::take(&mut self.fixups) {
            self.words[at] |= match fixup {
                Fixup::Branch => (self.place(label) as i64 - at as i64 - 1) as u32 & 0xffff,
                Fixup::Jump => (self.address(label) >> 2) as u32 & 0x03ff_ffff,
            };
        }
        let table = self.table.iter();
        let table = table.flat_map(|entry| self.entry(entry).to_be_bytes());
        let words = self.words.iter().flat_map(|word| word.to_be_bytes());
        (words.collect(), table.collect())
    }

    fn place(&self, label: Label) -> usize {
        self.places[label.0].unwrap_or(self.words.len())
    }

    fn address(&self, label: Label) -> u64 {
        self.base.wrapping_add(4 * self.place(label) as u64)
    }

    fn entry(&self, entry: &Entry) -> u64 {
        match *entry {
            Entry::Value(value) => value,
            Entry::Address(label, more) => self.address(label).wrapping_add(more),
            Entry::Site(toggle) => self.site(toggle),
            Entry::Delta(toggle) => self.delta(toggle),
        }
    }

    /// The last bytes of the instruction, or the whole word of memory around it.
    fn site(&self, toggle: Toggle) -> u64 {
        let address = self.address(toggle.site);
        match toggle.bytes {
            8 => address & !7,
            bytes => address.wrapping_add(4 - bytes),
        }
    }

    fn delta(&self, toggle: Toggle) -> u64 {
        let word = self.words.get(self.place(toggle.site)).copied();
        let word = word.unwrap_or_default();
        match toggle.bytes {
            1 => u64::from(neighbour(word)),
            2 if word >> 26 == 0 => 0x0800,
            2 => 0x0008,
            4 => u64::from(word ^ toggle.other),
            _ if self.address(toggle.site) & 4 == 0 => u64::from(word ^ toggle.other) << 32,
            _ => u64::from(word ^ toggle.other),
        }
    }
}

/// The bits of the lowest byte by which an instruction differs from a similar one: of its
/// immediate, or of its function, where it is a shift the one that leads to a shift.
fn neighbour(word: u32) -> u32 {
    let shift = word >> 26 == 0 && matches!(word & 63, 0 | 2 | 4 | 6);
    if shift { 2 } else { 1 }
}

fn row_has_immediate(word: u32) -> bool {
    let row = ROWS.iter().find(|row| row.matches(word));
    row.is_some_and(|row| row.pattern.ends_with(b"i"))
}

/// The first row of an instruction.
pub(crate) fn row(opcode: Opcode) -> &'static Row {
    match ROWS.iter().find(|row| row.opcode == opcode) {
        Some(row) => row,
        None => unreachable!("only `invalid` has no row"),
    }
}

/// An instruction of the registers s, t and d, where it has them.
pub(crate) fn registers(opcode: Opcode, s: u8, t: u8, d: u8) -> u32 {
    let fields = u32::from(s) << 21 | u32::from(t) << 16 | u32::from(d) << 11;
    let row = row(opcode);
    row.bits | fields & !row.mask
}

/// An instruction of the registers s and t and an immediate.
pub(crate) fn immediate(opcode: Opcode, s: u8, t: u8, value: u16) -> u32 {
    registers(opcode, s, t, 0) & !0xffff | u32::from(value)
}
