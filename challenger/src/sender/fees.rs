//! What to pay for gas (EIP-1559).

use alloy_primitives::U256;

use crate::chain::{Block, Chain};
use crate::rpc::RpcError;

/// The tip where the node suggests none, in wei: what wallets take for usual.
const USUAL_TIP: u128 = 1_000_000_000;

/// How many times the suggested tip is paid at most (op-service's `FeeLimitMultiplier`).
const MOST_TIPS: u128 = 5;

/// Fees of a transaction, in wei per unit of gas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fees {
    /// Base fee and tip at most.
    pub(super) max_fee: u128,
    /// Tip.
    pub(super) tip: u128,
}

impl Fees {
    /// Fees with which the next blocks should take a transaction: the base fee may double.
    pub(super) fn suggested(chain: &Chain, head: &Block) -> Result<Self, RpcError> {
        let tip: Result<U256, RpcError> = chain.rpc().ask("eth_maxPriorityFeePerGas", ());
        let tip = match tip {
            Ok(tip) => tip.saturating_to(),
            Err(error) if error.is_unknown_method() => USUAL_TIP,
            Err(error) => return Err(error),
        };
        Ok(Self {
            max_fee: head.base_fee.saturating_mul(2).saturating_add(tip),
            tip,
        })
    }

    /// The same within a limit.
    ///
    /// # Errors
    /// What the chain asks for now, if that is more.
    pub(super) fn within(self, limit: u128) -> Result<Self, u128> {
        // Twice the base fee and the tip: the asked is what is needed now.
        let asked = (self.max_fee - self.tip) / 2 + self.tip;
        if asked > limit {
            return Err(asked);
        }
        Ok(Self {
            max_fee: self.max_fee.min(limit),
            tip: self.tip,
        })
    }

    /// Fees with which nodes take a transaction in an older one's place: a tenth more at least
    /// (geth's `PriceBump`), here an eighth. None if that is above a limit, or the tip would be far
    /// above what is usual now: then it is not the fee for which no block takes it.
    pub(super) fn in_place_of(self, older: Self, limit: u128) -> Option<Self> {
        let raised = |fee: u128| fee.saturating_add(fee / 8).saturating_add(1);
        let (least_tip, least) = (
            raised(older.tip),
            raised(older.max_fee).max(raised(older.tip)),
        );
        let tip_limit = self.tip.max(USUAL_TIP).saturating_mul(MOST_TIPS);
        if least > limit || least_tip > tip_limit {
            return None;
        }
        let tip = self.tip.max(least_tip).min(limit);
        Some(Self {
            max_fee: self.max_fee.max(least).max(tip).min(limit),
            tip,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fees(max_fee: u128, tip: u128) -> Fees {
        Fees { max_fee, tip }
    }

    #[test]
    fn a_limit_is_kept() {
        assert_eq!(fees(210, 10).within(210), Ok(fees(210, 10)));
        assert_eq!(fees(210, 10).within(120), Ok(fees(120, 10)));
        assert_eq!(fees(210, 10).within(110), Ok(fees(110, 10)));
        assert_eq!(fees(210, 10).within(109), Err(110));
    }

    #[test]
    fn a_replacement_pays_a_tenth_more_in_both() {
        for (max_fee, tip) in [(0, 0), (1, 1), (7, 3), (1_000, 999), (u128::MAX, 5)] {
            let older = fees(max_fee, tip);
            for newer in [fees(0, 0), fees(5_000, 0), fees(10_000, 8_000)] {
                let Some(above) = newer.in_place_of(older, u128::MAX - 1) else {
                    assert_eq!(max_fee, u128::MAX);
                    continue;
                };
                assert!(above.tip > tip && above.tip - tip >= tip / 10);
                assert!(above.max_fee - max_fee >= max_fee / 10);
                assert!(above.tip <= above.max_fee);
            }
        }
    }

    #[test]
    fn a_replacement_has_limits() {
        let older = fees(600, 10);
        assert_eq!(
            fees(1_110, 10).in_place_of(older, 1_000),
            Some(fees(1_000, 12))
        );
        assert_eq!(fees(1_110, 10).in_place_of(older, 676), Some(fees(676, 12)));
        assert_eq!(fees(1_110, 10).in_place_of(older, 675), None);
        // No tip that is five times the usual one, however long it takes.
        let mut paid = fees(10 * USUAL_TIP, USUAL_TIP);
        let mut times = 0;
        while let Some(more) = fees(0, USUAL_TIP).in_place_of(paid, u128::MAX) {
            (paid, times) = (more, times + 1);
        }
        assert!((10..20).contains(&times) && paid.tip <= 5 * USUAL_TIP);
    }
}
