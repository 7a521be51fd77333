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

    /// The curve of the standard game, from a second implementation over integers without
    /// bounds; the rounded figures are those that the reference contract gave.
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

    /// Sums of whole curves, from the same second implementation.
    #[test]
    fn other_depths() {
        for (max_depth, sum) in [
            (1, 60_079_999_800_000_000_000),
            (4, 74_154_857_400_000_000_000),
            (8, 106_535_701_200_000_000_000),
            (12, 141_395_925_600_000_000_000),
            (73, 691_234_694_000_000_000_000),
            (125, 1_161_711_852_800_000_000_000),
        ] {
            assert_eq!(Bonds::new(max_depth).0.iter().sum::<u128>(), sum);
        }
    }
}
