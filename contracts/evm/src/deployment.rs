//! The whole system, deployed: machine, oracle, factory, anchors, bonds, games.
//!
//! The same order on every chain, whoever sends: [`deploy`] is generic over [`Deployer`].

use crate::abi::{
    AnchorStateRegistry as Registry, DisputeGameFactory as Factory, FaultDisputeGame as Game,
    GameConstructorParams, Proposal,
};
use crate::artifact::{self, Artifact};
use alloy_primitives::{Address, U256};
use alloy_sol_types::{SolCall, SolValue};

/// Cannon's type of game.
pub const CANNON: u32 = 0;

/// Smallest large pre-image, in bytes.
pub const MIN_PROPOSAL: u64 = 126_000;

/// What games are played by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameters {
    /// Depth of the last claims.
    pub max_depth: u64,
    /// Depth of the last output roots.
    pub split_depth: u64,
    /// Time of each side, in seconds.
    pub clock: u64,
    /// Time that an answer has at least, in seconds.
    pub extension: u64,
    /// How long large pre-images can be challenged, in seconds.
    pub challenge_period: u64,
    /// How long after its resolution a game is final, in seconds.
    pub finality_delay: u64,
    /// How long after it was unlocked a bond is paid, in seconds.
    pub withdrawal_delay: u64,
    /// The output root that games start from.
    pub anchor: [u8; 32],
    /// Its block.
    pub anchor_block: u64,
    /// Hash of the machine's first state.
    pub prestate: [u8; 32],
    /// The L2 chain.
    pub chain_id: u64,
}

impl Default for Parameters {
    /// Those of the standard configuration, with an anchor and a prestate that say nothing.
    fn default() -> Self {
        Self {
            max_depth: 73,
            split_depth: 30,
            clock: 302_400,
            extension: 10_800,
            challenge_period: 86_400,
            finality_delay: 302_400,
            withdrawal_delay: 302_400,
            anchor: [1; 32],
            anchor_block: 0,
            prestate: [3; 32],
            chain_id: 901,
        }
    }
}

impl Parameters {
    /// For trials: the standard depths and clocks, within which nobody is late who plays at all,
    /// but nothing else to wait for: once a game is resolved, it is final and its bonds are paid
    /// in the next block, and large pre-images cannot be challenged.
    #[must_use]
    pub fn trial() -> Self {
        Self {
            challenge_period: 0,
            finality_delay: 0,
            withdrawal_delay: 0,
            ..Self::default()
        }
    }
}

/// Who deploys: an account on some chain.
pub trait Deployer {
    /// Why something cannot be done.
    type Error;

    /// The account, which will own the factory.
    fn account(&self) -> Address;

    /// Creates a contract from code, its constructor's arguments included.
    ///
    /// # Errors
    /// When it cannot be created.
    fn create(&mut self, code: Vec<u8>) -> Result<Address, Self::Error>;

    /// Sends a call and sees it done.
    ///
    /// # Errors
    /// When it reverts, or cannot be sent.
    fn call<C: SolCall>(&mut self, to: Address, call: &C) -> Result<(), Self::Error>;

    /// What a contract answers.
    ///
    /// # Errors
    /// When there is no answer.
    fn view<C: SolCall>(&mut self, to: Address, call: &C) -> Result<C::Return, Self::Error>;
}

/// Where everything is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deployment {
    /// The pre-image oracle.
    pub oracle: Address,
    /// The machine.
    pub vm: Address,
    /// The factory.
    pub factory: Address,
    /// The anchors.
    pub registry: Address,
    /// Who holds the bonds.
    pub weth: Address,
    /// The code of games, of which each game is a clone.
    pub implementation: Address,
}

/// Deploys everything, and makes Cannon's type of game known.
///
/// # Errors
/// The deployer's, also if a contract refuses the parameters.
pub fn deploy<D: Deployer>(by: &mut D, parameters: &Parameters) -> Result<Deployment, D::Error> {
    deploy_with_vm(by, parameters, |by, oracle| {
        // The machine is told its state version.
        let machine = (oracle, U256::from(8)).abi_encode_params();
        by.create([artifact::cannon_vm().bytecode, machine].concat())
    })
}

/// The same with another machine, which is deployed when there is an oracle.
///
/// # Errors
/// As [`deploy`].
pub fn deploy_with_vm<D: Deployer>(
    by: &mut D,
    parameters: &Parameters,
    deploy_vm: impl FnOnce(&mut D, Address) -> Result<Address, D::Error>,
) -> Result<Deployment, D::Error> {
    let p = parameters;
    let number = |value: u64| U256::from(value);
    let owner = by.account();
    let periods = (number(MIN_PROPOSAL), number(p.challenge_period)).abi_encode_params();
    let oracle = by.create([artifact::preimage_oracle().bytecode, periods].concat())?;
    let vm = deploy_vm(by, oracle)?;
    let mut create =
        |artifact: Artifact, arguments: Vec<u8>| by.create([artifact.bytecode, arguments].concat());
    let factory = create(artifact::dispute_game_factory(), owner.abi_encode())?;
    let anchors = (factory, number(p.finality_delay)).abi_encode_params();
    let registry = create(artifact::anchor_state_registry(), anchors)?;
    let delay = number(p.withdrawal_delay).abi_encode();
    let weth = create(artifact::delayed_weth(), delay)?;
    let rules = GameConstructorParams {
        maxGameDepth: number(p.max_depth),
        splitDepth: number(p.split_depth),
        clockExtension: p.extension,
        maxClockDuration: p.clock,
    };
    let implementation = create(artifact::fault_dispute_game(), rules.abi_encode())?;
    let deployment = Deployment {
        oracle,
        vm,
        factory,
        registry,
        weth,
        implementation,
    };
    register(by, &deployment, p)?;
    Ok(deployment)
}

/// Says where games start, what they are played by, and what their bond is.
fn register<D: Deployer>(by: &mut D, at: &Deployment, p: &Parameters) -> Result<(), D::Error> {
    let start = Proposal {
        root: p.anchor.into(),
        l2SequenceNumber: U256::from(p.anchor_block),
    };
    let anchor = Registry::setStartingAnchorCall {
        gameType: CANNON,
        start,
    };
    by.call(at.registry, &anchor)?;
    let chain_id = U256::from(p.chain_id).to_be_bytes::<32>();
    let [vm, registry, weth] = [at.vm, at.registry, at.weth].map(|address| address.0.0);
    let args = [&p.prestate[..], &vm, &registry, &weth, &chain_id].concat();
    let implementation = Factory::setImplementationCall {
        gameType: CANNON,
        r#impl: at.implementation,
        args: args.into(),
    };
    by.call(at.factory, &implementation)?;
    let root = Game::getRequiredBondCall { position: 1 };
    let bond = by.view(at.implementation, &root)?;
    let init_bond = Factory::setInitBondCall {
        gameType: CANNON,
        initBond: bond,
    };
    by.call(at.factory, &init_bond)
}
