//! The instruction table: one row per instruction, as a bit pattern.
//!
//! The rows are the only place that says how an instruction is encoded. From them come
//! decoding ([`Instruction::decode`]), dispatch ([`execute`]), the disassembler, the
//! assembler of the tests and the generator of the fuzz targets.
//!
//! In a pattern `0` and `1` are fixed, `s`, `t` and `d` name registers, `a` is a shift
//! amount, `i` a 16-bit immediate, `j` a 26-bit jump index, and `-` a bit that Cannon
//! ignores. The dashes document parity: Cannon's `addu` ignores the shift field and its
//! `srl` the bit that newer MIPS releases read as `rotr` (`exec/mips_instructions.go`),
//! so a table copied from the manual would be wrong.
//!
//! The text before a pattern is the operand syntax, with the same letters; `b` is a
//! branch target and `u` an immediate that is zero-extended.

pub mod assemble;
pub mod disassemble;
pub mod generate;

use crate::cpu::{Cpu, Fault, Trap};
use crate::semantics;

/// One row of the table.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// The instruction that the row encodes; several rows may encode one.
    pub opcode: Opcode,
    /// Its name, which is also the name of its meaning in [`crate::semantics`].
    pub mnemonic: &'static str,
    /// Operand syntax.
    pub operands: &'static str,
    /// The pattern without spaces, most significant bit first, 32 characters.
    pub pattern: [u8; 32],
    /// Ones where the pattern is fixed.
    pub mask: u32,
    /// The fixed bits.
    pub bits: u32,
}

impl Row {
    const fn new(
        opcode: Opcode,
        mnemonic: &'static str,
        operands: &'static str,
        text: &str,
    ) -> Self {
        let (text, mut pattern) = (text.as_bytes(), [0u8; 32]);
        let (mut from, mut to, mut mask, mut bits) = (0, 0, 0u32, 0u32);
        while from < text.len() {
            if text[from] != b' ' {
                pattern[to] = text[from];
                mask = (mask << 1) | (text[from] == b'0' || text[from] == b'1') as u32;
                bits = (bits << 1) | (text[from] == b'1') as u32;
                to += 1;
            }
            from += 1;
        }
        assert!(to == 32, "a pattern has 32 bits");
        Self {
            opcode,
            mnemonic,
            operands,
            pattern,
            mask,
            bits,
        }
    }

    /// Whether `word` is an encoding of this row.
    #[must_use]
    pub const fn matches(&self, word: u32) -> bool {
        word & self.mask == self.bits
    }
}

macro_rules! instructions {
    ($($name:ident $operands:literal = $($pattern:literal)|+;)*) => {
        /// Every instruction of the machine, by mnemonic, and `invalid` for all else.
        #[expect(non_camel_case_types, reason = "variants are the mnemonics, like the meanings")]
        #[expect(missing_docs, reason = "the table documents the mnemonics")]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum Opcode { $($name,)* invalid }

        /// The instruction table.
        pub const ROWS: &[Row] = &[$($(
            Row::new(Opcode::$name, stringify!($name), $operands, $pattern),
        )+)*];

        /// Runs the meaning of one instruction on a CPU.
        ///
        /// # Errors
        /// What the meaning raises; `invalid` always faults.
        #[inline(always)]
        pub fn execute<C: Cpu>(cpu: &mut C, i: Instruction) -> Result<(), Trap> {
            match i.opcode() {
                $(Opcode::$name => semantics::$name(cpu, i),)*
                Opcode::invalid => cpu.fault(Fault::InvalidInstruction(i.bits())),
            }
        }
    };
}

instructions! {
    // Jumps and branches (`HandleJump`, `HandleBranch`).
    j       "j"       = "000010 jjjjjjjjjjjjjjjjjjjjjjjjjj";
    jal     "j"       = "000011 jjjjjjjjjjjjjjjjjjjjjjjjjj";
    jr      "s"       = "000000 sssss ----- ----- ----- 001000";
    jalr    "d,s"     = "000000 sssss ----- ddddd ----- 001001";
    beq     "s,t,b"   = "000100 sssss ttttt iiiiiiiiiiiiiiii";
    bne     "s,t,b"   = "000101 sssss ttttt iiiiiiiiiiiiiiii";
    blez    "s,b"     = "000110 sssss ----- iiiiiiiiiiiiiiii";
    bgtz    "s,b"     = "000111 sssss ----- iiiiiiiiiiiiiiii";
    bltz    "s,b"     = "000001 sssss 00000 iiiiiiiiiiiiiiii";
    bgez    "s,b"     = "000001 sssss 00001 iiiiiiiiiiiiiiii";
    bltzal  "s,b"     = "000001 sssss 10000 iiiiiiiiiiiiiiii";
    bgezal  "s,b"     = "000001 sssss 10001 iiiiiiiiiiiiiiii";
    // Every other REGIMM encoding is a branch that is never taken, not a fault.
    bnever  "s,b"     = "000001 sssss -1--- iiiiiiiiiiiiiiii"
                      | "000001 sssss -01-- iiiiiiiiiiiiiiii"
                      | "000001 sssss -001- iiiiiiiiiiiiiiii";

    // Shifts of 32 bits.
    sll     "d,t,a"   = "000000 ----- ttttt ddddd aaaaa 000000";
    srl     "d,t,a"   = "000000 ----- ttttt ddddd aaaaa 000010";
    sra     "d,t,a"   = "000000 ----- ttttt ddddd aaaaa 000011";
    sllv    "d,t,s"   = "000000 sssss ttttt ddddd ----- 000100";
    srlv    "d,t,s"   = "000000 sssss ttttt ddddd ----- 000110";
    srav    "d,t,s"   = "000000 sssss ttttt ddddd ----- 000111";

    // Conditional moves, system call, barrier.
    movz    "d,s,t"   = "000000 sssss ttttt ddddd ----- 001010";
    movn    "d,s,t"   = "000000 sssss ttttt ddddd ----- 001011";
    syscall ""        = "000000 ----- ----- ----- ----- 001100";
    sync    "d,s"     = "000000 sssss ----- ddddd ----- 001111";

    // HI and LO. All but mfhi and mflo write 0 to rd (`HandleHiLo`).
    mfhi    "d"       = "000000 ----- ----- ddddd ----- 010000";
    mthi    "s,d"     = "000000 sssss ----- ddddd ----- 010001";
    mflo    "d"       = "000000 ----- ----- ddddd ----- 010010";
    mtlo    "s,d"     = "000000 sssss ----- ddddd ----- 010011";
    mult    "s,t,d"   = "000000 sssss ttttt ddddd ----- 011000";
    multu   "s,t,d"   = "000000 sssss ttttt ddddd ----- 011001";
    div     "s,t,d"   = "000000 sssss ttttt ddddd ----- 011010";
    divu    "s,t,d"   = "000000 sssss ttttt ddddd ----- 011011";
    dmult   "s,t,d"   = "000000 sssss ttttt ddddd ----- 011100";
    dmultu  "s,t,d"   = "000000 sssss ttttt ddddd ----- 011101";
    ddiv    "s,t,d"   = "000000 sssss ttttt ddddd ----- 011110";
    ddivu   "s,t,d"   = "000000 sssss ttttt ddddd ----- 011111";

    // Shifts of 64 bits.
    dsllv   "d,t,s"   = "000000 sssss ttttt ddddd ----- 010100";
    dsrlv   "d,t,s"   = "000000 sssss ttttt ddddd ----- 010110";
    dsrav   "d,t,s"   = "000000 sssss ttttt ddddd ----- 010111";
    dsll    "d,t,a"   = "000000 ----- ttttt ddddd aaaaa 111000";
    dsrl    "d,t,a"   = "000000 ----- ttttt ddddd aaaaa 111010";
    dsra    "d,t,a"   = "000000 ----- ttttt ddddd aaaaa 111011";
    dsll32  "d,t,a"   = "000000 ----- ttttt ddddd aaaaa 111100";
    dsrl32  "d,t,a"   = "000000 ----- ttttt ddddd aaaaa 111110";
    dsra32  "d,t,a"   = "000000 ----- ttttt ddddd aaaaa 111111";

    // Arithmetic and logic on registers.
    add     "d,s,t"   = "000000 sssss ttttt ddddd ----- 100000";
    addu    "d,s,t"   = "000000 sssss ttttt ddddd ----- 100001";
    sub     "d,s,t"   = "000000 sssss ttttt ddddd ----- 100010";
    subu    "d,s,t"   = "000000 sssss ttttt ddddd ----- 100011";
    and     "d,s,t"   = "000000 sssss ttttt ddddd ----- 100100";
    or      "d,s,t"   = "000000 sssss ttttt ddddd ----- 100101";
    xor     "d,s,t"   = "000000 sssss ttttt ddddd ----- 100110";
    nor     "d,s,t"   = "000000 sssss ttttt ddddd ----- 100111";
    slt     "d,s,t"   = "000000 sssss ttttt ddddd ----- 101010";
    sltu    "d,s,t"   = "000000 sssss ttttt ddddd ----- 101011";
    dadd    "d,s,t"   = "000000 sssss ttttt ddddd ----- 101100";
    daddu   "d,s,t"   = "000000 sssss ttttt ddddd ----- 101101";
    dsub    "d,s,t"   = "000000 sssss ttttt ddddd ----- 101110";
    dsubu   "d,s,t"   = "000000 sssss ttttt ddddd ----- 101111";
    mul     "d,s,t"   = "011100 sssss ttttt ddddd ----- 000010";
    clz     "d,s"     = "011100 sssss ----- ddddd ----- 100000";
    clo     "d,s"     = "011100 sssss ----- ddddd ----- 100001";
    dclz    "d,s"     = "011100 sssss ----- ddddd ----- 100100";
    dclo    "d,s"     = "011100 sssss ----- ddddd ----- 100101";

    // Arithmetic and logic on an immediate.
    addi    "t,s,i"   = "001000 sssss ttttt iiiiiiiiiiiiiiii";
    addiu   "t,s,i"   = "001001 sssss ttttt iiiiiiiiiiiiiiii";
    slti    "t,s,i"   = "001010 sssss ttttt iiiiiiiiiiiiiiii";
    sltiu   "t,s,i"   = "001011 sssss ttttt iiiiiiiiiiiiiiii";
    andi    "t,s,u"   = "001100 sssss ttttt iiiiiiiiiiiiiiii";
    ori     "t,s,u"   = "001101 sssss ttttt iiiiiiiiiiiiiiii";
    xori    "t,s,u"   = "001110 sssss ttttt iiiiiiiiiiiiiiii";
    lui     "t,u"     = "001111 ----- ttttt iiiiiiiiiiiiiiii";
    daddi   "t,s,i"   = "011000 sssss ttttt iiiiiiiiiiiiiiii";
    daddiu  "t,s,i"   = "011001 sssss ttttt iiiiiiiiiiiiiiii";

    // Loads and stores.
    ldl     "t,i(s)"  = "011010 sssss ttttt iiiiiiiiiiiiiiii";
    ldr     "t,i(s)"  = "011011 sssss ttttt iiiiiiiiiiiiiiii";
    lb      "t,i(s)"  = "100000 sssss ttttt iiiiiiiiiiiiiiii";
    lh      "t,i(s)"  = "100001 sssss ttttt iiiiiiiiiiiiiiii";
    lwl     "t,i(s)"  = "100010 sssss ttttt iiiiiiiiiiiiiiii";
    lw      "t,i(s)"  = "100011 sssss ttttt iiiiiiiiiiiiiiii";
    lbu     "t,i(s)"  = "100100 sssss ttttt iiiiiiiiiiiiiiii";
    lhu     "t,i(s)"  = "100101 sssss ttttt iiiiiiiiiiiiiiii";
    lwr     "t,i(s)"  = "100110 sssss ttttt iiiiiiiiiiiiiiii";
    lwu     "t,i(s)"  = "100111 sssss ttttt iiiiiiiiiiiiiiii";
    ld      "t,i(s)"  = "110111 sssss ttttt iiiiiiiiiiiiiiii";
    sb      "t,i(s)"  = "101000 sssss ttttt iiiiiiiiiiiiiiii";
    sh      "t,i(s)"  = "101001 sssss ttttt iiiiiiiiiiiiiiii";
    swl     "t,i(s)"  = "101010 sssss ttttt iiiiiiiiiiiiiiii";
    sw      "t,i(s)"  = "101011 sssss ttttt iiiiiiiiiiiiiiii";
    sdl     "t,i(s)"  = "101100 sssss ttttt iiiiiiiiiiiiiiii";
    sdr     "t,i(s)"  = "101101 sssss ttttt iiiiiiiiiiiiiiii";
    swr     "t,i(s)"  = "101110 sssss ttttt iiiiiiiiiiiiiiii";
    sd      "t,i(s)"  = "111111 sssss ttttt iiiiiiiiiiiiiiii";
    ll      "t,i(s)"  = "110000 sssss ttttt iiiiiiiiiiiiiiii";
    lld     "t,i(s)"  = "110100 sssss ttttt iiiiiiiiiiiiiiii";
    sc      "t,i(s)"  = "111000 sssss ttttt iiiiiiiiiiiiiiii";
    scd     "t,i(s)"  = "111100 sssss ttttt iiiiiiiiiiiiiiii";
}

impl Opcode {
    /// Whether the instruction ends a straight run of code: it may change where
    /// execution goes on, needs more than registers and memory, or always faults.
    #[must_use]
    pub const fn ends_run(self) -> bool {
        use Opcode as O;
        matches!(
            self,
            O::j | O::jal
                | O::jr
                | O::jalr
                | O::beq
                | O::bne
                | O::blez
                | O::bgtz
                | O::bltz
                | O::bgez
                | O::bltzal
                | O::bgezal
                | O::bnever
                | O::syscall
                | O::ll
                | O::lld
                | O::sc
                | O::scd
                | O::invalid
        )
    }
}

impl Opcode {
    /// Whether the instruction is a jump or a branch, and so has a delay slot.
    #[must_use]
    pub const fn transfers_control(self) -> bool {
        use Opcode as O;
        self.ends_run()
            && !matches!(
                self,
                O::syscall | O::ll | O::lld | O::sc | O::scd | O::invalid
            )
    }
}

/// A decoded instruction: the word itself, what it is, and its register fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Instruction {
    bits: u32,
    opcode: Opcode,
    rs: u8,
    rt: u8,
    rd: u8,
}

impl Instruction {
    /// Decodes a word; never fails, since what the machine refuses is `invalid`.
    #[must_use]
    #[inline]
    pub const fn decode(word: u32) -> Self {
        let primary = (word >> 26) as usize;
        let opcode = if primary == REGIMM {
            BY_RT[(word >> 16 & 31) as usize]
        } else {
            BY_FUNCTION[primary][(word & 63) as usize]
        };
        Self {
            bits: word,
            opcode,
            rs: (word >> 21 & 31) as u8,
            rt: (word >> 16 & 31) as u8,
            rd: (word >> 11 & 31) as u8,
        }
    }

    /// What instruction it is.
    #[must_use]
    #[inline(always)]
    pub const fn opcode(self) -> Opcode {
        self.opcode
    }

    /// The instruction word.
    #[must_use]
    #[inline(always)]
    pub const fn bits(self) -> u32 {
        self.bits
    }

    /// Register number in bits 25 to 21.
    #[must_use]
    #[inline(always)]
    pub const fn rs(self) -> u8 {
        self.rs
    }

    /// Register number in bits 20 to 16.
    #[must_use]
    #[inline(always)]
    pub const fn rt(self) -> u8 {
        self.rt
    }

    /// Register number in bits 15 to 11.
    #[must_use]
    #[inline(always)]
    pub const fn rd(self) -> u8 {
        self.rd
    }

    /// Shift amount in bits 10 to 6.
    #[must_use]
    #[inline(always)]
    pub const fn shift(self) -> u64 {
        (self.bits >> 6 & 31) as u64
    }

    /// The 16-bit immediate, sign-extended.
    #[must_use]
    #[inline(always)]
    pub const fn immediate(self) -> u64 {
        self.bits as i16 as u64
    }

    /// The 16-bit immediate, zero-extended.
    #[must_use]
    #[inline(always)]
    pub const fn unsigned(self) -> u64 {
        self.bits as u16 as u64
    }

    /// Where a branch at `pc` goes if it is taken.
    #[must_use]
    #[inline(always)]
    pub const fn branch_target(self, pc: u64) -> u64 {
        pc.wrapping_add(4).wrapping_add(self.immediate() << 2)
    }

    /// Where a `j` or `jal` at `pc` goes: within the 256 MiB region of its delay slot.
    #[must_use]
    #[inline(always)]
    pub const fn jump_target(self, pc: u64) -> u64 {
        jump_region(pc) | (self.index() << 2)
    }

    /// The 26-bit jump index.
    #[must_use]
    #[inline(always)]
    pub const fn index(self) -> u64 {
        (self.bits & 0x03ff_ffff) as u64
    }
}

/// The 256 MiB region that a jump at `pc` stays in. The reference masks nextPC, which is
/// pc + 4 wherever a jump is allowed.
pub(crate) const fn jump_region(pc: u64) -> u64 {
    pc.wrapping_add(4) & !0x0fff_ffff
}

const REGIMM: usize = 1;

const BY_FUNCTION: [[Opcode; 64]; 64] = by_function();
const BY_RT: [Opcode; 32] = by_rt();

const fn by_function() -> [[Opcode; 64]; 64] {
    let mut table = [[Opcode::invalid; 64]; 64];
    let mut r = 0;
    while r < ROWS.len() {
        let (row, mut function) = (&ROWS[r], 0);
        while function < 64 {
            if row.matches(row.bits & !63 | function) {
                table[(row.bits >> 26) as usize][function as usize] = row.opcode;
            }
            function += 1;
        }
        r += 1;
    }
    table
}

const fn by_rt() -> [Opcode; 32] {
    let mut table = [Opcode::invalid; 32];
    let mut r = 0;
    while r < ROWS.len() {
        let (row, mut rt) = (&ROWS[r], 0);
        while rt < 32 && (row.bits >> 26) as usize == REGIMM {
            if row.matches(row.bits & !(31 << 16) | rt << 16) {
                table[rt as usize] = row.opcode;
            }
            rt += 1;
        }
        r += 1;
    }
    table
}

/// The name of a register in the n64 convention, without the `$`.
#[must_use]
pub const fn register_name(register: u8) -> &'static str {
    REGISTERS[(register & 31) as usize]
}

const REGISTERS: [&str; 32] = [
    "zero", "at", "v0", "v1", "a0", "a1", "a2", "a3", "a4", "a5", "a6", "a7", "t0", "t1", "t2",
    "t3", "s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "t8", "t9", "k0", "k1", "gp", "sp", "fp",
    "ra",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_pairwise_disjoint() {
        for (n, a) in ROWS.iter().enumerate() {
            for b in &ROWS[n + 1..] {
                let common = a.mask & b.mask;
                assert_ne!(
                    a.bits & common,
                    b.bits & common,
                    "{} and {}",
                    a.mnemonic,
                    b.mnemonic
                );
            }
        }
    }

    #[test]
    fn decoding_finds_the_row_that_matches() {
        let mut word = 1u32;
        for _ in 0..1_000_000 {
            word = word.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let word = word.rotate_left(13);
            let row = ROWS.iter().find(|row| row.matches(word));
            let want = row.map_or(Opcode::invalid, |row| row.opcode);
            assert_eq!(Instruction::decode(word).opcode(), want, "{word:08x}");
        }
    }

    #[test]
    fn words_that_cannon_refuses_are_invalid() {
        // What `executeMipsInstruction` of `MIPS64Instructions.sol` has no case for.
        let primary = [
            0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x1d, 0x1e, 0x1f, 0x2f, 0x31, 0x32,
            0x33, 0x35, 0x36, 0x39, 0x3a, 0x3b, 0x3d, 0x3e,
        ];
        let special = [
            0x01, 0x05, 0x0d, 0x0e, 0x15, 0x28, 0x29, 0x30, 0x31, 0x32, 0x33, 0x34, 0x35, 0x36,
            0x37, 0x39, 0x3d,
        ];
        for word in 0..64u32 {
            let refused = primary.contains(&word);
            if word != 0 && word != 0x1c {
                assert_eq!(
                    Instruction::decode(word << 26).opcode() == Opcode::invalid,
                    refused
                );
            }
            let refused = special.contains(&word);
            assert_eq!(
                Instruction::decode(word).opcode() == Opcode::invalid,
                refused
            );
            let refused = ![2, 0x20, 0x21, 0x24, 0x25].contains(&word);
            let special2 = Instruction::decode(0x1c << 26 | word).opcode();
            assert_eq!(special2 == Opcode::invalid, refused);
        }
    }
}
