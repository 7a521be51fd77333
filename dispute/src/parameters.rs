//! What a game is played with.

use crate::error::GameError;
use crate::position::Position;
use alloy_primitives::{Address, B256};
use serde::{Deserialize, Serialize};

/// The numbers of a type of game; times in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parameters {
    /// Depth of the leaves, one step each.
    pub max_depth: u32,
    /// Depth of the output roots; below it begins the execution trace.
    pub split_depth: u32,
    /// What a side may use up.
    pub max_clock_duration: u64,
    /// What a side has at least to answer a claim.
    pub clock_extension: u64,
    /// How long a large pre-image can be challenged (`PreimageOracle.challengePeriod`).
    pub challenge_period: u64,
}

impl Parameters {
    /// Those of the superchain's standard configuration.
    pub const STANDARD: Self = Self {
        max_depth: 73,
        split_depth: 30,
        max_clock_duration: 302_400,
        clock_extension: 10_800,
        challenge_period: 86_400,
    };

    /// Whether the contract would be created with them (constructor and `initialize`).
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn check(&self) -> Result<(), GameError> {
        if self.max_depth > Position::MAX_DEPTH {
            return Err(GameError::MaxDepthTooLarge);
        }
        if self.split_depth < 2 || self.split_depth.saturating_add(1) >= self.max_depth {
            return Err(GameError::InvalidSplitDepth);
        }
        let longest = self.clock_extension.checked_mul(2).and_then(|twice| {
            let before_steps = self.clock_extension.checked_add(self.challenge_period)?;
            Some(twice.max(before_steps))
        });
        match longest {
            Some(longest) if longest <= self.max_clock_duration => Ok(()),
            _ => Err(GameError::InvalidClockExtension),
        }
    }

    /// The extension that a claim at a depth grants: before steps there may be a large
    /// pre-image to wait for, before an execution trace the first run of the program.
    #[must_use]
    pub fn extension(&self, depth: u32) -> u64 {
        if depth == self.max_depth - 1 {
            self.clock_extension + self.challenge_period
        } else if depth == self.split_depth - 1 {
            self.clock_extension * 2
        } else {
            self.clock_extension
        }
    }

    /// The depth of the root of every execution trace.
    #[must_use]
    pub fn execution_depth(&self) -> u32 {
        self.split_depth + 1
    }

    /// Levels of an execution trace: it has two to their power as many steps.
    #[must_use]
    pub fn execution_levels(&self) -> u32 {
        self.max_depth - self.split_depth - 1
    }
}

/// An output root, and the block that it is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Proposal {
    /// The output root.
    pub root: B256,
    /// The number of the L2 block.
    pub l2_block: u64,
}

/// What a game was created with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Creation {
    /// Who claims the root.
    pub creator: Address,
    /// What is claimed, and of which block.
    pub claimed: Proposal,
    /// The anchor at creation: what the game starts from.
    pub starting: Proposal,
    /// The L1 block before creation, which bounds the data that the program may read.
    pub l1_head: B256,
    /// The chain whose outputs are disputed.
    pub l2_chain_id: u64,
    /// The state hash of the program before its first step.
    pub absolute_prestate: B256,
    /// When, in seconds of L1.
    pub created_at: u64,
    /// The root's bond in wei: the factory's initial bond, which is not the curve's.
    #[serde(with = "wei")]
    pub bond: u128,
}

/// Wei as a hexadecimal string: too many for the numbers of JSON.
mod wei {
    use alloy_primitives::U128;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<S: Serializer>(wei: &u128, to: S) -> Result<S::Ok, S::Error> {
        U128::from(*wei).serialize(to)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<u128, D::Error> {
        U128::deserialize(from).map(|wei| wei.to())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules() {
        let standard = Parameters::STANDARD;
        assert_eq!(standard.check(), Ok(()));
        let with = |change: fn(&mut Parameters)| {
            let mut parameters = standard;
            change(&mut parameters);
            parameters.check()
        };
        assert_eq!(with(|p| p.max_depth = 125), Ok(()));
        assert_eq!(
            with(|p| p.max_depth = 126),
            Err(GameError::MaxDepthTooLarge)
        );
        assert_eq!(
            with(|p| p.split_depth = 1),
            Err(GameError::InvalidSplitDepth)
        );
        assert_eq!(with(|p| p.split_depth = 71), Ok(()));
        assert_eq!(
            with(|p| p.split_depth = 72),
            Err(GameError::InvalidSplitDepth)
        );
        assert_eq!(
            with(|p| p.split_depth = u32::MAX),
            Err(GameError::InvalidSplitDepth)
        );
        assert_eq!(with(|p| p.clock_extension = 151_200), Ok(()));
        let too_long = Err(GameError::InvalidClockExtension);
        assert_eq!(with(|p| p.clock_extension = 151_201), too_long);
        assert_eq!(with(|p| p.clock_extension = u64::MAX), too_long);
        assert_eq!(with(|p| p.challenge_period = 291_600), Ok(()));
        assert_eq!(with(|p| p.challenge_period = 291_601), too_long);
    }
}
