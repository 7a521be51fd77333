//! A long run over a state that grows: transfers between accounts, each appended to a log and
//! hashed with the one before; now and then an old entry is read again and checked. 10 thousand
//! million steps, 80 MB. For checkpoints and traces, since few other programs run so long.
#![cfg_attr(target_os = "none", no_std, no_main)]

extern crate alloc;

use alloc::vec;
use alloc::vec::Vec;
use bench_guests::{Random, Sum};
use carronade_program::Hash;
use carronade_program::keccak::keccak256;

bench_guests::bench!(work);

const ACCOUNTS: u64 = 1 << 16;
const BLOCKS: u64 = 1300;
const TRANSFERS: u64 = 1000;

/// A transfer, and the hash of the log up to it.
struct Entry {
    from: u64,
    to: u64,
    amount: u64,
    hash: Hash,
}

impl Entry {
    fn hash(&self, before: &Hash) -> Hash {
        let mut bytes = [0; 56];
        bytes[..8].copy_from_slice(&self.from.to_be_bytes());
        bytes[8..16].copy_from_slice(&self.to.to_be_bytes());
        bytes[16..24].copy_from_slice(&self.amount.to_be_bytes());
        bytes[24..].copy_from_slice(before);
        keccak256(&bytes)
    }
}

fn work() -> u64 {
    let mut random = Random::new(11);
    let mut sum = Sum::default();
    let mut balances = vec![1_000_000u64; ACCOUNTS as usize];
    let mut log: Vec<Entry> = Vec::new();
    for _ in 0..BLOCKS {
        for _ in 0..TRANSFERS {
            append(&mut log, transfer(&mut balances, &mut random));
        }
        check(&log, random.draw(), &mut sum);
    }
    balances.iter().for_each(|balance| sum.add(*balance));
    sum.get()
}

fn transfer(balances: &mut [u64], random: &mut Random) -> Entry {
    let (from, to) = (random.draw() % ACCOUNTS, random.draw() % ACCOUNTS);
    let amount = random.draw() % (balances[from as usize] / 8 + 1);
    balances[from as usize] -= amount;
    balances[to as usize] += amount;
    let hash = Hash::default();
    Entry {
        from,
        to,
        amount,
        hash,
    }
}

fn append(log: &mut Vec<Entry>, mut entry: Entry) {
    let before = log.last().map_or(Hash::default(), |entry| entry.hash);
    entry.hash = entry.hash(&before);
    log.push(entry);
}

/// An old entry still follows from the one before it.
fn check(log: &[Entry], which: u64, sum: &mut Sum) {
    let at = (which % (log.len() as u64 - 1)) as usize;
    let (before, entry) = (&log[at], &log[at + 1]);
    assert!(
        entry.hash(&before.hash) == entry.hash,
        "the log has changed"
    );
    for word in entry.hash.as_chunks::<8>().0 {
        sum.add(u64::from_be_bytes(*word));
    }
}
