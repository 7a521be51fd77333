//! From an ELF file to the first state of the machine: segments, stack, symbols
//! (`mipsevm/program/load.go`, `patch.go`, `metadata.go`).

use crate::memory::{Memory, PAGE_SHIFT, PAGE_SIZE};
use crate::state::{State, StateVersion};
use object::Endianness;
use object::elf::{self, FileHeader64};
use object::read::elf::{FileHeader, ProgramHeader, Sym};
use serde::{Deserialize, Serialize};

/// Where `mmap` begins to hand out memory.
pub const HEAP_START: u64 = 0x1000_0000_0000;
/// Programs lie in a 48-bit space.
const LAST_ADDRESS: u64 = (1 << 48) - 1;
/// The first stack pointer; what the program finds there lies above.
const STACK_POINTER: u64 = 0x7FFF_FFFF_F000;
const STACK_PAGES: u64 = 4;
const SP: usize = 29;
const CLASS_64: u8 = 2;
const BIG_ENDIAN: u8 = 2;

/// Why an ELF file cannot become a state.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[expect(missing_docs, reason = "the messages are the documentation")]
pub enum ImageError {
    #[error("not an ELF file")]
    NotElf,
    #[error("the ELF file is for 32-bit machines; the machine runs 64-bit programs")]
    NotElf64,
    #[error("the ELF file is little-endian; the machine is big-endian")]
    LittleEndian,
    #[error("the ELF file is for machine number {0}, not for MIPS (8)")]
    NotMips(u16),
    #[error("the ELF file is of type {0}, not a linked program (2 or 3)")]
    NotProgram(u16),
    #[error("the ELF file is broken: {0}")]
    Broken(String),
    #[error("program segment {index} has file size {file} above its memory size {memory}")]
    FileLargerThanMemory {
        index: usize,
        file: u64,
        memory: u64,
    },
    #[error(
        "program segment {index} has file size {file} and memory size {memory}: \
         only PT_LOAD segments are filled up"
    )]
    CannotFill {
        index: usize,
        file: u64,
        memory: u64,
    },
    #[error("program segment {index} is out of the address range: 0x{first:x} to 0x{last:x}")]
    OutOfRange { index: usize, first: u64, last: u64 },
    #[error("program segment {index} overlaps the heap: 0x{first:x} to 0x{last:x}")]
    OverlapsHeap { index: usize, first: u64, last: u64 },
    #[error("the program is too large: {0} bytes of memory, at most {MAX_PROGRAM}")]
    TooLarge(u64),
}

/// Every byte of a program becomes part of the first state, so one larger than this is a
/// mistake or an attack; the reference would try to allocate it.
const MAX_PROGRAM: u64 = 4 << 30;

type Header = FileHeader64<Endianness>;

/// Checks that `elf` is a program for the machine.
fn parse(elf: &[u8]) -> Result<(&Header, Endianness), ImageError> {
    match elf {
        [0x7f, b'E', b'L', b'F', CLASS_64, BIG_ENDIAN, ..] => {}
        [0x7f, b'E', b'L', b'F', CLASS_64, ..] => return Err(ImageError::LittleEndian),
        [0x7f, b'E', b'L', b'F', ..] => return Err(ImageError::NotElf64),
        _ => return Err(ImageError::NotElf),
    }
    let header = Header::parse(elf).map_err(broken)?;
    let endian = header.endian().map_err(broken)?;
    let (machine, kind) = (header.e_machine(endian), header.e_type(endian));
    if machine != elf::EM_MIPS {
        return Err(ImageError::NotMips(machine.0));
    }
    if kind != elf::ET_EXEC && kind != elf::ET_DYN {
        return Err(ImageError::NotProgram(kind.0));
    }
    Ok((header, endian))
}

fn broken(error: object::read::Error) -> ImageError {
    ImageError::Broken(error.to_string())
}

/// Loads a program: the state before its first step, and its memory.
///
/// # Errors
/// When the bytes are not a 64-bit big-endian MIPS program within the machine's limits.
pub fn load_elf(version: StateVersion, elf: &[u8]) -> Result<(State, Memory), ImageError> {
    let (header, endian) = parse(elf)?;
    let (mut memory, mut total) = (Memory::new(), 0);
    let segments = header.program_headers(endian, elf).map_err(broken)?;
    for (index, segment) in segments.iter().enumerate() {
        if segment.p_type(endian) == elf::PT_MIPS_ABIFLAGS {
            continue;
        }
        let (first, file, size) = (
            segment.p_vaddr(endian),
            segment.p_filesz(endian),
            segment.p_memsz(endian),
        );
        check_segment(
            index,
            segment.p_type(endian) == elf::PT_LOAD,
            [first, file, size],
        )?;
        if size == 0 {
            continue;
        }
        total += size;
        if total > MAX_PROGRAM {
            return Err(ImageError::TooLarge(total));
        }
        let cut = || ImageError::Broken(format!("program segment {index} is cut off"));
        let bytes = segment.data(endian, elf).map_err(|()| cut())?;
        // Every page of the segment exists, also those that are zero.
        for page in first >> PAGE_SHIFT..=(first + size - 1) >> PAGE_SHIFT {
            memory.page_mut(page);
        }
        memory.write(first, bytes);
    }
    let mut state = State::new(version, header.e_entry(endian), HEAP_START);
    lay_stack(&mut state, &mut memory);
    Ok((state, memory))
}

fn check_segment(
    index: usize,
    is_load: bool,
    [first, file, memory]: [u64; 3],
) -> Result<(), ImageError> {
    if is_load && file > memory {
        return Err(ImageError::FileLargerThanMemory {
            index,
            file,
            memory,
        });
    }
    if !is_load && file != memory {
        return Err(ImageError::CannotFill {
            index,
            file,
            memory,
        });
    }
    if memory == 0 {
        return Ok(());
    }
    let last = first.wrapping_add(memory - 1);
    if last < first || last > LAST_ADDRESS {
        return Err(ImageError::OutOfRange { index, first, last });
    }
    if last >= HEAP_START {
        return Err(ImageError::OverlapsHeap { index, first, last });
    }
    Ok(())
}

/// Writes what the kernel would leave on the stack: one argument, one environment
/// variable, the page size and 16 fixed random bytes.
fn lay_stack(state: &mut State, memory: &mut Memory) {
    for page in 0..=STACK_PAGES {
        memory.page_mut((STACK_POINTER >> PAGE_SHIFT) - STACK_PAGES + page);
    }
    const WORDS: u64 = 10;
    let random = STACK_POINTER + 8 * WORDS;
    let environment = random + 16;
    // 24 characters and the NUL, padded to whole words.
    let name = environment + 32;
    let words = [
        1,
        name,
        0,
        environment,
        0,
        AT_PAGESZ,
        PAGE_SIZE as u64,
        AT_RANDOM,
        random,
        AT_NULL,
    ];
    for (n, word) in words.into_iter().enumerate() {
        memory.write(STACK_POINTER + 8 * n as u64, &word.to_be_bytes());
    }
    memory.write(random, b"4;byfairdiceroll");
    memory.write(environment, b"GODEBUG=memprofilerate=0\0");
    memory.write(name, b"op-program\0");
    if let Ok(thread) = state.thread_mut() {
        thread.registers[SP] = STACK_POINTER;
    }
}

const AT_NULL: u64 = 0;
const AT_PAGESZ: u64 = 6;
const AT_RANDOM: u64 = 25;

/// A symbol of a program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Symbol {
    /// Its name.
    pub name: String,
    /// Its first address.
    pub start: u64,
    /// Its size in bytes.
    pub size: u64,
}

/// The contents of `meta.json`: symbols by ascending address.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metadata {
    /// The symbols.
    #[serde(deserialize_with = "null_as_empty")]
    pub symbols: Vec<Symbol>,
}

/// Go writes a list that was never made as `null`.
fn null_as_empty<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Vec<Symbol>, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

impl Metadata {
    /// The symbols of a program. The first, unnamed entry of the table is left out, as Go
    /// leaves it out.
    ///
    /// # Errors
    /// When the file is no program for the machine, or has no symbol table.
    pub fn of_elf(elf: &[u8]) -> Result<Self, ImageError> {
        let (header, endian) = parse(elf)?;
        let sections = header.sections(endian, elf).map_err(broken)?;
        let table = sections
            .symbols(endian, elf, elf::SHT_SYMTAB)
            .map_err(broken)?;
        if table.is_empty() {
            return Err(ImageError::Broken("there is no symbol section".into()));
        }
        let mut symbols = Vec::with_capacity(table.len());
        for symbol in table.iter().skip(1) {
            let name = table.symbol_name(endian, symbol).map_err(broken)?;
            symbols.push(Symbol {
                name: String::from_utf8_lossy(name).into_owned(),
                start: symbol.st_value(endian),
                size: symbol.st_size(endian),
            });
        }
        symbols.sort_by_key(|symbol| symbol.start);
        Ok(Self { symbols })
    }

    /// The name of the symbol that an address belongs to, or `!unknown`, `!start` or
    /// `!gap`, in the reference's words.
    #[must_use]
    pub fn lookup(&self, address: u64) -> &str {
        let after = self
            .symbols
            .partition_point(|symbol| symbol.start <= address);
        match after.checked_sub(1).and_then(|at| self.symbols.get(at)) {
            None if self.symbols.is_empty() => "!unknown",
            None => "!start",
            Some(symbol) if symbol.start.wrapping_add(symbol.size) < address => "!gap",
            Some(symbol) => &symbol.name,
        }
    }
}
