//! The CPU whose values are Cranelift's: it does not run an instruction, it writes down
//! what running it would do.

use super::Emitter;
use crate::runtime::Exit;
use crate::value::{Comparison, High, Shift, Val, Wide};
use carronade_emulator::cpu::{Cpu, Fault, Trap, Width};
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{InstBuilder, Value, types};

impl Emitter<'_> {
    /// All 64 bits of a value.
    pub(super) fn full(&mut self, value: Val) -> Value {
        match value {
            Val::Imm(constant) => self.constant(constant),
            Val::Flag(flag) => {
                let flag = self.compare(flag);
                self.builder.ins().uextend(types::I64, flag)
            }
            Val::Wide(wide) => wide.full,
        }
    }

    /// The low 32 bits.
    fn word(&mut self, value: Val) -> Value {
        match value {
            Val::Imm(constant) => self
                .builder
                .ins()
                .iconst(types::I32, i64::from(constant as i32)),
            Val::Wide(Wide {
                word: Some(word), ..
            }) => word,
            value => {
                let full = self.full(value);
                self.builder.ins().ireduce(types::I32, full)
            }
        }
    }

    fn compare(&mut self, flag: Comparison) -> Value {
        let Comparison { condition, a, b } = flag;
        self.builder.ins().icmp(condition, a, b)
    }

    /// Something to branch on: not 0 if the value is not 0.
    pub(super) fn condition(&mut self, value: Val) -> Value {
        match value {
            Val::Flag(flag) => self.compare(flag),
            value => self.full(value),
        }
    }

    /// A word and what it is extended to.
    fn extended(&mut self, word: Value, high: High, shift: Option<Shift>) -> Val {
        let full = match high {
            High::Zero => self.builder.ins().uextend(types::I64, word),
            High::Sign | High::Unknown => self.builder.ins().sextend(types::I64, word),
        };
        let word = Some(word);
        Val::Wide(Wide {
            full,
            word,
            high,
            shift,
        })
    }

    /// An operation that gives the same low words whatever the high ones are.
    fn low_first(&mut self, a: Val, b: Val, operation: Operation) -> Val {
        if let (Val::Imm(a), Val::Imm(b)) = (a, b) {
            return Val::Imm(operation.fold(a, b));
        }
        let high = match (high(a), high(b)) {
            (a, b) if a == b && operation.is_bitwise() => a,
            _ => High::Unknown,
        };
        let words = (has_word(a) || self.makes_words()) && (has_word(b) || self.makes_words());
        if words && high != High::Unknown {
            let (a, b) = (self.word(a), self.word(b));
            let word = self.apply(operation, a, b);
            return self.extended(word, high, None);
        }
        let word = words.then(|| {
            let (a, b) = (self.word(a), self.word(b));
            self.apply(operation, a, b)
        });
        let (a, b) = (self.full(a), self.full(b));
        let full = self.apply(operation, a, b);
        Val::Wide(Wide {
            full,
            word,
            high: High::Unknown,
            shift: None,
        })
    }

    fn apply(&mut self, operation: Operation, a: Value, b: Value) -> Value {
        let ins = self.builder.ins();
        match operation {
            Operation::Add => ins.iadd(a, b),
            Operation::Sub => ins.isub(a, b),
            Operation::And => ins.band(a, b),
            Operation::Or => ins.bor(a, b),
            Operation::Xor => ins.bxor(a, b),
            Operation::Mul => ins.imul(a, b),
        }
    }

    /// Whether the instruction at hand only wants the low words of its operands.
    fn makes_words(&self) -> bool {
        use carronade_emulator::isa::Opcode as O;
        matches!(
            self.code[self.at].opcode(),
            O::add | O::addu | O::addi | O::addiu | O::sub | O::subu | O::mul | O::sll | O::sllv
        )
    }

    fn rotation(&mut self, a: Val, b: Val) -> Option<Val> {
        let (Val::Wide(a), Val::Wide(b)) = (a, b) else {
            return None;
        };
        let (one, other) = (a.shift?, b.shift?);
        let (source, left) = one.rotation(other)?;
        let rotated = self.builder.ins().rotl_imm_u(source, i64::from(left));
        match one.bits {
            64 => Some(Val::from(rotated)),
            _ if a.high == b.high && a.high != High::Unknown => {
                Some(self.extended(rotated, a.high, None))
            }
            _ => None,
        }
    }

    /// Operands of a comparison: words if both are extended in the same way, which keeps
    /// their order.
    fn operands(&mut self, a: Val, b: Val) -> (Value, Value) {
        let sign = |value: Val| high(value) == High::Sign && has_word(value);
        if sign(a) && sign(b) {
            (self.word(a), self.word(b))
        } else {
            (self.full(a), self.full(b))
        }
    }

    fn comparison(&mut self, condition: IntCC, a: Val, b: Val) -> Val {
        let (a, b) = self.operands(a, b);
        Val::Flag(Comparison { condition, a, b })
    }

    fn unary(&mut self, a: Val, operation: impl FnOnce(&mut Self, Value) -> Value) -> Val {
        let a = self.full(a);
        Val::from(operation(self, a))
    }

    fn binary(&mut self, a: Val, b: Val, operation: fn(&mut Self, Value, Value) -> Value) -> Val {
        let (a, b) = (self.full(a), self.full(b));
        Val::from(operation(self, a, b))
    }

    /// Division in which -1, the divisor that overflows, is replaced by 1: gives the
    /// quotient or remainder, and whether it was replaced.
    fn tame_divisor(&mut self, b: Value) -> (Value, Value) {
        let minus = self.builder.ins().icmp_imm_s(IntCC::Equal, b, -1);
        let one = self.constant(1);
        (self.builder.ins().select(minus, one, b), minus)
    }

    fn shift_amount(&mut self, amount: Val) -> Value {
        match amount {
            Val::Imm(amount) => self.constant(amount & 63),
            amount => self.full(amount),
        }
    }
}

fn has_word(value: Val) -> bool {
    match value {
        Val::Imm(_) => true,
        Val::Wide(wide) => wide.word.is_some(),
        Val::Flag(_) => false,
    }
}

fn high(value: Val) -> High {
    match value {
        Val::Imm(constant) if constant as i32 as u64 == constant => High::Sign,
        Val::Wide(wide) => wide.high,
        _ => High::Unknown,
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Operation {
    Add,
    Sub,
    And,
    Or,
    Xor,
    Mul,
}

impl Operation {
    fn is_bitwise(self) -> bool {
        matches!(self, Self::And | Self::Or | Self::Xor)
    }

    fn fold(self, a: u64, b: u64) -> u64 {
        match self {
            Self::Add => a.wrapping_add(b),
            Self::Sub => a.wrapping_sub(b),
            Self::And => a & b,
            Self::Or => a | b,
            Self::Xor => a ^ b,
            Self::Mul => a.wrapping_mul(b),
        }
    }
}

impl Cpu for Emitter<'_> {
    type Value = Val;

    fn imm(&mut self, value: u64) -> Val {
        Val::Imm(value)
    }

    fn gpr(&mut self, register: u8) -> Val {
        self.register(register as usize)
    }

    fn set_gpr(&mut self, register: u8, value: Val) {
        self.set_register(register as usize, value);
    }

    fn hi(&mut self) -> Val {
        self.register(crate::footprint::HI)
    }

    fn lo(&mut self) -> Val {
        self.register(crate::footprint::LO)
    }

    fn set_hi(&mut self, value: Val) {
        self.set_register(crate::footprint::HI, value);
    }

    fn set_lo(&mut self, value: Val) {
        self.set_register(crate::footprint::LO, value);
    }

    fn add(&mut self, a: Val, b: Val) -> Val {
        match (a, b) {
            (a, Val::Imm(0)) | (Val::Imm(0), a) if !self.makes_words() => a,
            (a, b) => self.low_first(a, b, Operation::Add),
        }
    }

    fn sub(&mut self, a: Val, b: Val) -> Val {
        self.low_first(a, b, Operation::Sub)
    }

    fn and(&mut self, a: Val, b: Val) -> Val {
        self.low_first(a, b, Operation::And)
    }

    fn or(&mut self, a: Val, b: Val) -> Val {
        match (a, b) {
            (a, Val::Imm(0)) | (Val::Imm(0), a) => a,
            (a, b) => match self.rotation(a, b) {
                Some(rotated) => rotated,
                None => self.low_first(a, b, Operation::Or),
            },
        }
    }

    fn xor(&mut self, a: Val, b: Val) -> Val {
        match (a, b) {
            (Val::Flag(flag), Val::Imm(1)) => Val::Flag(flag.inverse()),
            (a, b) => self.low_first(a, b, Operation::Xor),
        }
    }

    fn not(&mut self, a: Val) -> Val {
        self.low_first(a, Val::Imm(u64::MAX), Operation::Xor)
    }

    fn mul(&mut self, a: Val, b: Val) -> Val {
        self.low_first(a, b, Operation::Mul)
    }

    fn mul_high_signed(&mut self, a: Val, b: Val) -> Val {
        self.binary(a, b, |this, a, b| this.builder.ins().smulhi(a, b))
    }

    fn mul_high_unsigned(&mut self, a: Val, b: Val) -> Val {
        self.binary(a, b, |this, a, b| this.builder.ins().umulhi(a, b))
    }

    fn div_signed(&mut self, a: Val, b: Val) -> Val {
        self.binary(a, b, |this, a, b| {
            let (tame, minus) = this.tame_divisor(b);
            let quotient = this.builder.ins().sdiv(a, tame);
            let negated = this.builder.ins().ineg(a);
            this.builder.ins().select(minus, negated, quotient)
        })
    }

    fn div_unsigned(&mut self, a: Val, b: Val) -> Val {
        self.binary(a, b, |this, a, b| this.builder.ins().udiv(a, b))
    }

    fn rem_signed(&mut self, a: Val, b: Val) -> Val {
        self.binary(a, b, |this, a, b| {
            // With 1 in the place of -1 the remainder is 0, as it should be.
            let (tame, _) = this.tame_divisor(b);
            this.builder.ins().srem(a, tame)
        })
    }

    fn rem_unsigned(&mut self, a: Val, b: Val) -> Val {
        self.binary(a, b, |this, a, b| this.builder.ins().urem(a, b))
    }

    fn shl(&mut self, a: Val, amount: Val) -> Val {
        if let (Val::Imm(a), Val::Imm(amount)) = (a, amount) {
            return Val::Imm(a << (amount & 63));
        }
        let words = has_word(a) || self.makes_words();
        let (full, by) = (self.full(a), self.shift_amount(amount));
        let shifted = self.builder.ins().ishl(full, by);
        // The amounts of word shifts are below 32, of others only constants are known.
        let (word, shift) = match amount {
            Val::Imm(amount @ 0..32) if words => {
                let source = self.word(a);
                let word = self.builder.ins().ishl_imm_u(source, amount as i64);
                let shift = Shift {
                    source,
                    left: amount as u8,
                    right: 0,
                    bits: 32,
                };
                (Some(word), self.makes_words().then_some(shift))
            }
            Val::Imm(_) => (None, None),
            amount if self.makes_words() => {
                let (source, by) = (self.word(a), self.word(amount));
                (Some(self.builder.ins().ishl(source, by)), None)
            }
            _ => (None, None),
        };
        let shift = shift.or(match amount {
            Val::Imm(amount @ 1..64) => Some(Shift {
                source: full,
                left: amount as u8,
                right: 0,
                bits: 64,
            }),
            _ => None,
        });
        Val::Wide(Wide {
            full: shifted,
            word,
            high: High::Unknown,
            shift,
        })
    }

    fn shr(&mut self, a: Val, amount: Val) -> Val {
        match (a, amount) {
            (Val::Imm(a), Val::Imm(amount)) => Val::Imm(a >> (amount & 63)),
            (
                Val::Wide(Wide {
                    word: Some(source),
                    high: High::Zero,
                    ..
                }),
                Val::Imm(amount @ 0..32),
            ) => {
                let word = self.builder.ins().ushr_imm_u(source, amount as i64);
                let shift = Shift {
                    source,
                    left: 0,
                    right: amount as u8,
                    bits: 32,
                };
                self.extended(word, High::Zero, Some(shift))
            }
            _ => {
                let (full, by) = (self.full(a), self.shift_amount(amount));
                let shift = match amount {
                    Val::Imm(amount @ 1..64) => Some(Shift {
                        source: full,
                        left: 0,
                        right: amount as u8,
                        bits: 64,
                    }),
                    _ => None,
                };
                let full = self.builder.ins().ushr(full, by);
                Val::Wide(Wide {
                    full,
                    word: None,
                    high: High::Unknown,
                    shift,
                })
            }
        }
    }

    fn sar(&mut self, a: Val, amount: Val) -> Val {
        match (a, amount) {
            (Val::Imm(a), Val::Imm(amount)) => Val::Imm((a as i64 >> (amount & 63)) as u64),
            (
                Val::Wide(Wide {
                    word: Some(word),
                    high: High::Sign,
                    ..
                }),
                Val::Imm(amount @ 0..32),
            ) => {
                let word = self.builder.ins().sshr_imm_u(word, amount as i64);
                self.extended(word, High::Sign, None)
            }
            _ => {
                let (a, by) = (self.full(a), self.shift_amount(amount));
                Val::from(self.builder.ins().sshr(a, by))
            }
        }
    }

    fn leading_zeros(&mut self, a: Val) -> Val {
        self.unary(a, |this, a| this.builder.ins().clz(a))
    }

    fn sign_extend(&mut self, a: Val, from: Width) -> Val {
        match (a, from) {
            (a, Width::Double) => a,
            (Val::Imm(a), Width::Word) => Val::Imm(a as i32 as u64),
            (Val::Wide(wide), Width::Word) if wide.high == High::Sign => a,
            (a, Width::Word) => {
                let shift = match a {
                    Val::Wide(wide) => wide.shift.filter(|shift| shift.bits == 32),
                    _ => None,
                };
                let word = self.word(a);
                self.extended(word, High::Sign, shift)
            }
            (a, width) => self.unary(a, |this, a| {
                let narrow = if width == Width::Byte {
                    types::I8
                } else {
                    types::I16
                };
                let a = this.builder.ins().ireduce(narrow, a);
                this.builder.ins().sextend(types::I64, a)
            }),
        }
    }

    fn zero_extend(&mut self, a: Val, from: Width) -> Val {
        match (a, from) {
            (a, Width::Double) => a,
            (Val::Imm(a), Width::Word) => Val::Imm(u64::from(a as u32)),
            (a, Width::Word) => {
                let word = self.word(a);
                self.extended(word, High::Zero, None)
            }
            (a, width) => self.unary(a, |this, a| {
                let mask = if width == Width::Byte { 0xff } else { 0xffff };
                this.builder.ins().band_imm_u(a, mask)
            }),
        }
    }

    fn eq(&mut self, a: Val, b: Val) -> Val {
        self.comparison(IntCC::Equal, a, b)
    }

    fn less_signed(&mut self, a: Val, b: Val) -> Val {
        self.comparison(IntCC::SignedLessThan, a, b)
    }

    fn less_unsigned(&mut self, a: Val, b: Val) -> Val {
        self.comparison(IntCC::UnsignedLessThan, a, b)
    }

    fn select(&mut self, condition: Val, then: Val, other: Val) -> Val {
        let condition = self.condition(condition);
        let (then, other) = (self.full(then), self.full(other));
        Val::from(self.builder.ins().select(condition, then, other))
    }

    fn load(&mut self, address: Val, width: Width) -> Result<Val, Trap> {
        Ok(self.load_guest(address, width))
    }

    fn store(&mut self, address: Val, width: Width, value: Val) -> Result<(), Trap> {
        self.store_guest(address, width, value);
        Ok(())
    }

    fn load_linked(&mut self, address: Val, width: Width) -> Result<Val, Trap> {
        Ok(self.load_reserving(address, width))
    }

    fn store_conditional(&mut self, address: Val, width: Width, register: u8) -> Result<(), Trap> {
        self.store_reserved(address, width, register);
        Ok(())
    }

    fn pc(&self) -> u64 {
        let block = &self.flow.nodes[self.node].block;
        block.pc.wrapping_add(4 * self.at as u64)
    }

    fn expect_no_delay_slot(&mut self) -> Result<(), Trap> {
        // Regions have no transfer of control in a delay slot.
        Ok(())
    }

    fn jump(&mut self, target: Val) {
        self.jump = Some(target);
    }

    fn branch(&mut self, condition: Val, _: u64) {
        self.branch = Some(condition);
    }

    fn fault(&mut self, fault: Fault) -> Result<(), Trap> {
        self.fault_if(Val::Imm(1), fault)
    }

    fn fault_if(&mut self, condition: Val, _: Fault) -> Result<(), Trap> {
        // The interpreter repeats the instruction and says which fault it is.
        let condition = self.condition(condition);
        self.side_exit_if(condition, Exit::Fault);
        Ok(())
    }

    fn syscall(&mut self) -> Result<(), Trap> {
        unreachable!("regions have no system calls");
    }
}
