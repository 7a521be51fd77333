//! Challenges large pre-images of which something wrong is claimed: once such a proposal is
//! squeezed, a dishonest step may read a pre-image that does not have its hash.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use alloy_primitives::{Address, U256};
use carronade_contracts::abi::{PreimageOracle as Abi, StateMatrix};
use carronade_dispute::upload::large::Challenge;

use super::leaves::{self, LeavesError};
use super::oracle::{Oracle, Proposal, leaf};
use super::watched::{Due, Watched};
use crate::chain::Block;
use crate::factory::Factory;
use crate::heads::Heads;
use crate::lock::lock;
use crate::metrics::{count, set};
use crate::player::Table;
use crate::sender::{Request, SendError, Submission};

/// The oracles that games read from.
#[derive(Default)]
pub(crate) struct Oracles(Mutex<BTreeSet<Address>>);

impl Oracles {
    /// Adds one.
    pub fn add(&self, oracle: Address) {
        lock(&self.0).insert(oracle);
    }

    fn all(&self) -> Vec<Address> {
        lock(&self.0).iter().copied().collect()
    }
}

/// Why it is not known whether a proposal is right, or it could not be challenged.
#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error(transparent)]
    Leaves(#[from] LeavesError),
    #[error(transparent)]
    Send(#[from] SendError),
}

/// Looks at all proposals of all oracles that games read from.
pub(crate) struct PreimageChallenger {
    table: Arc<Table>,
    factory: Factory,
    game_types: Vec<u32>,
    oracles: Arc<Oracles>,
    watched: BTreeMap<Address, Watched>,
    /// Failures of the last look, which are not told again at the next one.
    told: BTreeSet<String>,
}

impl PreimageChallenger {
    /// One for types of games of a factory, and for oracles that are added by others.
    pub fn new(
        table: Arc<Table>,
        factory: Factory,
        game_types: Vec<u32>,
        oracles: Arc<Oracles>,
    ) -> Self {
        Self {
            table,
            factory,
            game_types,
            oracles,
            watched: BTreeMap::new(),
            told: BTreeSet::new(),
        }
    }

    /// Works until all are to stop. Failures are told, and end nothing.
    pub fn run(mut self, heads: &Heads) {
        let (mut seen, mut failed) = (None, false);
        while let Some(head) = heads.next(seen.as_ref(), failed) {
            let failures = self.look(&head, heads);
            failed = !failures.is_empty();
            for words in failures.difference(&self.told) {
                self.table.notice.warn(words);
            }
            self.told = failures;
            set(&self.table.metrics.large_preimages_block, head.number);
            seen = Some(head);
        }
    }

    /// One look at everything, and what failed.
    fn look(&mut self, head: &Block, heads: &Heads) -> BTreeSet<String> {
        let mut failures = BTreeSet::new();
        self.find_oracles(head, &mut failures);
        for address in self.oracles.all() {
            if heads.is_stopped() {
                break;
            }
            let watched = self.watched.entry(address).or_default();
            // Others may have taken so long that the node has forgotten the state of the block at
            // which this look began.
            let due = self.table.chain.latest().and_then(|at| {
                let oracle = Oracle {
                    chain: &self.table.chain,
                    at: &at,
                    address,
                };
                watched.due(&oracle, self.table.sender.confirmations())
            });
            let due = due.unwrap_or_else(|error| {
                failures.insert(format!("oracle {address}: {error}"));
                Vec::new()
            });
            for mut due in due {
                if heads.is_stopped() {
                    return failures;
                }
                let begun = due.blocks_read();
                match judge(&self.table, address, &mut due, heads) {
                    Ok(()) => due.entry.succeed(),
                    Err(fault) => {
                        if due.blocks_read() > begun {
                            due.entry.succeed();
                        }
                        due.entry.pause();
                        failures.insert(format!("{}: {fault}", name(address, due.proposal)));
                    }
                }
            }
        }
        for _ in &failures {
            count(&self.table.metrics.large_preimage_failures);
        }
        failures
    }

    /// Adds the oracles of games that will be created: a pre-image can be there before them.
    fn find_oracles(&self, head: &Block, failures: &mut BTreeSet<String>) {
        for game_type in &self.game_types {
            match self.factory.oracle(head, *game_type) {
                Ok(Some(oracle)) => self.oracles.add(oracle),
                Ok(None) => {}
                Err(error) => {
                    failures.insert(format!("games of type {game_type}: {error}"));
                }
            }
        }
    }
}

/// Finds out whether a proposal is right, unless that is known, and challenges it if not.
fn judge(table: &Table, oracle: Address, due: &mut Due<'_>, heads: &Heads) -> Result<(), Fault> {
    if due.entry.verdict(due.root).is_none() {
        let verdict = verdict(table, oracle, due, heads)?;
        due.entry.keep(due.root, verdict);
    }
    let Some(Some(challenge)) = due.entry.verdict(due.root) else {
        return Ok(());
    };
    let request = request(oracle, due.proposal, challenge);
    if let Submission::Sent(_) = table.sender.submit(request)? {
        count(&table.metrics.large_preimages_challenged);
    }
    Ok(())
}

/// What shows a proposal to be wrong; none if it is right.
fn verdict(
    table: &Table,
    address: Address,
    due: &mut Due<'_>,
    heads: &Heads,
) -> Result<Option<Challenge>, LeavesError> {
    let newest = table.chain.latest()?;
    let oracle = Oracle {
        chain: &table.chain,
        at: &newest,
        address,
    };
    let kept = &mut due.entry.begun;
    let tree = leaves::tree(&oracle, due.proposal, due.root, kept, heads)?;
    let challenge = tree.challenge();
    match &challenge {
        None => count(&table.metrics.large_preimages_right),
        Some(challenge) => {
            count(&table.metrics.large_preimages_wrong);
            let (name, block) = (name(address, due.proposal), challenge.block());
            let words = format!("{name} is wrong from block {block} on");
            table.notice.warn(&words);
        }
    }
    Ok(challenge)
}

fn name(oracle: Address, proposal: Proposal) -> String {
    let Proposal { claimant, uuid } = proposal;
    format!("large pre-image {uuid} of {claimant} in oracle {oracle}")
}

/// The call that shows a proposal to be wrong.
fn request(oracle: Address, proposal: Proposal, challenge: &Challenge) -> Request {
    let Proposal { claimant, uuid } = proposal;
    let (name, block) = (name(oracle, proposal), challenge.block());
    let purpose = format!("{name}: challenge block {block}");
    match challenge {
        Challenge::First(post) => {
            let (proof, post) = leaf(post);
            let call = Abi::challengeFirstLPPCall {
                claimant,
                uuid,
                postState: post,
                postStateProof: proof,
            };
            Request::new(purpose, oracle, &call, U256::ZERO)
        }
        Challenge::Later(transition) => {
            let (pre_proof, pre) = leaf(&transition.pre);
            let (post_proof, post) = leaf(&transition.post);
            let call = Abi::challengeLPPCall {
                claimant,
                uuid,
                stateMatrix: StateMatrix {
                    state: transition.state_matrix,
                },
                preState: pre,
                preStateProof: pre_proof,
                postState: post,
                postStateProof: post_proof,
            };
            Request::new(purpose, oracle, &call, U256::ZERO)
        }
    }
}
