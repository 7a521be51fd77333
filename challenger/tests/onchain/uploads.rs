//! Pre-images on their way into the oracle.

use alloy_primitives::{Address, B256, U256, keccak256};
use carronade_challenger::{Next, Reader, Uploader};
use carronade_contracts::abi::PreimageOracle;
use carronade_contracts::deployment::Deployer as _;
use carronade_dispute::upload::{OracleData, PreimageSource};

use crate::arena::{ACCOUNT, Arena};

/// Nothing more is needed than the step says.
struct Nothing;

impl PreimageSource for Nothing {
    fn preimage(&mut self, key: B256) -> Result<Vec<u8>, String> {
        Err(format!("nobody should ask for {key}"))
    }

    fn prove_blob(&mut self, _: &[u8], _: B256) -> Result<(B256, Vec<u8>), String> {
        Err("nobody should ask for a blob".to_owned())
    }
}

fn keccak_data(preimage: &[u8], offset: u32) -> OracleData {
    let mut key = keccak256(preimage);
    key[0] = 2;
    let length = (preimage.len() as u64).to_be_bytes();
    OracleData {
        key,
        value: [&length[..], preimage].concat(),
        offset,
    }
}

/// Does what is due until the part is there: how many calls, and how often it had to wait.
fn upload(arena: &Arena, game: Address, data: &OracleData) -> (usize, usize) {
    let (mut calls, mut waits) = (0, 0);
    loop {
        let chain = arena.chain();
        let head = chain.latest().expect("a block");
        let reader = Reader::new(chain.clone(), game, &head).expect("a game");
        let uploader = Uploader {
            chain: &chain,
            head: &head,
            facts: reader.facts(),
            account: ACCOUNT,
        };
        let next = uploader.next(&arena.game(game), 0, data, Nothing);
        match next.expect("it can be uploaded") {
            Next::Ready => return (calls, waits),
            Next::Call(request) => {
                arena.send(request).expect("a sound call");
                calls += 1;
            }
            Next::Wait(until) => {
                let left = until + 1 - head.timestamp;
                arena.anvil.increase_time(left).expect("time passes");
                waits += 1;
            }
        }
    }
}

#[test]
fn small_and_large_ones_come_into_the_oracle() {
    let mut arena = Arena::new();
    let game = arena.wrong_game();
    let image: Vec<u8> = (0..130_000_u32).map(|number| (number / 7) as u8).collect();
    // A large one: begun, 956 blocks in four calls, a challenge period, finished.
    for (preimage, offset, expected) in [
        (&image[..100], 40, (1, 0)),
        (&image[..], 0, (6, 1)),
        (&image[..], 40_808, (6, 1)),
    ] {
        let data = keccak_data(preimage, offset);
        assert_eq!(upload(&arena, game, &data), expected, "at {offset}");
        let call = PreimageOracle::readPreimageCall {
            key: data.key,
            offset: U256::from(offset),
        };
        let read = arena
            .owner
            .view(arena.at.oracle, &call)
            .expect("it is there");
        let part = &data.value[offset as usize..][..32];
        assert_eq!(read.data, B256::from_slice(part));
    }
}
