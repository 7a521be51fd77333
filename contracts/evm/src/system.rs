//! The whole system on a chain in memory: machine, oracle, factory, anchors, bonds, games.

use crate::abi::DisputeGameFactory as Factory;
use crate::chain::{Chain, Receipt};
use crate::deployment::{Deployer, deploy_with_vm};
use crate::stepper::{CALLER, deploy_vm};
use alloy_sol_types::{SolCall, SolValue};
use carronade_emulator::hash::Hash;
use revm::primitives::{Address, U256};
use std::convert::Infallible;

pub use crate::deployment::{CANNON, Parameters};

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
        let machine = |chain: &mut Chain, oracle| Ok(deploy_vm(chain, oracle));
        let Ok(at) = deploy_with_vm(&mut chain, parameters, machine);
        Self {
            chain,
            oracle: at.oracle,
            vm: at.vm,
            factory: at.factory,
            registry: at.registry,
            weth: at.weth,
        }
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

/// What fails here is a fault of ours, and panics.
impl Deployer for Chain {
    type Error = Infallible;

    fn account(&self) -> Address {
        CALLER
    }

    fn create(&mut self, code: Vec<u8>) -> Result<Address, Infallible> {
        Ok(self.deploy(CALLER, &code, &[]))
    }

    fn call<C: SolCall>(&mut self, to: Address, call: &C) -> Result<(), Infallible> {
        let receipt = Chain::call(self, CALLER, to, call.abi_encode(), U256::ZERO);
        assert!(receipt.output.is_ok(), "{}: {receipt:?}", C::SIGNATURE);
        Ok(())
    }

    fn view<C: SolCall>(&mut self, to: Address, call: &C) -> Result<C::Return, Infallible> {
        let receipt = Chain::view(self, CALLER, to, call.abi_encode());
        let output = receipt
            .output
            .unwrap_or_else(|data| panic!("{}: {data}", C::SIGNATURE));
        Ok(C::abi_decode_returns(&output).expect("it returns what it says"))
    }
}
