//! What a claim costs (`FaultDisputeGame.getRequiredBond`).

use crate::wad::{WAD, exp, ln, pow};
use alloy_primitives::{I256, U256};

/// The base fee that bonds assume, in wei.
const ASSUMED_BASE_FEE: u64 = 200_000_000_000;
/// Gas that the root's bond pays for.
const BASE_GAS: u64 = 400_000;
/// Gas that a bond at the bottom pays for.
const HIGH_GAS: u64 = 300_000_000;

/// The bonds of a game by depth, in wei: 200 gwei * 400,000 * 750^(depth / max depth), in
/// the contract's fixed-point arithmetic, to the wei.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bonds(Vec<u128>);

impl Bonds {
    /// The bonds of a game with a maximum depth, from 1 to 125.
    #[must_use]
    pub fn new(max_depth: u32) -> Self {
        let wad = U256::from(WAD);
        let ln_growth = ln(U256::from(HIGH_GAS / BASE_GAS) * wad).into_raw();
        let share = wad / U256::from(max_depth);
        let factor = exp(I256::from_raw(ln_growth * share / wad)).into_raw();
        let bond = |depth: u32| {
            let raw = pow(factor, U256::from(depth) * wad).into_raw();
            let gas = U256::from(BASE_GAS) * raw / wad;
            (U256::from(ASSUMED_BASE_FEE) * gas).saturating_to()
        };
        Self((0..=max_depth).map(bond).collect())
    }

    /// The bond of a claim at a depth; none below the bottom.
    #[must_use]
    pub fn at(&self, depth: u32) -> Option<u128> {
        self.0.get(depth as usize).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::{b256, keccak256};

    /// Every bond of every game from depth 4 to 125, as the reference contract gave them,
    /// compiled and asked once: the hash of the hashes of each game's bonds as words.
    #[test]
    fn all_curves_are_the_contracts() {
        let hashes = (4..=125).map(|max_depth| {
            let words = Bonds::new(max_depth).0.into_iter();
            let words: Vec<_> = words
                .map(|wei| U256::from(wei).to_be_bytes::<32>())
                .collect();
            keccak256(words.concat())
        });
        let all = keccak256(hashes.collect::<Vec<_>>().concat());
        let expected = b256!("0x465e44eb15017ab0844b1f0cda761bc6bcc0ed915d4ecf3ea23b9e74ea78b6e9");
        assert_eq!(all, expected);
    }

    /// The curve of the standard game in figures.
    #[test]
    fn standard_curve() {
        let bonds = Bonds::new(73);
        for (depth, wei) in [
            (0, 80_000_000_000_000_000),
            (1, 87_594_000_000_000_000),
            (30, 1_215_127_800_000_000_000),
            (31, 1_330_474_000_000_000_000),
            (60, 18_456_699_400_000_000_000),
            (72, 54_798_270_200_000_000_000),
            (73, 59_999_999_800_000_000_000),
        ] {
            assert_eq!(bonds.at(depth), Some(wei), "depth {depth}");
        }
        assert_eq!(bonds.at(74), None);
    }
}
