//! Counters, for operators.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! metrics {
    ($($(#[doc = $help:literal])* $name:ident: $kind:literal,)*) => {
        /// What has happened so far, and where things stand. Names in the exposition have
        /// `carronade_challenger_` before them.
        #[derive(Debug, Default)]
        pub struct Metrics {
            $($(#[doc = $help])* pub $name: AtomicU64,)*
        }

        impl Metrics {
            /// All of them in Prometheus' text format.
            #[must_use]
            pub fn render(&self) -> String {
                let mut text = String::new();
                $(
                    let help = concat!($($help),*).trim();
                    let value = self.$name.load(Ordering::Relaxed);
                    let name = concat!("carronade_challenger_", stringify!($name));
                    // Writing to a string does not fail.
                    let _ = write!(
                        text,
                        "# HELP {name} {help}\n# TYPE {name} {}\n{name} {value}\n",
                        $kind
                    );
                )*
                text
            }
        }
    };
}

metrics! {
    /// Number of the newest block that was seen.
    head_block: "gauge",
    /// Time of the newest block that was seen, in seconds.
    head_timestamp: "gauge",
    /// Balance of the account in gwei.
    balance_gwei: "gauge",
    /// Games that are followed.
    games_followed: "gauge",
    /// Games that were followed to their end.
    games_finished: "counter",
    /// Games whose root claim is found to be wrong.
    games_disagreed: "counter",
    /// Number of the newest block at which a round over a game has ended.
    round_block: "gauge",
    /// Rounds over a game.
    rounds: "counter",
    /// Rounds that failed.
    rounds_failed: "counter",
    /// Rounds in which the trace had no answer.
    trace_failures: "counter",
    /// Moves sent.
    moves: "counter",
    /// Steps sent.
    steps: "counter",
    /// Pre-image uploads sent.
    uploads: "counter",
    /// Number of the newest block at which a look at all large pre-images has ended, failures
    /// included.
    large_preimages_block: "gauge",
    /// Large pre-images, whoever proposes them, that were found to be right.
    large_preimages_right: "counter",
    /// Large pre-images that were found to be wrong.
    large_preimages_wrong: "counter",
    /// Challenges of large pre-images sent.
    large_preimages_challenged: "counter",
    /// Oracles and large pre-images that a look failed at.
    large_preimage_failures: "counter",
    /// Resolutions sent.
    resolutions: "counter",
    /// Claims of credit sent.
    credit_claims: "counter",
    /// Transactions whose fee was raised.
    transactions_bumped: "counter",
    /// Transactions that are buried.
    transactions_confirmed: "counter",
    /// Transactions that were reverted.
    transactions_reverted: "counter",
    /// Transactions that a reorganisation took out of their block.
    transactions_reorganised: "counter",
    /// Transactions whose nonce another one took.
    transactions_lost: "counter",
    /// Transactions that are under way.
    transactions_pending: "gauge",
    /// Answers of nodes that cannot be true.
    wrong_answers: "counter",
    /// Looks at the chain that failed.
    chain_failures: "counter",
}

/// Adds one.
pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// Sets a gauge.
pub(crate) fn set(gauge: &AtomicU64, value: u64) {
    gauge.store(value, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_shown_with_help() {
        let metrics = Metrics::default();
        count(&metrics.moves);
        count(&metrics.moves);
        set(&metrics.head_block, 7);
        let text = metrics.render();
        let moves = "# HELP carronade_challenger_moves Moves sent.\n\
                     # TYPE carronade_challenger_moves counter\ncarronade_challenger_moves 2\n";
        assert!(text.contains(moves), "{text}");
        assert!(text.contains("carronade_challenger_head_block 7\n"));
    }
}
