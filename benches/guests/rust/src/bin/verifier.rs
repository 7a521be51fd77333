//! The verifier of `program/guests`, with the pre-images generated and served in the guest: the
//! same check of the same chain needs no host here, and so runs under QEMU and natively too.
#![cfg_attr(target_os = "none", no_std, no_main)]

extern crate alloc;

use alloc::vec::Vec;
use bench_guests::Sum;
use carronade_program::chain::{Chain, ChainSpec, Verdict, verify};
use carronade_program::client::OracleClient;
use carronade_program::io::{Errno, FileIo, HINT_READ, HINT_WRITE, PREIMAGE_READ, PREIMAGE_WRITE};
use carronade_program::key::PreimageKey;

bench_guests::bench!(work);

/// How often the chain is verified, every fourth time with a wrong claim.
const ROUNDS: u64 = 36;

const SPEC: ChainSpec = ChainSpec {
    seed: 1,
    blocks: 64,
    leaves_per_block: 40,
};

fn work() -> u64 {
    let chain = Chain::generate(SPEC);
    let mut sum = Sum::default();
    for round in 0..ROUNDS {
        let mut claim = chain.claim;
        claim[0] ^= u8::from(round % 4 == 3);
        let host = Tape::new(chain.inputs(claim).into_iter().collect());
        let digest = match verify(&mut OracleClient::new(host)).expect("the chain is well-formed") {
            Verdict::Holds(digest) if round % 4 != 3 => digest,
            Verdict::Refuted { computed, .. } if round % 4 == 3 => computed,
            verdict => panic!("{verdict:?}"),
        };
        for word in digest.as_chunks::<8>().0 {
            sum.add(u64::from_be_bytes(*word) ^ round);
        }
    }
    sum.get()
}

/// Serves pre-images from a hash table, in pieces as small as the VM's, and ignores hints.
struct Tape {
    slots: Vec<Option<(PreimageKey, Vec<u8>)>>,
    key: [u8; 32],
    key_size: usize,
    /// Slot asked for, and how much of length and data was read.
    current: usize,
    offset: usize,
}

impl Tape {
    fn new(preimages: Vec<(PreimageKey, Vec<u8>)>) -> Self {
        let mut slots = Vec::new();
        slots.resize(preimages.len().next_power_of_two() * 2, None);
        let mut tape = Self {
            slots,
            key: [0; 32],
            key_size: 0,
            current: 0,
            offset: 0,
        };
        for (key, data) in preimages {
            let slot = tape.find(key.as_bytes());
            tape.slots[slot] = Some((key, data));
        }
        tape
    }

    /// The slot of `key`, or the free one where it would be.
    fn find(&self, key: &[u8; 32]) -> usize {
        let mask = self.slots.len() - 1;
        let mut slot = usize::from_be_bytes(*key.last_chunk().expect("8 of 32 bytes")) & mask;
        while matches!(&self.slots[slot], Some((other, _)) if other.as_bytes() != key) {
            slot = (slot + 1) & mask;
        }
        slot
    }
}

impl FileIo for Tape {
    fn read(&mut self, fd: u32, buffer: &mut [u8]) -> Result<usize, Errno> {
        match fd {
            HINT_READ => {
                buffer.fill(0);
                Ok(buffer.len())
            }
            PREIMAGE_READ => {
                let (_, data) = self.slots[self.current].as_ref().ok_or(Errno::EIO)?;
                let length = (data.len() as u64).to_be_bytes();
                let rest = match self.offset.checked_sub(8) {
                    None => &length[self.offset..],
                    Some(offset) => &data[offset..],
                };
                let count = within_word(buffer).min(rest.len());
                buffer[..count].copy_from_slice(&rest[..count]);
                self.offset += count;
                Ok(count)
            }
            _ => Err(Errno::EBADF),
        }
    }

    fn write(&mut self, fd: u32, data: &[u8]) -> Result<usize, Errno> {
        match fd {
            HINT_WRITE => Ok(data.len()),
            PREIMAGE_WRITE => {
                let count = within_word(data).min(32 - self.key_size);
                self.key[self.key_size..][..count].copy_from_slice(&data[..count]);
                self.key_size += count;
                if self.key_size == 32 {
                    (self.current, self.offset, self.key_size) = (self.find(&self.key), 0, 0);
                }
                Ok(count)
            }
            _ => Err(Errno::EBADF),
        }
    }
}

/// How many bytes of `buffer` lie before the next 8-byte boundary, as the VM moves them.
fn within_word(buffer: &[u8]) -> usize {
    buffer.len().min(8 - (buffer.as_ptr().addr() & 7))
}
