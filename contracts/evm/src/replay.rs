//! Games of the simulator, played again on the contracts: every call at its time, from its
//! sender, with the outcome that the model of the game foretold.

mod games;
mod transaction;

pub use games::{Tally, play_again};

use crate::abi::{
    AnchorStateRegistry as Registry, DelayedWETH, FaultDisputeGame as Game, PreimageOracle,
};
use crate::artifact;
use crate::revert::Reason;
use crate::stepper::CALLER;
use crate::system::{CANNON, Parameters, System};
use alloy_sol_types::SolValue;
use carronade_dispute::GameStatus;
use carronade_dispute::script::{Call, ClaimData, FINALITY_DELAY, Script, WITHDRAWAL_DELAY};
use revm::primitives::{Address, B256, U128, U256, keccak256};
use std::collections::BTreeSet;
use std::fmt::{Debug, Display};

/// What everybody has before a game, in wei: more than any game takes.
const WEALTH: U256 = U256::from_limbs([0, 1 << 40, 0, 0]);
/// The type byte of keys of local data.
const LOCAL: u8 = 1;

/// Where script and contracts part.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Difference {
    /// A call has another outcome.
    #[error("call {index}, {call:?}: {found} on chain")]
    Call {
        /// Which call, those after the end counted on.
        index: usize,
        /// What the script says.
        call: Box<Call>,
        /// What the contracts say.
        found: String,
    },
    /// Something has another value.
    #[error("{what}: {told} in the script, {found} on chain")]
    Value {
        /// What.
        what: String,
        /// What the script says.
        told: String,
        /// What the contracts say.
        found: String,
    },
}

fn same<T: PartialEq + Debug>(what: impl Display, told: T, found: T) -> Result<(), Difference> {
    if told == found {
        return Ok(());
    }
    Err(Difference::Value {
        what: what.to_string(),
        told: format!("{told:?}"),
        found: format!("{found:?}"),
    })
}

/// Plays a script on the contracts, on a chain of their own, and compares: what becomes of each
/// call; local data in the oracle; at the end claims, status and credits, and bonds held; after
/// the payouts what everybody has, that nothing is left, and the anchor.
///
/// # Errors
/// The first difference.
///
/// # Panics
/// If no game can be created as the script says.
pub fn replay(script: &Script) -> Result<(), Difference> {
    let mut table = Table::new(script);
    for (index, call) in script.calls.iter().enumerate() {
        table.perform(index, call)?;
    }
    table.compare_end(script)?;
    for (index, call) in script.payouts.iter().enumerate() {
        table.perform(script.calls.len() + index, call)?;
    }
    table.compare_payouts(script)
}

/// A game on chain.
struct Table {
    system: System,
    game: Address,
}

impl Table {
    fn new(script: &Script) -> Self {
        let (rules, creation) = (&script.parameters, &script.creation);
        let parameters = Parameters {
            max_depth: rules.max_depth.into(),
            split_depth: rules.split_depth.into(),
            clock: rules.max_clock_duration,
            extension: rules.clock_extension,
            challenge_period: rules.challenge_period,
            finality_delay: FINALITY_DELAY,
            withdrawal_delay: WITHDRAWAL_DELAY,
            anchor: creation.starting.root.0,
            anchor_block: creation.starting.l2_block,
            prestate: creation.absolute_prestate.0,
            chain_id: creation.l2_chain_id,
        };
        let vm = &script.vm;
        let mut system = System::with_vm(&parameters, |chain, oracle| {
            let arguments = (
                vm.starting.root,
                vm.starting.l2_block,
                vm.claimed_block,
                vm.safe_head,
                U256::from(vm.split_depth),
                vm.length,
                oracle,
            );
            let code = artifact::toy_vm().bytecode;
            chain.deploy(CALLER, &code, &arguments.abi_encode_params())
        });
        system.set_initial_bond(U256::from(creation.bond));
        for account in accounts(script) {
            system.chain.fund(account, WEALTH);
        }
        system.chain.warp(creation.created_at);
        system.chain.set_parent_hash(creation.l1_head);
        let claimed = creation.claimed;
        let game = system.create_game(creation.creator, claimed.root.0, claimed.l2_block);
        Self { system, game }
    }

    fn perform(&mut self, index: usize, call: &Call) -> Result<(), Difference> {
        let Some(transaction) = transaction::of(call) else {
            if let Call::Warp { timestamp } = call {
                self.system.chain.warp(*timestamp);
            }
            return Ok(());
        };
        let recipient = match call {
            Call::ClaimCredit { recipient, .. } => *recipient,
            _ => Address::ZERO,
        };
        let before = self.system.chain.balance(recipient);
        let chain = &mut self.system.chain;
        let (sender, value) = (transaction.sender, transaction.value);
        let receipt = chain.call(sender, self.game, transaction.data, value);
        let error = receipt.output.err().map(|data| error_name(call, &data));
        if error.as_deref() != call.error() {
            return Err(Difference::Call {
                index,
                call: Box::new(call.clone()),
                found: error.unwrap_or("accepted".into()),
            });
        }
        match call {
            Call::ClaimCredit { paid, .. } => {
                let found = self.system.chain.balance(recipient) - before;
                same(format!("pay of call {index}"), U256::from(*paid), found)
            }
            Call::AddLocalData {
                ident,
                part_offset,
                loads: Some(loads),
                ..
            } => self.compare_local_data(index, *ident, *part_offset, *loads),
            _ => Ok(()),
        }
    }

    fn compare_local_data(
        &mut self,
        index: usize,
        ident: u64,
        part_offset: u32,
        (context, word, size): (B256, B256, u64),
    ) -> Result<(), Difference> {
        let mut key = B256::from(U256::from(ident));
        key[0] = LOCAL;
        let mut key = keccak256([key, self.game.into_word(), context].concat());
        key[0] = LOCAL;
        let call = PreimageOracle::readPreimageCall {
            key,
            offset: U256::from(part_offset),
        };
        let found = self.system.ask(self.system.oracle, &call);
        let bytes = [&size.to_be_bytes()[..], word.as_slice(), &[0; 32]].concat();
        let part = B256::from_slice(&bytes[part_offset as usize..][..32]);
        let length = U256::from((size + 8 - u64::from(part_offset)).min(32));
        let what = format!("local data of call {index}");
        same(&what, (part, length), (found.data, found.length))
    }

    fn compare_end(&mut self, script: &Script) -> Result<(), Difference> {
        let end = &script.end;
        let status = match end.status {
            GameStatus::InProgress => 0,
            GameStatus::ChallengerWins => 1,
            GameStatus::DefenderWins => 2,
        };
        let game = self.game;
        same(
            "status",
            status,
            self.system.ask(game, &Game::statusCall {}),
        )?;
        let count = self.system.ask(game, &Game::claimDataLenCall {});
        same("number of claims", U256::from(end.claims.len()), count)?;
        for (index, told) in end.claims.iter().enumerate() {
            same(format!("claim {index}"), told, &self.claim(index))?;
        }
        for &(recipient, told) in &end.credits {
            let call = Game::normalModeCreditCall { recipient };
            let found = self.system.ask(game, &call);
            same(format!("credit of {recipient}"), U256::from(told), found)?;
        }
        let bonds = end.claims.iter().map(|claim| U256::from(claim.bond)).sum();
        self.compare_holdings(bonds)
    }

    fn claim(&mut self, index: usize) -> ClaimData {
        let index = U256::from(index);
        let claim = self.system.ask(self.game, &Game::claimDataCall { index });
        ClaimData {
            parent_index: claim.parentIndex,
            countered_by: claim.counteredBy,
            claimant: claim.claimant,
            bond: U128::from(claim.bond),
            claim: claim.claim,
            position: U128::from(claim.position),
            clock: U128::from(claim.clock),
        }
    }

    /// The holder of bonds has those of the game, by its books and in fact; the game has none.
    fn compare_holdings(&mut self, bonds: U256) -> Result<(), Difference> {
        let account = self.game;
        let call = DelayedWETH::balanceOfCall { account };
        let (weth, chain) = (self.system.weth, &mut self.system.chain);
        same("ether of the game", U256::ZERO, chain.balance(account))?;
        same("ether of the bonds' holder", bonds, chain.balance(weth))?;
        same("bonds by its books", bonds, self.system.ask(weth, &call))
    }

    /// Everybody has been paid, so that what they have is what they had, less bonds, plus credits.
    fn compare_payouts(&mut self, script: &Script) -> Result<(), Difference> {
        self.compare_holdings(U256::ZERO)?;
        let end = &script.end;
        for account in accounts(script) {
            let claims = end.claims.iter().filter(|claim| claim.claimant == account);
            let paid: U256 = claims.map(|claim| U256::from(claim.bond)).sum();
            let won = end.credits.iter().filter(|(who, _)| *who == account);
            let won: U256 = won.map(|(_, wei)| U256::from(*wei)).sum();
            let found = self.system.chain.balance(account);
            same(format!("ether of {account}"), WEALTH - paid + won, found)?;
        }
        let anchor = match end.status {
            GameStatus::DefenderWins => script.creation.claimed,
            _ => script.creation.starting,
        };
        let call = Registry::anchorsCall { gameType: CANNON };
        let found = self.system.ask(self.system.registry, &call);
        let told = (anchor.root, U256::from(anchor.l2_block));
        same("anchor", told, (found.root, found.l2SequenceNumber))
    }
}

/// Everybody who has to do with a game.
fn accounts(script: &Script) -> BTreeSet<Address> {
    let calls = script.calls.iter().chain(&script.payouts);
    let senders = calls.filter_map(Call::sender);
    senders.chain([script.creation.creator]).collect()
}

/// What scripts call a reason: Solidity's check of an index has a name in them, what the toy
/// machine and the reference's holder of bonds say in words has one, too.
fn error_name(call: &Call, data: &[u8]) -> String {
    match (Reason::of(data), call) {
        (Reason::Panic(0x32), _) => "IndexOutOfBounds".into(),
        (Reason::Text(_), Call::Step { .. }) => "VmReverted".into(),
        (Reason::Named(name), _) if name == "DelayNotMet" => "WithdrawalDelayNotMet".into(),
        (reason, _) => reason.to_string(),
    }
}
