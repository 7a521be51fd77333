//! A hash table of 128 MiB, filled to a half and then accessed at random: bound by memory.
#![cfg_attr(target_os = "none", no_std, no_main)]

extern crate alloc;

use alloc::vec;
use alloc::vec::Vec;
use bench_guests::{Random, Sum};

bench_guests::bench!(work);

const SLOTS: usize = 1 << 23;
const KEYS: u64 = 1 << 22;
const ACCESSES: u64 = 24_000_000;

/// Key, not zero in a used slot, and value.
type Slot = [u64; 2];

struct Table(Vec<Slot>);

impl Table {
    /// The value of `key`, 0 at first.
    #[inline]
    fn entry(&mut self, key: u64) -> &mut u64 {
        let mask = self.0.len() - 1;
        let mut hash = key.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        hash ^= hash >> 29;
        hash = hash.wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mut index = (hash >> 24) as usize & mask;
        loop {
            let found = self.0[index][0];
            if found == key {
                break;
            }
            if found == 0 {
                self.0[index][0] = key;
                break;
            }
            index = (index + 1) & mask;
        }
        &mut self.0[index][1]
    }
}

fn work() -> u64 {
    let mut table = Table(vec![[0; 2]; SLOTS]);
    for key in 1..=KEYS {
        *table.entry(key) = key ^ 0x55;
    }
    let mut random = Random::new(0x9E37_79B9);
    let mut sum = Sum::default();
    for _ in 0..ACCESSES {
        let number = random.draw();
        let key = (number >> 20) % KEYS + 1;
        let value = table.entry(key);
        if number & 3 == 0 {
            *value = value.wrapping_mul(3).wrapping_add(number);
        }
        sum.add(*value);
    }
    sum.get()
}
