//! An interpreter of bytecode, with one indirect jump an operation. Its program sieves primes,
//! sorts numbers and computes Fibonacci numbers by recursion.
#![cfg_attr(target_os = "none", no_std, no_main)]

extern crate alloc;

use alloc::vec;
use alloc::vec::Vec;
use bench_guests::Sum;

bench_guests::bench!(work);

const ROUNDS: u64 = 32;

/// Operations on 16 registers, `a`, `b` and `c`; `k` is a constant or a place in the code.
#[derive(Clone, Copy)]
#[repr(u8)]
enum Op {
    /// Ends the program.
    Halt,
    /// a = k
    Set,
    /// a = b
    Move,
    /// a = b + c
    Add,
    /// a = b - c
    Sub,
    /// a = b * c
    Mul,
    /// a = b ^ c
    Xor,
    /// a = b & c
    And,
    /// a = b << k
    Shl,
    /// a = b >> k
    Shr,
    /// a = b + k
    AddK,
    /// a = memory[b + c]
    Load,
    /// memory[b + c] = a
    Store,
    /// Goes on at k.
    Jump,
    /// Goes on at k if b < c.
    Less,
    /// Goes on at k unless b < c.
    NotLess,
    /// Goes on at k if b = 0.
    IfZero,
    /// Calls k.
    Call,
    /// Returns to the caller.
    Return,
    /// Pushes a.
    Push,
    /// Pops a.
    Pop,
    /// Takes a into the checksum.
    Emit,
}

#[derive(Clone, Copy)]
struct Instruction {
    op: Op,
    a: u8,
    b: u8,
    c: u8,
    k: i32,
}

/// Writes programs; labels are numbers.
#[derive(Default)]
struct Writer {
    code: Vec<Instruction>,
    labels: Vec<(usize, usize)>,
}

impl Writer {
    fn op(&mut self, op: Op, a: u8, b: u8, c: u8, k: i32) {
        self.code.push(Instruction { op, a, b, c, k });
    }

    fn label(&mut self, label: usize) {
        self.labels.push((label, self.code.len()));
    }

    /// Puts places where labels are.
    fn finish(mut self) -> Vec<Instruction> {
        for instruction in &mut self.code {
            use Op::{Call, IfZero, Jump, Less, NotLess};
            if let Jump | Less | NotLess | IfZero | Call = instruction.op {
                let found = self
                    .labels
                    .iter()
                    .find(|l| l.0 as i64 == i64::from(instruction.k));
                instruction.k = found.expect("the label is set").1 as i32;
            }
        }
        self.code
    }
}

const NUMBERS: i32 = 60_000;
const SORTED: i32 = 700;
const FIB: i32 = 21;

/// Registers: 0 is zero by convention, 1 is one, 15 the round's seed.
fn program() -> Vec<Instruction> {
    use Op::*;
    let mut w = Writer::default();
    w.op(Set, 0, 0, 0, 0);
    w.op(Set, 1, 0, 0, 1);
    w.op(Call, 0, 0, 0, 100);
    w.op(Call, 0, 0, 0, 200);
    w.op(Set, 2, 0, 0, FIB);
    w.op(Call, 0, 0, 0, 300);
    w.op(Emit, 3, 0, 0, 0);
    w.op(Halt, 0, 0, 0, 0);

    // Sieve: memory[i] is 1 if i is composite. 2: limit, 3: i, 4: multiple, 5: count, 7: square.
    w.label(100);
    w.op(Set, 2, 0, 0, NUMBERS);
    w.op(Move, 3, 0, 0, 0);
    w.label(101);
    w.op(Store, 0, 0, 3, 0);
    w.op(AddK, 3, 3, 0, 1);
    w.op(Less, 0, 3, 2, 101);
    w.op(Set, 3, 0, 0, 2);
    w.op(Move, 5, 0, 0, 0);
    w.label(102);
    w.op(Load, 6, 0, 3, 0);
    w.op(Less, 0, 0, 6, 104);
    w.op(AddK, 5, 5, 0, 1);
    w.op(Mul, 7, 3, 3, 0);
    w.op(Move, 4, 7, 0, 0);
    w.op(NotLess, 0, 4, 2, 104);
    w.label(103);
    w.op(Store, 1, 0, 4, 0);
    w.op(Add, 4, 4, 3, 0);
    w.op(Less, 0, 4, 2, 103);
    w.label(104);
    w.op(AddK, 3, 3, 0, 1);
    w.op(Less, 0, 3, 2, 102);
    w.op(Emit, 5, 0, 0, 0);
    w.op(Return, 0, 0, 0, 0);

    // Insertion sort of random numbers. 2: size, 3: i, 4: j, 5: value, 6: other, 7: below j.
    w.label(200);
    w.op(Set, 2, 0, 0, SORTED);
    w.op(Move, 3, 0, 0, 0);
    w.label(201);
    w.op(Shl, 5, 15, 0, 13);
    w.op(Xor, 15, 15, 5, 0);
    w.op(Shr, 5, 15, 0, 7);
    w.op(Xor, 15, 15, 5, 0);
    w.op(Shl, 5, 15, 0, 17);
    w.op(Xor, 15, 15, 5, 0);
    w.op(Set, 8, 0, 0, 0xffff);
    w.op(And, 5, 15, 8, 0);
    w.op(Move, 4, 3, 0, 0);
    w.label(202);
    w.op(IfZero, 0, 4, 0, 203);
    w.op(Sub, 7, 4, 1, 0);
    w.op(Load, 6, 0, 7, 0);
    w.op(NotLess, 0, 5, 6, 203);
    w.op(Store, 6, 0, 4, 0);
    w.op(Move, 4, 7, 0, 0);
    w.op(Jump, 0, 0, 0, 202);
    w.label(203);
    w.op(Store, 5, 0, 4, 0);
    w.op(AddK, 3, 3, 0, 1);
    w.op(Less, 0, 3, 2, 201);
    w.op(Move, 3, 0, 0, 0);
    w.label(204);
    w.op(Load, 5, 0, 3, 0);
    w.op(Emit, 5, 0, 0, 0);
    w.op(AddK, 3, 3, 0, 100);
    w.op(Less, 0, 3, 2, 204);
    w.op(Return, 0, 0, 0, 0);

    // 3 = Fibonacci number 2.
    w.label(300);
    w.op(Set, 4, 0, 0, 2);
    w.op(NotLess, 0, 2, 4, 301);
    w.op(Move, 3, 2, 0, 0);
    w.op(Return, 0, 0, 0, 0);
    w.label(301);
    w.op(Push, 2, 0, 0, 0);
    w.op(Sub, 2, 2, 1, 0);
    w.op(Call, 0, 0, 0, 300);
    w.op(Pop, 2, 0, 0, 0);
    w.op(Push, 3, 0, 0, 0);
    w.op(AddK, 2, 2, 0, -2);
    w.op(Call, 0, 0, 0, 300);
    w.op(Pop, 5, 0, 0, 0);
    w.op(Add, 3, 3, 5, 0);
    w.op(Return, 0, 0, 0, 0);
    w.finish()
}

/// Runs `code`; returns how many operations that took.
#[inline(never)]
fn run(code: &[Instruction], seed: u64, memory: &mut [u64], sum: &mut Sum) -> u64 {
    let mut r = [0_u64; 16];
    r[15] = seed;
    let mut stack: Vec<u64> = Vec::with_capacity(256);
    let mut pc = 0;
    let mut count = 0;
    loop {
        let Instruction { op, a, b, c, k } = code[pc];
        let (a, b, c) = (a as usize & 15, b as usize & 15, c as usize & 15);
        pc += 1;
        count += 1;
        match op {
            Op::Halt => return count,
            Op::Set => r[a] = k as u64,
            Op::Move => r[a] = r[b],
            Op::Add => r[a] = r[b].wrapping_add(r[c]),
            Op::Sub => r[a] = r[b].wrapping_sub(r[c]),
            Op::Mul => r[a] = r[b].wrapping_mul(r[c]),
            Op::Xor => r[a] = r[b] ^ r[c],
            Op::And => r[a] = r[b] & r[c],
            Op::Shl => r[a] = r[b] << (k & 63),
            Op::Shr => r[a] = r[b] >> (k & 63),
            Op::AddK => r[a] = r[b].wrapping_add(k as u64),
            Op::Load => r[a] = memory[r[b].wrapping_add(r[c]) as usize],
            Op::Store => memory[r[b].wrapping_add(r[c]) as usize] = r[a],
            Op::Jump => pc = k as usize,
            Op::Less if r[b] < r[c] => pc = k as usize,
            Op::NotLess if r[b] >= r[c] => pc = k as usize,
            Op::IfZero if r[b] == 0 => pc = k as usize,
            Op::Less | Op::NotLess | Op::IfZero => {}
            Op::Call => {
                stack.push(pc as u64);
                pc = k as usize;
            }
            Op::Return => pc = stack.pop().expect("a caller") as usize,
            Op::Push => stack.push(r[a]),
            Op::Pop => r[a] = stack.pop().expect("something pushed"),
            Op::Emit => sum.add(r[a]),
        }
    }
}

fn work() -> u64 {
    let code = program();
    let mut memory = vec![0; NUMBERS as usize];
    let mut sum = Sum::default();
    for round in 1..=ROUNDS {
        let count = run(&code, round * 0x9E37_79B9, &mut memory, &mut sum);
        sum.add(count);
    }
    sum.get()
}
