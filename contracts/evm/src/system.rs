//! The whole system on a chain in memory: machine, oracle, factory, anchors, bonds, games.

use crate::abi::{
    AnchorStateRegistry as Registry, DisputeGameFactory as Factory, FaultDisputeGame as Game,
    GameConstructorParams, Proposal,
};
use crate::artifact::{self, Artifact};
use crate::chain::{Chain, Receipt};
use crate::stepper::{CALLER, deploy_oracle, deploy_vm};
use alloy_sol_types::{SolCall, SolValue};
use carronade_emulator::hash::Hash;
use revm::primitives::{Address, U256};

/// Cannon's type of game.
pub const CANNON: u32 = 0;

/// What games are played by.
#[derive(Debug, Clone)]
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
    pub anchor: Hash,
    /// Its block.
    pub anchor_block: u64,
    /// Hash of the machine's first state.
    pub prestate: Hash,
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

/// All contracts, deployed.
pub struct System {
    /// The chain.
    pub chain: Chain,
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
}

impl System {
    /// Deploys everything, and makes Cannon's type of game known.
    ///
    /// # Panics
    /// If a contract refuses the parameters.
    #[must_use]
    pub fn new(parameters: &Parameters) -> Self {
        Self::with_vm(parameters, deploy_vm)
    }

    /// The same with another machine, which is deployed when there is an oracle.
    ///
    /// # Panics
    /// If a contract refuses the parameters.
    #[must_use]
    pub fn with_vm(
        parameters: &Parameters,
        deploy_vm: impl FnOnce(&mut Chain, Address) -> Address,
    ) -> Self {
        let mut chain = Chain::new();
        let oracle = deploy_oracle(&mut chain, parameters.challenge_period);
        let vm = deploy_vm(&mut chain, oracle);
        let mut deploy = |artifact: Artifact, arguments: Vec<u8>| {
            chain.deploy(CALLER, &artifact.bytecode, &arguments)
        };
        let factory = deploy(artifact::dispute_game_factory(), CALLER.abi_encode());
        let anchors = (factory, U256::from(parameters.finality_delay)).abi_encode_params();
        let registry = deploy(artifact::anchor_state_registry(), anchors);
        let delay = U256::from(parameters.withdrawal_delay).abi_encode();
        let weth = deploy(artifact::delayed_weth(), delay);
        let mut system = Self {
            chain,
            oracle,
            vm,
            factory,
            registry,
            weth,
        };
        system.register(parameters);
        system
    }

    fn register(&mut self, p: &Parameters) {
        let rules = GameConstructorParams {
            maxGameDepth: U256::from(p.max_depth),
            splitDepth: U256::from(p.split_depth),
            clockExtension: p.extension,
            maxClockDuration: p.clock,
        };
        let code = artifact::fault_dispute_game().bytecode;
        let implementation = self.chain.deploy(CALLER, &code, &rules.abi_encode());
        let anchor = Registry::setStartingAnchorCall {
            gameType: CANNON,
            start: Proposal {
                root: p.anchor.into(),
                l2SequenceNumber: U256::from(p.anchor_block),
            },
        };
        self.expect(CALLER, self.registry, &anchor, U256::ZERO);
        let chain_id = U256::from(p.chain_id).to_be_bytes::<32>();
        let [vm, registry, weth] = [self.vm, self.registry, self.weth].map(|address| address.0.0);
        let code = Factory::setImplementationCall {
            gameType: CANNON,
            r#impl: implementation,
            args: [&p.prestate[..], &vm, &registry, &weth, &chain_id]
                .concat()
                .into(),
        };
        self.expect(CALLER, self.factory, &code, U256::ZERO);
        let bond = self.ask(implementation, &Game::getRequiredBondCall { position: 1 });
        self.set_initial_bond(bond);
    }

    /// Sets the bond of root claims, in wei, which is that of the game's own curve at first.
    pub fn set_initial_bond(&mut self, bond: U256) {
        let call = Factory::setInitBondCall {
            gameType: CANNON,
            initBond: bond,
        };
        self.expect(CALLER, self.factory, &call, U256::ZERO);
    }

    /// Creates a game about the output root of a block.
    ///
    /// # Panics
    /// If there is such a game, or the creator has not enough money.
    pub fn create_game(&mut self, from: Address, root: Hash, block: u64) -> Address {
        let bond = self.ask(self.factory, &Factory::initBondsCall { gameType: CANNON });
        let call = Factory::createCall {
            gameType: CANNON,
            rootClaim: root.into(),
            extraData: U256::from(block).abi_encode().into(),
        };
        let receipt = self.expect(from, self.factory, &call, bond);
        let output = receipt.output.expect("expected above");
        Factory::createCall::abi_decode_returns(&output).expect("it returns an address")
    }

    /// Sends a call.
    pub fn send<C: SolCall>(
        &mut self,
        from: Address,
        to: Address,
        call: &C,
        value: U256,
    ) -> Receipt {
        self.chain.call(from, to, call.abi_encode(), value)
    }

    /// Sends a call that must not revert.
    ///
    /// # Panics
    /// If it does.
    pub fn expect<C: SolCall>(
        &mut self,
        from: Address,
        to: Address,
        call: &C,
        value: U256,
    ) -> Receipt {
        let receipt = self.send(from, to, call, value);
        assert!(receipt.output.is_ok(), "{}: {receipt:?}", C::SIGNATURE);
        receipt
    }

    /// What a contract answers.
    ///
    /// # Panics
    /// If it reverts.
    pub fn ask<C: SolCall>(&mut self, to: Address, call: &C) -> C::Return {
        let receipt = self.chain.view(CALLER, to, call.abi_encode());
        let output = receipt
            .output
            .unwrap_or_else(|data| panic!("{}: {data}", C::SIGNATURE));
        C::abi_decode_returns(&output).expect("it returns what it says")
    }
}
