//! A little of what a rollup's program does: a radix trie hashed node by node with RLP and
//! keccak256, powers of 256-bit numbers, sorting, and numbers to text and back.
#![cfg_attr(target_os = "none", no_std, no_main)]

extern crate alloc;

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use bench_guests::{Random, Sum};
use carronade_program::Hash;
use carronade_program::keccak::keccak256;
use core::fmt::Write;

bench_guests::bench!(work);

const ROUNDS: usize = 70;

fn work() -> u64 {
    let mut random = Random::new(7);
    let mut sum = Sum::default();
    let mut trie = Node::Empty;
    for _ in 0..ROUNDS {
        for _ in 0..300 {
            let account = random.draw() % 4000;
            let key = keccak256(&account.to_be_bytes());
            trie.insert(&key, 0, random.draw());
        }
        add_hash(&mut sum, &keccak256(&trie.encode()));
        for _ in 0..12 {
            let base = U256([(); 4].map(|()| random.draw()));
            for limb in base.pow_mod(random.draw()).0 {
                sum.add(limb);
            }
        }
        sort(&mut random, &mut sum);
        text(&mut random, &mut sum);
    }
    sum.get()
}

fn add_hash(sum: &mut Sum, hash: &Hash) {
    for word in hash.as_chunks::<8>().0 {
        sum.add(u64::from_be_bytes(*word));
    }
}

/// A trie with 16 children a node, whose leaves are as near to the root as they can be.
enum Node {
    Empty,
    Leaf { key: Hash, value: u64 },
    Branch(Box<Branch>),
}

struct Branch {
    children: [Node; 16],
    /// Of the encoding, until something below changes.
    hash: Option<Hash>,
}

fn nibble(key: &Hash, depth: usize) -> usize {
    usize::from(key[depth / 2] >> (4 * (1 - depth % 2)) & 15)
}

impl Node {
    fn insert(&mut self, key: &Hash, depth: usize, value: u64) {
        match self {
            Self::Empty => *self = Self::Leaf { key: *key, value },
            Self::Leaf { key: old, value: v } if old == key => *v = value,
            Self::Leaf { key: old, value: v } => {
                let (old, v) = (*old, *v);
                *self = Self::Branch(Box::new(Branch {
                    children: [const { Self::Empty }; 16],
                    hash: None,
                }));
                self.insert(&old, depth, v);
                self.insert(key, depth, value);
            }
            Self::Branch(branch) => {
                branch.hash = None;
                branch.children[nibble(key, depth)].insert(key, depth + 1, value);
            }
        }
    }

    /// In RLP; long nodes are named by their hashes in what is above them.
    fn encode(&mut self) -> Vec<u8> {
        match self {
            Self::Empty => rlp(0x80, &[]),
            Self::Leaf { key, value } => {
                let mut list = rlp(0x80, key);
                list.extend(rlp(0x80, &value.to_be_bytes()));
                rlp(0xc0, &list)
            }
            Self::Branch(branch) => {
                let mut list = Vec::new();
                for child in &mut branch.children {
                    list.extend(rlp(0x80, &child.name()));
                }
                rlp(0xc0, &list)
            }
        }
    }

    fn name(&mut self) -> Vec<u8> {
        if let Self::Branch(branch) = self
            && let Some(hash) = branch.hash
        {
            return hash.to_vec();
        }
        let encoding = self.encode();
        if encoding.len() < 32 {
            return encoding;
        }
        let hash = keccak256(&encoding);
        if let Self::Branch(branch) = self {
            branch.hash = Some(hash);
        }
        hash.to_vec()
    }
}

fn rlp(tag: u8, data: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    if data.len() < 56 {
        bytes.push(tag + data.len() as u8);
    } else {
        let length = data.len().to_be_bytes();
        let used = 8 - (data.len().leading_zeros() / 8) as usize;
        bytes.push(tag + 55 + used as u8);
        bytes.extend(&length[8 - used..]);
    }
    bytes.extend(data);
    bytes
}

/// Four limbs, least first.
#[derive(Clone, Copy)]
struct U256([u64; 4]);

impl U256 {
    /// The power modulo 2²⁵⁶ - 189, a prime.
    fn pow_mod(self, mut exponent: u64) -> Self {
        let (mut base, mut result) = (self, Self([1, 0, 0, 0]));
        while exponent != 0 {
            if exponent & 1 == 1 {
                result = result.mul_mod(base);
            }
            base = base.mul_mod(base);
            exponent >>= 1;
        }
        result
    }

    /// The product, modulo the prime but for one subtraction.
    fn mul_mod(self, other: Self) -> Self {
        let mut wide = [0_u64; 8];
        for (i, a) in self.0.into_iter().enumerate() {
            let mut carry = 0;
            for (j, b) in other.0.into_iter().enumerate() {
                (wide[i + j], carry) = a.carrying_mul_add(b, wide[i + j], carry);
            }
            wide[i + 4] = carry;
        }
        // 2²⁵⁶ is 189 there.
        let mut carry = 0;
        let mut limbs = [0; 4];
        for i in 0..4 {
            (limbs[i], carry) = wide[i + 4].carrying_mul_add(189, wide[i], carry);
        }
        while carry != 0 {
            let mut more = carry * 189;
            carry = 0;
            for limb in &mut limbs {
                let (value, over) = limb.overflowing_add(more);
                (*limb, more) = (value, u64::from(over));
            }
            carry += more;
        }
        Self(limbs)
    }
}

fn sort(random: &mut Random, sum: &mut Sum) {
    let mut pairs: Vec<(u32, u64)> = (0..3000_u64)
        .map(|n| ((random.draw() >> 50) as u32, n))
        .collect();
    pairs.sort_unstable();
    let mut groups: BTreeMap<u32, u64> = BTreeMap::new();
    for (key, value) in pairs {
        *groups.entry(key.rotate_left(16) % 509).or_default() += value;
    }
    for (key, value) in groups {
        sum.add(u64::from(key) << 32 ^ value);
    }
}

fn text(random: &mut Random, sum: &mut Sum) {
    let mut line = String::new();
    for _ in 0..400 {
        let number = random.draw() >> (random.draw() & 63);
        write!(line, "{number},{:x};", number >> 3).expect("memory takes everything");
    }
    for entry in line.split_terminator(';') {
        let (decimal, hexadecimal) = entry.split_once(',').expect("a comma");
        sum.add(decimal.parse().expect("a decimal number"));
        sum.add(u64::from_str_radix(hexadecimal, 16).expect("a hexadecimal number"));
    }
}
