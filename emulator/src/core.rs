//! The CPU whose values are `u64`: the interpreter's side of [`Cpu`].

use crate::bus::Bus;
use crate::cpu::{Cpu, Fault, Trap, Width};
use crate::memory::Stored;
use crate::state::{Reservation, Thread, reservation};
use crate::stats::Stats;

/// A running thread and what its instructions may touch.
///
/// `pc`, `next_pc` and `step` are those of the instruction at hand, and need only be right
/// for instructions that [end a run](crate::isa::Opcode::ends_run).
pub(crate) struct Core<'a, B> {
    pub thread: &'a mut Thread,
    pub bus: &'a mut B,
    pub reservation: &'a mut Reservation,
    pub stats: &'a mut Stats,
    pub pc: u64,
    pub next_pc: u64,
    /// Where execution goes on after the instruction at `next_pc`.
    pub after: u64,
    /// The machine's step counter, this step included.
    pub step: u64,
}

impl<B: Bus> Core<'_, B> {
    #[inline(always)]
    fn note_store(&mut self, address: u64) {
        note_store(self.reservation, self.stats, address);
    }
}

/// Clears the reservation if it covers what was stored to, and counts that.
#[inline(always)]
pub(crate) fn note_store(reservation: &mut Reservation, stats: &mut Stats, address: u64) {
    if reservation.covers(address) {
        *reservation = Reservation::default();
        stats.reservation_invalidated();
    }
}

const fn reservation_kind(width: Width) -> u8 {
    match width {
        Width::Double => reservation::DOUBLE,
        _ => reservation::WORD,
    }
}

#[inline(always)]
const fn sign_extended(value: u64, from: Width) -> u64 {
    match from {
        Width::Byte => value as i8 as u64,
        Width::Half => value as i16 as u64,
        Width::Word => value as i32 as u64,
        Width::Double => value,
    }
}

impl<B: Bus> Cpu for Core<'_, B> {
    type Value = u64;

    #[inline(always)]
    fn imm(&mut self, value: u64) -> u64 {
        value
    }

    #[inline(always)]
    fn gpr(&mut self, register: u8) -> u64 {
        self.thread.registers[register as usize & 31]
    }

    #[inline(always)]
    fn set_gpr(&mut self, register: u8, value: u64) {
        if register != 0 {
            self.thread.registers[register as usize & 31] = value;
        }
    }

    #[inline(always)]
    fn hi(&mut self) -> u64 {
        self.thread.hi
    }

    #[inline(always)]
    fn lo(&mut self) -> u64 {
        self.thread.lo
    }

    #[inline(always)]
    fn set_hi(&mut self, value: u64) {
        self.thread.hi = value;
    }

    #[inline(always)]
    fn set_lo(&mut self, value: u64) {
        self.thread.lo = value;
    }

    #[inline(always)]
    fn add(&mut self, a: u64, b: u64) -> u64 {
        a.wrapping_add(b)
    }

    #[inline(always)]
    fn sub(&mut self, a: u64, b: u64) -> u64 {
        a.wrapping_sub(b)
    }

    #[inline(always)]
    fn and(&mut self, a: u64, b: u64) -> u64 {
        a & b
    }

    #[inline(always)]
    fn or(&mut self, a: u64, b: u64) -> u64 {
        a | b
    }

    #[inline(always)]
    fn xor(&mut self, a: u64, b: u64) -> u64 {
        a ^ b
    }

    #[inline(always)]
    fn not(&mut self, a: u64) -> u64 {
        !a
    }

    #[inline(always)]
    fn mul(&mut self, a: u64, b: u64) -> u64 {
        a.wrapping_mul(b)
    }

    #[inline(always)]
    fn mul_high_signed(&mut self, a: u64, b: u64) -> u64 {
        ((i128::from(a as i64) * i128::from(b as i64)) >> 64) as u64
    }

    #[inline(always)]
    fn mul_high_unsigned(&mut self, a: u64, b: u64) -> u64 {
        ((u128::from(a) * u128::from(b)) >> 64) as u64
    }

    #[inline(always)]
    fn div_signed(&mut self, a: u64, b: u64) -> u64 {
        (a as i64).wrapping_div(b as i64) as u64
    }

    #[inline(always)]
    fn div_unsigned(&mut self, a: u64, b: u64) -> u64 {
        a / b
    }

    #[inline(always)]
    fn rem_signed(&mut self, a: u64, b: u64) -> u64 {
        (a as i64).wrapping_rem(b as i64) as u64
    }

    #[inline(always)]
    fn rem_unsigned(&mut self, a: u64, b: u64) -> u64 {
        a % b
    }

    #[inline(always)]
    fn shl(&mut self, a: u64, amount: u64) -> u64 {
        a << (amount & 63)
    }

    #[inline(always)]
    fn shr(&mut self, a: u64, amount: u64) -> u64 {
        a >> (amount & 63)
    }

    #[inline(always)]
    fn sar(&mut self, a: u64, amount: u64) -> u64 {
        (a as i64 >> (amount & 63)) as u64
    }

    #[inline(always)]
    fn leading_zeros(&mut self, a: u64) -> u64 {
        u64::from(a.leading_zeros())
    }

    #[inline(always)]
    fn sign_extend(&mut self, a: u64, from: Width) -> u64 {
        sign_extended(a, from)
    }

    #[inline(always)]
    fn zero_extend(&mut self, a: u64, from: Width) -> u64 {
        match from {
            Width::Byte => u64::from(a as u8),
            Width::Half => u64::from(a as u16),
            Width::Word => u64::from(a as u32),
            Width::Double => a,
        }
    }

    #[inline(always)]
    fn eq(&mut self, a: u64, b: u64) -> u64 {
        u64::from(a == b)
    }

    #[inline(always)]
    fn less_signed(&mut self, a: u64, b: u64) -> u64 {
        u64::from((a as i64) < (b as i64))
    }

    #[inline(always)]
    fn less_unsigned(&mut self, a: u64, b: u64) -> u64 {
        u64::from(a < b)
    }

    #[inline(always)]
    fn select(&mut self, condition: u64, then: u64, other: u64) -> u64 {
        if condition != 0 { then } else { other }
    }

    #[inline(always)]
    fn load(&mut self, address: u64, width: Width) -> Result<u64, Trap> {
        self.bus.load(address, width)
    }

    #[inline(always)]
    fn store(&mut self, address: u64, width: Width, value: u64) -> Result<(), Trap> {
        let stored = self.bus.store(address, width, value)?;
        self.note_store(address);
        match stored {
            Stored::Data => Ok(()),
            Stored::Code => Err(Trap::CodeWritten),
        }
    }

    fn load_linked(&mut self, address: u64, width: Width) -> Result<u64, Trap> {
        let value = self.bus.load(address, width)?;
        let (status, owner) = (reservation_kind(width), self.thread.id);
        *self.reservation = Reservation {
            status,
            address,
            owner,
        };
        self.stats.load_linked(owner, self.step);
        Ok(value)
    }

    fn store_conditional(&mut self, address: u64, width: Width, register: u8) -> Result<(), Trap> {
        let (status, owner) = (reservation_kind(width), self.thread.id);
        let holds = *self.reservation
            == Reservation {
                status,
                address,
                owner,
            };
        let mut stored = Stored::Data;
        if holds {
            let value = self.gpr(register);
            stored = self.bus.store(address, width, value)?;
            *self.reservation = Reservation::default();
        }
        self.stats.store_conditional(owner, self.step, holds);
        self.set_gpr(register, u64::from(holds));
        match stored {
            Stored::Data => Ok(()),
            Stored::Code => Err(Trap::CodeWritten),
        }
    }

    #[inline(always)]
    fn pc(&self) -> u64 {
        self.pc
    }

    #[inline(always)]
    fn expect_no_delay_slot(&mut self) -> Result<(), Trap> {
        if self.next_pc == self.pc.wrapping_add(4) {
            Ok(())
        } else {
            Err(Fault::BranchInDelaySlot.into())
        }
    }

    #[inline(always)]
    fn jump(&mut self, target: u64) {
        self.after = target;
    }

    #[inline(always)]
    fn branch(&mut self, condition: u64, target: u64) {
        if condition != 0 {
            self.after = target;
        }
    }

    #[inline(always)]
    fn fault(&mut self, fault: Fault) -> Result<(), Trap> {
        Err(fault.into())
    }

    #[inline(always)]
    fn fault_if(&mut self, condition: u64, fault: Fault) -> Result<(), Trap> {
        if condition != 0 {
            Err(fault.into())
        } else {
            Ok(())
        }
    }

    #[inline(always)]
    fn syscall(&mut self) -> Result<(), Trap> {
        Err(Trap::Syscall)
    }
}
