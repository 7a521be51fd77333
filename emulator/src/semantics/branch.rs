//! Jumps, branches, the system call. A meaning sets where execution continues after the
//! delay slot; the driver moves the program counter.

use super::Result;
use crate::cpu::{Cpu, Fault};
use crate::isa::Instruction;

const RA: u8 = 31;

fn link<C: Cpu>(cpu: &mut C, register: u8) {
    let after_slot = cpu.imm(cpu.pc().wrapping_add(8));
    cpu.set_gpr(register, after_slot);
}

/// Jumps within the 256 MiB region of the delay slot.
pub fn j<C: Cpu>(cpu: &mut C, i: Instruction) -> Result {
    cpu.expect_no_delay_slot()?;
    let target = cpu.imm(i.jump_target(cpu.pc()));
    cpu.jump(target);
    Ok(())
}

/// Like [`j`], with the return address in register 31.
pub fn jal<C: Cpu>(cpu: &mut C, i: Instruction) -> Result {
    j(cpu, i)?;
    link(cpu, RA);
    Ok(())
}

/// Jumps to a register's value; alignment is checked at the fetch, not here.
pub fn jr<C: Cpu>(cpu: &mut C, i: Instruction) -> Result {
    cpu.expect_no_delay_slot()?;
    let target = cpu.gpr(i.rs());
    cpu.jump(target);
    Ok(())
}

/// Like [`jr`], with a link; rs is read before rd is written.
pub fn jalr<C: Cpu>(cpu: &mut C, i: Instruction) -> Result {
    jr(cpu, i)?;
    link(cpu, i.rd());
    Ok(())
}

fn branch_if<C: Cpu>(cpu: &mut C, i: Instruction, condition: C::Value) -> Result {
    cpu.expect_no_delay_slot()?;
    cpu.branch(condition, i.branch_target(cpu.pc()));
    Ok(())
}

fn negative<C: Cpu>(cpu: &mut C, register: u8) -> C::Value {
    let (value, zero) = (cpu.gpr(register), cpu.imm(0));
    cpu.less_signed(value, zero)
}

fn positive<C: Cpu>(cpu: &mut C, register: u8) -> C::Value {
    let (value, zero) = (cpu.gpr(register), cpu.imm(0));
    cpu.less_signed(zero, value)
}

fn negate<C: Cpu>(cpu: &mut C, condition: C::Value) -> C::Value {
    let one = cpu.imm(1);
    cpu.xor(condition, one)
}

fn equal<C: Cpu>(cpu: &mut C, i: Instruction) -> C::Value {
    let (a, b) = (cpu.gpr(i.rs()), cpu.gpr(i.rt()));
    cpu.eq(a, b)
}

/// Branches if rs = rt, over all 64 bits.
pub fn beq<C: Cpu>(cpu: &mut C, i: Instruction) -> Result {
    let condition = equal(cpu, i);
    branch_if(cpu, i, condition)
}

/// Branches if rs ≠ rt.
pub fn bne<C: Cpu>(cpu: &mut C, i: Instruction) -> Result {
    let same = equal(cpu, i);
    let condition = negate(cpu, same);
    branch_if(cpu, i, condition)
}

/// Branches if rs ≤ 0; the rt field is ignored.
pub fn blez<C: Cpu>(cpu: &mut C, i: Instruction) -> Result {
    let above = positive(cpu, i.rs());
    let condition = negate(cpu, above);
    branch_if(cpu, i, condition)
}

/// Branches if rs > 0; the rt field is ignored.
pub fn bgtz<C: Cpu>(cpu: &mut C, i: Instruction) -> Result {
    let condition = positive(cpu, i.rs());
    branch_if(cpu, i, condition)
}

/// Branches if rs < 0.
pub fn bltz<C: Cpu>(cpu: &mut C, i: Instruction) -> Result {
    let condition = negative(cpu, i.rs());
    branch_if(cpu, i, condition)
}

/// Branches if rs ≥ 0.
pub fn bgez<C: Cpu>(cpu: &mut C, i: Instruction) -> Result {
    let below = negative(cpu, i.rs());
    let condition = negate(cpu, below);
    branch_if(cpu, i, condition)
}

/// Branches if rs < 0; links always, after reading rs.
pub fn bltzal<C: Cpu>(cpu: &mut C, i: Instruction) -> Result {
    bltz(cpu, i)?;
    link(cpu, RA);
    Ok(())
}

/// Branches if rs ≥ 0; links always, after reading rs.
pub fn bgezal<C: Cpu>(cpu: &mut C, i: Instruction) -> Result {
    bgez(cpu, i)?;
    link(cpu, RA);
    Ok(())
}

/// A REGIMM encoding that the reference does not know: never taken, but still a branch,
/// and so refused in a delay slot (`HandleBranch`).
pub fn bnever<C: Cpu>(cpu: &mut C, _: Instruction) -> Result {
    cpu.expect_no_delay_slot()
}

/// The machine takes over.
pub fn syscall<C: Cpu>(cpu: &mut C, _: Instruction) -> Result {
    cpu.syscall()
}

/// Raises a division by zero if `divisor` is 0.
pub(super) fn refuse_zero<C: Cpu>(cpu: &mut C, divisor: C::Value) -> Result {
    let zero = cpu.imm(0);
    let by_zero = cpu.eq(divisor, zero);
    cpu.fault_if(by_zero, Fault::DivisionByZero)
}
