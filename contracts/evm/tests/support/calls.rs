//! Gas of calls to games and to the oracle.

mod uploads;

use super::game;
use alloy_sol_types::SolCall;
use carronade_contracts::abi::{DisputeGameFactory as Factory, FaultDisputeGame as Game};
use carronade_contracts::chain::{Chain, intrinsic_gas};
use carronade_contracts::stepper::CALLER;
use carronade_contracts::system::{CANNON, Parameters, System};
use revm::primitives::{Address, FixedBytes, U256};
use std::collections::BTreeMap;

/// The first move.
pub const FIRST_ATTACK: &str = "attack of the root claim";
/// All others to the left.
pub const ATTACK: &str = "attack of another claim";
/// Those to the right.
pub const DEFEND: &str = "defend";
const LOCAL_AT_TOP: &str = "addLocalData at the top of a trace";
const LOCAL_AT_BOTTOM: &str = "addLocalData at the bottom";
const STEP: &str = "step at the bottom, of a read";
const RESOLVE_LEAF: &str = "resolveClaim without children";
const RESOLVE_ONE: &str = "resolveClaim with one child";
const RESOLVE_MORE: &str = "resolveClaim, each further child";
const CLOSE: &str = "closeGame, which moves the anchor";
const UNLOCK: &str = "claimCredit, which unlocks";
const CLOSE_AND_UNLOCK: &str = "claimCredit, which closes and unlocks";
const PAY: &str = "claimCredit, which pays";
const PRECOMPILE: &str = "loadPrecompilePreimagePart, of ecrecover";
const ADD_LEAVES: &str = "addLeavesLPP, 24 blocks";

/// All calls, and what the reference's contracts need in thousands of gas, where somebody has
/// measured it.
pub const CALLS: [(&str, &str); 23] = [
    ("create", ""),
    (FIRST_ATTACK, "184 to 224"),
    (ATTACK, "184 to 224"),
    (DEFEND, "184 to 224"),
    (LOCAL_AT_TOP, "77"),
    (LOCAL_AT_BOTTOM, ""),
    (STEP, ""),
    (RESOLVE_LEAF, "28 to 76"),
    (RESOLVE_ONE, "28 to 76"),
    (RESOLVE_MORE, ""),
    ("resolve", "6"),
    (CLOSE, ""),
    (CLOSE_AND_UNLOCK, "169"),
    (UNLOCK, ""),
    (PAY, "24"),
    ("loadKeccak256PreimagePart", "47 to 67"),
    ("loadSha256PreimagePart", "47 to 67"),
    ("loadBlobPreimagePart", ""),
    (PRECOMPILE, ""),
    ("initLPP", "124"),
    (ADD_LEAVES, "267"),
    ("challengeLPP", "249"),
    ("squeezeLPP", "287"),
];

/// Least and most gas of a call: of its execution, and of a whole transaction.
pub struct Cost {
    /// Least and most of the execution.
    pub execution: (u64, u64),
    /// Least and most of the transaction.
    pub transaction: (u64, u64),
}

/// Costs by call.
#[derive(Default)]
struct Meter(BTreeMap<&'static str, Cost>);

impl Meter {
    fn note(&mut self, name: &'static str, execution: u64, transaction: u64) {
        let cost = self.0.entry(name).or_insert(Cost {
            execution: (u64::MAX, 0),
            transaction: (u64::MAX, 0),
        });
        let widen = |range: &mut (u64, u64), gas: u64| {
            *range = (range.0.min(gas), range.1.max(gas));
        };
        widen(&mut cost.execution, execution);
        widen(&mut cost.transaction, transaction);
    }

    fn call<C: SolCall>(&mut self, name: &'static str, chain: &mut Chain, to: Address, call: &C) {
        self.pay(name, chain, to, call, U256::ZERO);
    }

    fn pay<C: SolCall>(
        &mut self,
        name: &'static str,
        chain: &mut Chain,
        to: Address,
        call: &C,
        value: U256,
    ) {
        let data = call.abi_encode();
        let sent = intrinsic_gas(&data);
        let receipt = chain.call(CALLER, to, data, value);
        assert!(receipt.output.is_ok(), "{name}: {receipt:?}");
        self.note(name, receipt.gas - sent, receipt.gas);
    }
}

/// All of them, in games of full depth.
pub fn measure() -> BTreeMap<&'static str, Cost> {
    let mut meter = Meter::default();
    moves(&mut meter);
    to_the_end(&mut meter);
    many_children(&mut meter);
    uploads::load(&mut meter);
    uploads::load_large(&mut meter);
    meter.0
}

fn moves(meter: &mut Meter) {
    let parameters = Parameters::default();
    let mut system = System::new(&parameters);
    let bond = system.ask(system.factory, &Factory::initBondsCall { gameType: CANNON });
    system.chain.fund(CALLER, bond);
    let create = Factory::createCall {
        gameType: CANNON,
        rootClaim: [2; 32].into(),
        extraData: FixedBytes::<32>::from(U256::from(7)).into(),
    };
    meter.pay("create", &mut system.chain, system.factory, &create, bond);
    for (depth, gas) in (1..).zip(game::play(&parameters, [9; 32]).moves) {
        let name = if depth == 1 { FIRST_ATTACK } else { ATTACK };
        meter.note(name, gas.0, gas.1);
    }
    // Roots can only be attacked, and whether the claim at the top of a trace may be defended
    // depends on its status.
    let roots = [1, parameters.split_depth + 1, parameters.split_depth + 2];
    let attacks = |depth: u64| roots.contains(&depth);
    let played = game::play_by(&parameters, [9; 32], attacks);
    for (depth, gas) in (1..).zip(played.moves) {
        if !attacks(depth) {
            meter.note(DEFEND, gas.0, gas.1);
        }
    }
}

/// A game in which the first step of a trace is disputed, and what follows; the root claim stands.
fn to_the_end(meter: &mut Meter) {
    let witness = game::first_step();
    let parameters = game::parameters(&witness);
    let played = game::play(&parameters, [9; 32]);
    let (to, leaf, mut system) = (played.game, played.leaf, played.system);
    let chain = &mut system.chain;
    let top = parameters.split_depth + 1;
    let mut data = game::local_data(top, 8);
    // Another datum than below, so that both write new slots.
    data.ident = U256::from(1);
    meter.call(LOCAL_AT_TOP, chain, to, &data);
    let data = game::local_data(leaf, 8);
    meter.call(LOCAL_AT_BOTTOM, chain, to, &data);
    let step = game::step_call(leaf, &witness);
    meter.call(STEP, chain, to, &step);
    chain.pass(parameters.clock);
    for index in (0..=leaf).rev() {
        let name = if index == leaf {
            RESOLVE_LEAF
        } else {
            RESOLVE_ONE
        };
        meter.call(name, chain, to, &resolve_claim(index));
    }
    meter.call("resolve", chain, to, &Game::resolveCall {});
    chain.pass(parameters.finality_delay + 1);
    meter.call(CLOSE, chain, to, &Game::closeGameCall {});
    for recipient in [CALLER, game::ALICE, game::BOB] {
        let claim = Game::claimCreditCall { recipient };
        meter.call(UNLOCK, chain, to, &claim);
    }
    chain.pass(parameters.withdrawal_delay);
    // BOB's claims are all countered.
    for recipient in [CALLER, game::ALICE] {
        let claim = Game::claimCreditCall { recipient };
        meter.call(PAY, chain, to, &claim);
    }
}

fn resolve_claim(index: u64) -> Game::resolveClaimCall {
    Game::resolveClaimCall {
        claimIndex: U256::from(index),
        numToResolve: U256::ZERO,
    }
}

/// A root claim with many attacks; the challengers win, so that the anchor stays.
fn many_children(meter: &mut Meter) {
    const CHILDREN: u64 = 11;
    let parameters = Parameters::default();
    let mut system = System::new(&parameters);
    system.chain.fund(game::ALICE, game::WEALTH);
    let root = [1; 32];
    let to = system.create_game(game::ALICE, root, 1);
    let bond = system.ask(to, &Game::getRequiredBondCall { position: 2 });
    for child in 1..=CHILDREN {
        let attack = Game::attackCall {
            disputed: root.into(),
            parentIndex: U256::ZERO,
            claim: [child as u8 + 1; 32].into(),
        };
        system.expect(game::ALICE, to, &attack, bond);
    }
    let chain = &mut system.chain;
    chain.pass(parameters.clock);
    for child in 1..=CHILDREN {
        let resolve = resolve_claim(child).abi_encode();
        chain.call(CALLER, to, resolve, U256::ZERO);
    }
    let mut of_one = |count: u64| {
        let resolve = Game::resolveClaimCall {
            claimIndex: U256::ZERO,
            numToResolve: U256::from(count),
        };
        let receipt = chain.view(CALLER, to, resolve.abi_encode());
        assert!(receipt.output.is_ok(), "{receipt:?}");
        receipt.gas
    };
    // The difference of two calls that do not come to the last one, which does more.
    let each = (of_one(CHILDREN - 1) - of_one(1)) / (CHILDREN - 2);
    meter.note(RESOLVE_MORE, each, each);
    chain.call(CALLER, to, resolve_claim(0).abi_encode(), U256::ZERO);
    chain.call(CALLER, to, Game::resolveCall {}.abi_encode(), U256::ZERO);
    chain.pass(parameters.finality_delay + 1);
    let recipient = game::ALICE;
    let claim = Game::claimCreditCall { recipient };
    meter.call(CLOSE_AND_UNLOCK, chain, to, &claim);
}
