//! The epilogue: what is said of a claim.
//!
//! Source: Optimism specification, `fault-proof/index.md`, "Epilogue".

use core::cmp::Ordering;
use core::fmt;

use alloy_primitives::B256;

/// An output root and the L2 block that it is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Output {
    /// Number of the block.
    pub number: u64,
    /// The output root.
    pub root: B256,
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "output root {} of block {}", self.root, self.number)
    }
}

/// What the program says of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It holds.
    Valid(Output),
    /// It is wrong.
    Invalid {
        /// What was claimed.
        claimed: Output,
        /// What is so: the output of the claimed block, or of the last one that L1 has data
        /// for, or the agreed one if the claim is about a block before it.
        found: Output,
    },
}

impl Verdict {
    /// Compares the output root with the one found, which is that of the claimed block, or of the
    /// last one before it that L1 has data for. So the roots of all blocks after the data are the
    /// last one's, as honest players of dispute games have it for positions there: that a root
    /// claim is of such a block is shown on chain, by `challengeRootL2Block`.
    ///
    /// Source: op-program's `client/tasks/derive.go`, `loadOutputRoot`; kona's
    /// `bin/client/src/single.rs`.
    pub fn of(claimed: Output, found: Output) -> Self {
        if claimed.root == found.root {
            Self::Valid(found)
        } else {
            Self::Invalid { claimed, found }
        }
    }

    /// The verdict that needs no derivation: a claim about the agreed block, or one before it,
    /// which nothing leads to. The agreed root once more for a later block is no such case: a
    /// trace that is extended without moving has the right root only where data end.
    pub fn without_derivation(claimed: Output, agreed: Output) -> Option<Self> {
        match claimed.number.cmp(&agreed.number) {
            Ordering::Less => Some(Self::Invalid {
                claimed,
                found: agreed,
            }),
            Ordering::Equal => Some(Self::of(claimed, agreed)),
            Ordering::Greater => None,
        }
    }

    /// The program's exit code: 0 valid, 1 invalid.
    pub const fn exit_code(&self) -> i32 {
        match self {
            Self::Valid(_) => 0,
            Self::Invalid { .. } => 1,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Valid(output) => write!(f, "valid: {output}"),
            Self::Invalid { claimed, found } => {
                write!(f, "invalid: claimed was {claimed}, and found {found}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roots_count_and_blocks_before_the_agreed_one_are_wrong() {
        let output = |number, byte| Output {
            number,
            root: B256::repeat_byte(byte),
        };
        let agreed = output(7, 1);
        let early = |claimed| Verdict::without_derivation(claimed, agreed);
        assert_eq!(early(agreed), Some(Verdict::Valid(agreed)));
        for claimed in [output(7, 2), output(6, 1), output(0, 0)] {
            let found = agreed;
            assert_eq!(early(claimed), Some(Verdict::Invalid { claimed, found }));
        }
        // The agreed root once more, one block later: only derivation can tell.
        assert_eq!(early(output(8, 1)), None);
        assert_eq!(Verdict::of(output(8, 1), agreed).exit_code(), 0);
        assert_eq!(Verdict::of(output(8, 1), output(8, 2)).exit_code(), 1);
        assert_eq!(Verdict::of(output(8, 1), output(8, 1)).exit_code(), 0);
    }
}
