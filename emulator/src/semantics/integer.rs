//! Arithmetic, logic, shifts, HI and LO.

use super::Result;
use super::branch::refuse_zero;
use crate::cpu::{Cpu, Width};
use crate::isa::Instruction;

fn set_word<C: Cpu>(cpu: &mut C, register: u8, value: C::Value) -> Result {
    let value = cpu.sign_extend(value, Width::Word);
    cpu.set_gpr(register, value);
    Ok(())
}

/// `rd = rs op rt` over 64 bits, or over 32 with the result sign-extended.
macro_rules! registers {
    ($($(#[$doc:meta])* $name:ident = $op:ident $width:ident;)*) => {$(
        $(#[$doc])*
        pub fn $name<C: Cpu>(cpu: &mut C, i: Instruction) -> Result {
            let (a, b) = (cpu.gpr(i.rs()), cpu.gpr(i.rt()));
            let value = cpu.$op(a, b);
            registers!(@ $width cpu, i.rd(), value)
        }
    )*};
    (@ double $cpu:ident, $register:expr, $value:ident) => {{
        $cpu.set_gpr($register, $value);
        Ok(())
    }};
    (@ word $cpu:ident, $register:expr, $value:ident) => { set_word($cpu, $register, $value) };
}

registers! {
    /// 32-bit sum; no overflow trap.
    add = add word;
    /// 32-bit sum.
    addu = add word;
    /// 32-bit difference; no overflow trap.
    sub = sub word;
    /// 32-bit difference.
    subu = sub word;
    /// 64-bit sum; no overflow trap.
    dadd = add double;
    /// 64-bit sum.
    daddu = add double;
    /// 64-bit difference; no overflow trap.
    dsub = sub double;
    /// 64-bit difference.
    dsubu = sub double;
    /// Bitwise and.
    and = and double;
    /// Bitwise or.
    or = or double;
    /// Bitwise exclusive or.
    xor = xor double;
    /// 1 if rs < rt, signed, over 64 bits.
    slt = less_signed double;
    /// 1 if rs < rt, unsigned, over 64 bits.
    sltu = less_unsigned double;
    /// Low 32 bits of the product; HI and LO stay.
    mul = mul word;
}

/// Bitwise not-or.
pub fn nor<C: Cpu>(cpu: &mut C, i: Instruction) -> Result {
    let (a, b) = (cpu.gpr(i.rs()), cpu.gpr(i.rt()));
    let either = cpu.or(a, b);
    let value = cpu.not(either);
    cpu.set_gpr(i.rd(), value);
    Ok(())
}

/// `rt = rs op immediate`.
macro_rules! immediates {
    ($($(#[$doc:meta])* $name:ident = $op:ident $immediate:ident $width:ident;)*) => {$(
        $(#[$doc])*
        pub fn $name<C: Cpu>(cpu: &mut C, i: Instruction) -> Result {
            let (a, b) = (cpu.gpr(i.rs()), cpu.imm(i.$immediate()));
            let value = cpu.$op(a, b);
            registers!(@ $width cpu, i.rt(), value)
        }
    )*};
}

immediates! {
    /// 32-bit sum; no overflow trap.
    addi = add immediate word;
    /// 32-bit sum.
    addiu = add immediate word;
    /// 64-bit sum; no overflow trap.
    daddi = add immediate double;
    /// 64-bit sum.
    daddiu = add immediate double;
    /// 1 if rs < immediate, signed.
    slti = less_signed immediate double;
    /// 1 if rs < the sign-extended immediate, unsigned.
    sltiu = less_unsigned immediate double;
    /// And with the zero-extended immediate.
    andi = and unsigned double;
    /// Or with the zero-extended immediate.
    ori = or unsigned double;
    /// Exclusive or with the zero-extended immediate.
    xori = xor unsigned double;
}

/// The immediate in bits 31 to 16, sign-extended.
pub fn lui<C: Cpu>(cpu: &mut C, i: Instruction) -> Result {
    let value = cpu.imm((i.unsigned() << 16) as i32 as u64);
    cpu.set_gpr(i.rt(), value);
    Ok(())
}

/// What a 32-bit right shift shifts: the low word, extended as the shift demands, so that
/// the 64-bit primitive gives the 32-bit result.
fn low_word<C: Cpu>(cpu: &mut C, register: u8, signed: bool) -> C::Value {
    let value = cpu.gpr(register);
    if signed {
        cpu.sign_extend(value, Width::Word)
    } else {
        cpu.zero_extend(value, Width::Word)
    }
}

/// Shift left by a constant; the result is sign-extended even for a shift by 0.
pub fn sll<C: Cpu>(cpu: &mut C, i: Instruction) -> Result {
    let (a, amount) = (cpu.gpr(i.rt()), cpu.imm(i.shift()));
    let value = cpu.shl(a, amount);
    set_word(cpu, i.rd(), value)
}

/// Logical shift right by a constant; the bit that means `rotr` elsewhere is ignored.
pub fn srl<C: Cpu>(cpu: &mut C, i: Instruction) -> Result {
    let (a, amount) = (low_word(cpu, i.rt(), false), cpu.imm(i.shift()));
    let value = cpu.shr(a, amount);
    set_word(cpu, i.rd(), value)
}

/// Arithmetic shift right by a constant.
pub fn sra<C: Cpu>(cpu: &mut C, i: Instruction) -> Result {
    let (a, amount) = (low_word(cpu, i.rt(), true), cpu.imm(i.shift()));
    let value = cpu.sar(a, amount);
    set_word(cpu, i.rd(), value)
}

/// The low 5 bits of rs, the amount of a 32-bit variable shift.
fn word_amount<C: Cpu>(cpu: &mut C, i: Instruction) -> C::Value {
    let (rs, mask) = (cpu.gpr(i.rs()), cpu.imm(31));
    cpu.and(rs, mask)
}

/// Shift left by a register, modulo 32.
pub fn sllv<C: Cpu>(cpu: &mut C, i: Instruction) -> Result {
    let (a, amount) = (cpu.gpr(i.rt()), word_amount(cpu, i));
    let value = cpu.shl(a, amount);
    set_word(cpu, i.rd(), value)
}

/// Logical shift right by a register, modulo 32.
pub fn srlv<C: Cpu>(cpu: &mut C, i: Instruction) -> Result {
    let (a, amount) = (low_word(cpu, i.rt(), false), word_amount(cpu, i));
    let value = cpu.shr(a, amount);
    set_word(cpu, i.rd(), value)
}

/// Arithmetic shift right by a register, modulo 32.
pub fn srav<C: Cpu>(cpu: &mut C, i: Instruction) -> Result {
    let (a, amount) = (low_word(cpu, i.rt(), true), word_amount(cpu, i));
    let value = cpu.sar(a, amount);
    set_word(cpu, i.rd(), value)
}

/// 64-bit shifts: by a register modulo 64, by a constant, by a constant plus 32.
macro_rules! double_shifts {
    ($($(#[$doc:meta])* $name:ident = $op:ident $amount:ident;)*) => {$(
        $(#[$doc])*
        pub fn $name<C: Cpu>(cpu: &mut C, i: Instruction) -> Result {
            let (a, amount) = (cpu.gpr(i.rt()), double_shifts!(@ $amount cpu, i));
            let value = cpu.$op(a, amount);
            cpu.set_gpr(i.rd(), value);
            Ok(())
        }
    )*};
    (@ register $cpu:ident, $i:ident) => { $cpu.gpr($i.rs()) };
    (@ constant $cpu:ident, $i:ident) => { $cpu.imm($i.shift()) };
    (@ plus32 $cpu:ident, $i:ident) => { $cpu.imm($i.shift() + 32) };
}

double_shifts! {
    /// Shift left by a register.
    dsllv = shl register;
    /// Logical shift right by a register.
    dsrlv = shr register;
    /// Arithmetic shift right by a register.
    dsrav = sar register;
    /// Shift left by a constant.
    dsll = shl constant;
    /// Logical shift right by a constant.
    dsrl = shr constant;
    /// Arithmetic shift right by a constant.
    dsra = sar constant;
    /// Shift left by 32 to 63.
    dsll32 = shl plus32;
    /// Logical shift right by 32 to 63.
    dsrl32 = shr plus32;
    /// Arithmetic shift right by 32 to 63.
    dsra32 = sar plus32;
}

fn move_if<C: Cpu>(cpu: &mut C, i: Instruction, when_zero: bool) -> Result {
    let (source, test, zero) = (cpu.gpr(i.rs()), cpu.gpr(i.rt()), cpu.imm(0));
    let (is_zero, old) = (cpu.eq(test, zero), cpu.gpr(i.rd()));
    let (then, other) = if when_zero {
        (source, old)
    } else {
        (old, source)
    };
    let value = cpu.select(is_zero, then, other);
    cpu.set_gpr(i.rd(), value);
    Ok(())
}

/// Moves rs to rd if rt = 0.
pub fn movz<C: Cpu>(cpu: &mut C, i: Instruction) -> Result {
    move_if(cpu, i, true)
}

/// Moves rs to rd if rt ≠ 0.
pub fn movn<C: Cpu>(cpu: &mut C, i: Instruction) -> Result {
    move_if(cpu, i, false)
}

/// A barrier elsewhere; here it copies rs to rd (`ExecuteMipsInstruction` returns rs).
pub fn sync<C: Cpu>(cpu: &mut C, i: Instruction) -> Result {
    let value = cpu.gpr(i.rs());
    cpu.set_gpr(i.rd(), value);
    Ok(())
}

/// Leading zeros of the low word.
pub fn clz<C: Cpu>(cpu: &mut C, i: Instruction) -> Result {
    let value = cpu.gpr(i.rs());
    word_leading_zeros(cpu, i, value)
}

/// Leading ones of the low word.
pub fn clo<C: Cpu>(cpu: &mut C, i: Instruction) -> Result {
    let value = cpu.gpr(i.rs());
    let value = cpu.not(value);
    word_leading_zeros(cpu, i, value)
}

fn word_leading_zeros<C: Cpu>(cpu: &mut C, i: Instruction, value: C::Value) -> Result {
    let (low, half) = (cpu.zero_extend(value, Width::Word), cpu.imm(32));
    let zeros = cpu.leading_zeros(low);
    let count = cpu.sub(zeros, half);
    cpu.set_gpr(i.rd(), count);
    Ok(())
}

/// Leading zeros of 64 bits.
pub fn dclz<C: Cpu>(cpu: &mut C, i: Instruction) -> Result {
    let value = cpu.gpr(i.rs());
    let count = cpu.leading_zeros(value);
    cpu.set_gpr(i.rd(), count);
    Ok(())
}

/// Leading ones of 64 bits.
pub fn dclo<C: Cpu>(cpu: &mut C, i: Instruction) -> Result {
    let value = cpu.gpr(i.rs());
    let value = cpu.not(value);
    let count = cpu.leading_zeros(value);
    cpu.set_gpr(i.rd(), count);
    Ok(())
}

/// Reads HI.
pub fn mfhi<C: Cpu>(cpu: &mut C, i: Instruction) -> Result {
    let value = cpu.hi();
    cpu.set_gpr(i.rd(), value);
    Ok(())
}

/// Reads LO.
pub fn mflo<C: Cpu>(cpu: &mut C, i: Instruction) -> Result {
    let value = cpu.lo();
    cpu.set_gpr(i.rd(), value);
    Ok(())
}

/// The instructions that write HI or LO also write 0 to rd (`HandleHiLo`).
fn clear_rd<C: Cpu>(cpu: &mut C, i: Instruction) -> Result {
    let zero = cpu.imm(0);
    cpu.set_gpr(i.rd(), zero);
    Ok(())
}

/// Writes HI.
pub fn mthi<C: Cpu>(cpu: &mut C, i: Instruction) -> Result {
    let value = cpu.gpr(i.rs());
    cpu.set_hi(value);
    clear_rd(cpu, i)
}

/// Writes LO.
pub fn mtlo<C: Cpu>(cpu: &mut C, i: Instruction) -> Result {
    let value = cpu.gpr(i.rs());
    cpu.set_lo(value);
    clear_rd(cpu, i)
}

fn set_hi_lo<C: Cpu>(cpu: &mut C, i: Instruction, hi: C::Value, lo: C::Value) -> Result {
    cpu.set_hi(hi);
    cpu.set_lo(lo);
    clear_rd(cpu, i)
}

fn word_product<C: Cpu>(cpu: &mut C, i: Instruction, signed: bool) -> Result {
    let (a, b) = (low_word(cpu, i.rs(), signed), low_word(cpu, i.rt(), signed));
    let (product, half) = (cpu.mul(a, b), cpu.imm(32));
    let hi = cpu.sar(product, half);
    let lo = cpu.sign_extend(product, Width::Word);
    set_hi_lo(cpu, i, hi, lo)
}

/// Signed 32-bit product; both halves sign-extended.
pub fn mult<C: Cpu>(cpu: &mut C, i: Instruction) -> Result {
    word_product(cpu, i, true)
}

/// Unsigned 32-bit product; both halves sign-extended.
pub fn multu<C: Cpu>(cpu: &mut C, i: Instruction) -> Result {
    word_product(cpu, i, false)
}

/// Signed 32-bit quotient and remainder; only the low word of rt is tested for 0.
pub fn div<C: Cpu>(cpu: &mut C, i: Instruction) -> Result {
    let (a, b) = (low_word(cpu, i.rs(), true), low_word(cpu, i.rt(), true));
    refuse_zero(cpu, b)?;
    // In 64 bits the minimum divided by -1 is 2^31, which sign-extends to the minimum.
    let (hi, lo) = (cpu.rem_signed(a, b), cpu.div_signed(a, b));
    let (hi, lo) = (
        cpu.sign_extend(hi, Width::Word),
        cpu.sign_extend(lo, Width::Word),
    );
    set_hi_lo(cpu, i, hi, lo)
}

/// Unsigned 32-bit quotient and remainder, both sign-extended.
pub fn divu<C: Cpu>(cpu: &mut C, i: Instruction) -> Result {
    let (a, b) = (low_word(cpu, i.rs(), false), low_word(cpu, i.rt(), false));
    refuse_zero(cpu, b)?;
    let (hi, lo) = (cpu.rem_unsigned(a, b), cpu.div_unsigned(a, b));
    let (hi, lo) = (
        cpu.sign_extend(hi, Width::Word),
        cpu.sign_extend(lo, Width::Word),
    );
    set_hi_lo(cpu, i, hi, lo)
}

/// Signed 128-bit product.
pub fn dmult<C: Cpu>(cpu: &mut C, i: Instruction) -> Result {
    let (a, b) = (cpu.gpr(i.rs()), cpu.gpr(i.rt()));
    let (hi, lo) = (cpu.mul_high_signed(a, b), cpu.mul(a, b));
    set_hi_lo(cpu, i, hi, lo)
}

/// Unsigned 128-bit product.
pub fn dmultu<C: Cpu>(cpu: &mut C, i: Instruction) -> Result {
    let (a, b) = (cpu.gpr(i.rs()), cpu.gpr(i.rt()));
    let (hi, lo) = (cpu.mul_high_unsigned(a, b), cpu.mul(a, b));
    set_hi_lo(cpu, i, hi, lo)
}

/// Signed 64-bit quotient and remainder.
pub fn ddiv<C: Cpu>(cpu: &mut C, i: Instruction) -> Result {
    let (a, b) = (cpu.gpr(i.rs()), cpu.gpr(i.rt()));
    refuse_zero(cpu, b)?;
    let (hi, lo) = (cpu.rem_signed(a, b), cpu.div_signed(a, b));
    set_hi_lo(cpu, i, hi, lo)
}

/// Unsigned 64-bit quotient and remainder.
pub fn ddivu<C: Cpu>(cpu: &mut C, i: Instruction) -> Result {
    let (a, b) = (cpu.gpr(i.rs()), cpu.gpr(i.rt()));
    refuse_zero(cpu, b)?;
    let (hi, lo) = (cpu.rem_unsigned(a, b), cpu.div_unsigned(a, b));
    set_hi_lo(cpu, i, hi, lo)
}
