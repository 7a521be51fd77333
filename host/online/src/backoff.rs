//! How long to wait before the same is asked again.

use std::time::Duration;

/// The wait after the first failure, before it is spread.
const FIRST: Duration = Duration::from_millis(200);

/// The longest wait: a node that is back is not left alone for longer.
const LONGEST: Duration = Duration::from_secs(8);

/// The wait after `failures` failures in a row: twice as long each time, between half and all of
/// that, so that many hosts do not come back at the same moment.
#[must_use]
pub fn wait_after(failures: u32) -> Duration {
    let doubled = FIRST.saturating_mul(1 << failures.saturating_sub(1).min(16));
    let longest = doubled.min(LONGEST);
    longest.mul_f64(rand::random_range(0.5..=1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_bound() {
        for failures in 1..100 {
            let wait = wait_after(failures);
            assert!(wait >= FIRST / 2 && wait <= LONGEST, "{failures}: {wait:?}");
            if failures > 6 {
                assert!(wait >= LONGEST / 2);
            }
        }
        assert!(wait_after(1) <= FIRST);
    }
}
