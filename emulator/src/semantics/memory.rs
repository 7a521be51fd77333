//! Loads and stores. Memory is big-endian; addresses are rounded down to the natural
//! size of the access and never refused.

use super::Result;
use crate::cpu::{Cpu, Width};
use crate::isa::Instruction;

fn address<C: Cpu>(cpu: &mut C, i: Instruction) -> C::Value {
    let (base, offset) = (cpu.gpr(i.rs()), cpu.imm(i.immediate()));
    cpu.add(base, offset)
}

macro_rules! loads {
    ($($(#[$doc:meta])* $name:ident = $width:ident $extension:ident;)*) => {$(
        $(#[$doc])*
        pub fn $name<C: Cpu>(cpu: &mut C, i: Instruction) -> Result {
            let at = address(cpu, i);
            let value = cpu.load(at, Width::$width)?;
            let value = loads!(@ $extension cpu, value, $width);
            cpu.set_gpr(i.rt(), value);
            Ok(())
        }
    )*};
    (@ signed $cpu:ident, $value:ident, $width:ident) => { $cpu.sign_extend($value, Width::$width) };
    (@ unsigned $cpu:ident, $value:ident, $width:ident) => { $value };
}

loads! {
    /// Loads a byte, sign-extended.
    lb = Byte signed;
    /// Loads a byte, zero-extended.
    lbu = Byte unsigned;
    /// Loads 2 bytes, sign-extended.
    lh = Half signed;
    /// Loads 2 bytes, zero-extended.
    lhu = Half unsigned;
    /// Loads 4 bytes, sign-extended.
    lw = Word signed;
    /// Loads 4 bytes, zero-extended.
    lwu = Word unsigned;
    /// Loads 8 bytes.
    ld = Double unsigned;
}

macro_rules! stores {
    ($($(#[$doc:meta])* $name:ident = $width:ident;)*) => {$(
        $(#[$doc])*
        pub fn $name<C: Cpu>(cpu: &mut C, i: Instruction) -> Result {
            let (at, value) = (address(cpu, i), cpu.gpr(i.rt()));
            cpu.store(at, Width::$width, value)
        }
    )*};
}

stores! {
    /// Stores a byte.
    sb = Byte;
    /// Stores 2 bytes.
    sh = Half;
    /// Stores 4 bytes.
    sw = Word;
    /// Stores 8 bytes.
    sd = Double;
}

/// How far an unaligned access reaches into its aligned unit of `width`, in bits:
/// 8 × (address mod width) from the left, or the same from the right.
fn bit_offset<C: Cpu>(cpu: &mut C, at: C::Value, width: Width, from_right: bool) -> C::Value {
    let (last, three) = (cpu.imm(width.bytes() - 1), cpu.imm(3));
    let within = cpu.and(at, last);
    let bytes = if from_right {
        cpu.xor(within, last)
    } else {
        within
    };
    cpu.shl(bytes, three)
}

/// `old` where `mask` is 0, `new` where it is 1; `new` is 0 outside the mask.
fn merge<C: Cpu>(cpu: &mut C, old: C::Value, new: C::Value, mask: C::Value) -> C::Value {
    let outside = cpu.not(mask);
    let kept = cpu.and(old, outside);
    cpu.or(kept, new)
}

/// Loads the left part of an unaligned word; the result is sign-extended.
pub fn lwl<C: Cpu>(cpu: &mut C, i: Instruction) -> Result {
    let (at, old, ones) = (address(cpu, i), cpu.gpr(i.rt()), cpu.imm(0xffff_ffff));
    let word = cpu.load(at, Width::Word)?;
    let left = bit_offset(cpu, at, Width::Word, false);
    let (new, mask) = (cpu.shl(word, left), cpu.shl(ones, left));
    let merged = merge(cpu, old, new, mask);
    let value = cpu.sign_extend(merged, Width::Word);
    cpu.set_gpr(i.rt(), value);
    Ok(())
}

/// Loads the right part of an unaligned word. The result is sign-extended only if the
/// whole word was loaded, else the upper half of rt stays; Cannon's own choice
/// (`MIPS64Instructions.sol`, lwr).
pub fn lwr<C: Cpu>(cpu: &mut C, i: Instruction) -> Result {
    let (at, old, ones) = (address(cpu, i), cpu.gpr(i.rt()), cpu.imm(0xffff_ffff));
    let word = cpu.load(at, Width::Word)?;
    let right = bit_offset(cpu, at, Width::Word, true);
    let (new, mask) = (cpu.shr(word, right), cpu.shr(ones, right));
    let merged = merge(cpu, old, new, mask);
    let (extended, zero) = (cpu.sign_extend(merged, Width::Word), cpu.imm(0));
    let whole = cpu.eq(right, zero);
    let value = cpu.select(whole, extended, merged);
    cpu.set_gpr(i.rt(), value);
    Ok(())
}

/// Loads the left part of an unaligned double word.
pub fn ldl<C: Cpu>(cpu: &mut C, i: Instruction) -> Result {
    let (at, old, ones) = (address(cpu, i), cpu.gpr(i.rt()), cpu.imm(u64::MAX));
    let double = cpu.load(at, Width::Double)?;
    let left = bit_offset(cpu, at, Width::Double, false);
    let (new, mask) = (cpu.shl(double, left), cpu.shl(ones, left));
    let value = merge(cpu, old, new, mask);
    cpu.set_gpr(i.rt(), value);
    Ok(())
}

/// Loads the right part of an unaligned double word.
pub fn ldr<C: Cpu>(cpu: &mut C, i: Instruction) -> Result {
    let (at, old, ones) = (address(cpu, i), cpu.gpr(i.rt()), cpu.imm(u64::MAX));
    let double = cpu.load(at, Width::Double)?;
    let right = bit_offset(cpu, at, Width::Double, true);
    let (new, mask) = (cpu.shr(double, right), cpu.shr(ones, right));
    let value = merge(cpu, old, new, mask);
    cpu.set_gpr(i.rt(), value);
    Ok(())
}

fn store_left<C: Cpu>(cpu: &mut C, i: Instruction, width: Width) -> Result {
    let (at, full) = (address(cpu, i), cpu.imm(u64::MAX));
    let (rt, old) = (cpu.gpr(i.rt()), cpu.load(at, width)?);
    let (source, ones) = (cpu.zero_extend(rt, width), cpu.zero_extend(full, width));
    let right = bit_offset(cpu, at, width, false);
    let (new, mask) = (cpu.shr(source, right), cpu.shr(ones, right));
    let value = merge(cpu, old, new, mask);
    cpu.store(at, width, value)
}

fn store_right<C: Cpu>(cpu: &mut C, i: Instruction, width: Width) -> Result {
    let (at, full) = (address(cpu, i), cpu.imm(u64::MAX));
    let (source, old) = (cpu.gpr(i.rt()), cpu.load(at, width)?);
    let left = bit_offset(cpu, at, width, true);
    let (new, mask) = (cpu.shl(source, left), cpu.shl(full, left));
    let value = merge(cpu, old, new, mask);
    cpu.store(at, width, value)
}

/// Stores the left part of an unaligned word.
pub fn swl<C: Cpu>(cpu: &mut C, i: Instruction) -> Result {
    store_left(cpu, i, Width::Word)
}

/// Stores the right part of an unaligned word.
pub fn swr<C: Cpu>(cpu: &mut C, i: Instruction) -> Result {
    store_right(cpu, i, Width::Word)
}

/// Stores the left part of an unaligned double word.
pub fn sdl<C: Cpu>(cpu: &mut C, i: Instruction) -> Result {
    store_left(cpu, i, Width::Double)
}

/// Stores the right part of an unaligned double word.
pub fn sdr<C: Cpu>(cpu: &mut C, i: Instruction) -> Result {
    store_right(cpu, i, Width::Double)
}

fn linked<C: Cpu>(cpu: &mut C, i: Instruction, width: Width) -> Result {
    let at = address(cpu, i);
    let value = cpu.load_linked(at, width)?;
    let value = cpu.sign_extend(value, width);
    cpu.set_gpr(i.rt(), value);
    Ok(())
}

fn conditional<C: Cpu>(cpu: &mut C, i: Instruction, width: Width) -> Result {
    let at = address(cpu, i);
    cpu.store_conditional(at, width, i.rt())
}

/// Loads a word, sign-extended, and reserves its address.
pub fn ll<C: Cpu>(cpu: &mut C, i: Instruction) -> Result {
    linked(cpu, i, Width::Word)
}

/// Loads a double word and reserves its address.
pub fn lld<C: Cpu>(cpu: &mut C, i: Instruction) -> Result {
    linked(cpu, i, Width::Double)
}

/// Stores a word if the reservation holds; rt says whether.
pub fn sc<C: Cpu>(cpu: &mut C, i: Instruction) -> Result {
    conditional(cpu, i, Width::Word)
}

/// Stores a double word if the reservation holds; rt says whether.
pub fn scd<C: Cpu>(cpu: &mut C, i: Instruction) -> Result {
    conditional(cpu, i, Width::Double)
}
