//! The CPU that only notes which registers an instruction reads and writes. The meanings
//! themselves say it, so no second table can disagree with them.

use carronade_emulator::cpu::{Cpu, Fault, Trap, Width};
use carronade_emulator::isa::{Instruction, execute};

/// A set of registers: bits 0 to 31 are the general ones, then HI and LO.
pub type Registers = u64;

/// Number of HI among the registers.
pub const HI: usize = 32;
/// Number of LO among the registers.
pub const LO: usize = 33;
/// How many registers there are.
pub const COUNT: usize = 34;

/// The numbers of the registers of a set, ascending.
pub fn numbers(mut set: Registers) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let first = set.trailing_zeros() as usize;
        set &= set.wrapping_sub(1);
        (first < 64).then_some(first)
    })
}

/// What an instruction, or several one after the other, read before writing it, and wrote.
#[derive(Debug, Default, Clone, Copy)]
pub struct Footprint {
    /// Registers whose first value matters.
    pub reads: Registers,
    /// Registers written.
    pub writes: Registers,
}

impl Footprint {
    /// The footprint of straight code.
    #[must_use]
    pub fn of(code: &[Instruction]) -> Self {
        let mut footprint = Self::default();
        for instruction in code {
            // Faults are side exits to a footprint: nothing is ever refused.
            let _ = execute(&mut footprint, *instruction);
        }
        footprint
    }

    fn read(&mut self, register: usize) {
        self.reads |= (1 << register) & !self.writes & !1;
    }

    fn write(&mut self, register: usize) {
        self.writes |= (1 << register) & !1;
    }
}

macro_rules! nothing {
    ($($name:ident($($argument:ident: $type:ty),*);)*) => {
        $(fn $name(&mut self, $($argument: $type),*) {})*
    };
}

impl Cpu for Footprint {
    type Value = ();

    fn gpr(&mut self, register: u8) {
        self.read(register as usize);
    }

    fn set_gpr(&mut self, register: u8, (): ()) {
        self.write(register as usize);
    }

    fn hi(&mut self) {
        self.read(HI);
    }

    fn lo(&mut self) {
        self.read(LO);
    }

    fn set_hi(&mut self, (): ()) {
        self.write(HI);
    }

    fn set_lo(&mut self, (): ()) {
        self.write(LO);
    }

    nothing! {
        imm(_value: u64);
        add(_a: (), _b: ());
        sub(_a: (), _b: ());
        and(_a: (), _b: ());
        or(_a: (), _b: ());
        xor(_a: (), _b: ());
        not(_a: ());
        mul(_a: (), _b: ());
        mul_high_signed(_a: (), _b: ());
        mul_high_unsigned(_a: (), _b: ());
        div_signed(_a: (), _b: ());
        div_unsigned(_a: (), _b: ());
        rem_signed(_a: (), _b: ());
        rem_unsigned(_a: (), _b: ());
        shl(_a: (), _amount: ());
        shr(_a: (), _amount: ());
        sar(_a: (), _amount: ());
        leading_zeros(_a: ());
        sign_extend(_a: (), _from: Width);
        zero_extend(_a: (), _from: Width);
        eq(_a: (), _b: ());
        less_signed(_a: (), _b: ());
        less_unsigned(_a: (), _b: ());
        select(_condition: (), _then: (), _other: ());
        jump(_target: ());
        branch(_condition: (), _target: u64);
    }

    fn load(&mut self, (): (), _: Width) -> Result<(), Trap> {
        Ok(())
    }

    fn store(&mut self, (): (), _: Width, (): ()) -> Result<(), Trap> {
        Ok(())
    }

    fn load_linked(&mut self, (): (), _: Width) -> Result<(), Trap> {
        Ok(())
    }

    fn store_conditional(&mut self, (): (), _: Width, register: u8) -> Result<(), Trap> {
        self.read(register as usize);
        self.write(register as usize);
        Ok(())
    }

    fn pc(&self) -> u64 {
        0
    }

    fn expect_no_delay_slot(&mut self) -> Result<(), Trap> {
        Ok(())
    }

    fn fault(&mut self, _: Fault) -> Result<(), Trap> {
        Ok(())
    }

    fn fault_if(&mut self, (): (), _: Fault) -> Result<(), Trap> {
        Ok(())
    }

    fn syscall(&mut self) -> Result<(), Trap> {
        Ok(())
    }
}
