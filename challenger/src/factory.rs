//! The factory's list of games.

use alloy_primitives::{Address, B256, U256};
use alloy_sol_types::SolValue;
use carronade_contracts::abi::{CannonVM, DisputeGameFactory as Abi};

use crate::chain::{Block, Chain};
use crate::rpc::RpcError;
use crate::sender::Request;

/// A factory of games.
#[derive(Clone)]
pub struct Factory {
    chain: Chain,
    address: Address,
}

/// A game as the factory lists it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Listed {
    /// Its place in the list.
    pub index: u64,
    /// Its type.
    pub game_type: u32,
    /// When it was created, in seconds.
    pub created_at: u64,
    /// The game.
    pub address: Address,
}

impl Factory {
    /// The factory at an address.
    #[must_use]
    pub fn new(chain: Chain, address: Address) -> Self {
        Self { chain, address }
    }

    /// How many games it has made.
    ///
    /// # Errors
    /// [`RpcError`].
    pub fn count(&self, at: &Block) -> Result<u64, RpcError> {
        let count = self.chain.view(at, self.address, &Abi::gameCountCall {})?;
        Ok(count.saturating_to())
    }

    /// Its games in a range of indices.
    ///
    /// # Errors
    /// [`RpcError`].
    pub fn games(
        &self,
        at: &Block,
        indices: std::ops::Range<u64>,
    ) -> Result<Vec<Listed>, RpcError> {
        let calls = indices.clone().map(|index| Abi::gameAtIndexCall {
            index: U256::from(index),
        });
        let games = self.chain.view_all(at, self.address, calls)?;
        let listed = indices.zip(games).map(|(index, game)| Listed {
            index,
            game_type: game.gameType,
            created_at: game.timestamp,
            address: game.proxy,
        });
        Ok(listed.collect())
    }

    /// The oracle that new games of a type read from; none if the factory does not tell: it has no
    /// such type, or is older than arguments (`gameArgs`).
    ///
    /// # Errors
    /// [`RpcError`].
    pub fn oracle(&self, at: &Block, game_type: u32) -> Result<Option<Address>, RpcError> {
        let call = Abi::gameArgsCall {
            gameType: game_type,
        };
        let arguments = match self.chain.view(at, self.address, &call) {
            Err(error) if error.revert_reason().is_some() => return Ok(None),
            other => other?,
        };
        // `LibGameArgs.sol`: 32 bytes of the prestate, then the machine.
        let Some(machine) = arguments.get(32..52) else {
            return Ok(None);
        };
        let machine = Address::from_slice(machine);
        let oracle = self.chain.view(at, machine, &CannonVM::oracleCall {})?;
        Ok(Some(oracle))
    }

    /// The game about an output root, if there is one.
    ///
    /// # Errors
    /// [`RpcError`].
    pub fn find(
        &self,
        at: &Block,
        game_type: u32,
        root: B256,
        block: u64,
    ) -> Result<Option<Address>, RpcError> {
        let call = Abi::gamesCall {
            gameType: game_type,
            rootClaim: root,
            extraData: extra_data(block),
        };
        let found = self.chain.view(at, self.address, &call)?;
        Ok(Some(found.proxy).filter(|proxy| !proxy.is_zero()))
    }

    /// The call that makes a game about an output root of an L2 block, with the bond that it
    /// takes.
    ///
    /// # Errors
    /// [`RpcError`].
    pub fn create(
        &self,
        at: &Block,
        game_type: u32,
        root: B256,
        block: u64,
    ) -> Result<Request, RpcError> {
        let bond = Abi::initBondsCall {
            gameType: game_type,
        };
        let value = self.chain.view(at, self.address, &bond)?;
        let call = Abi::createCall {
            gameType: game_type,
            rootClaim: root,
            extraData: extra_data(block),
        };
        let purpose = format!("create a game of type {game_type} about block {block}, root {root}");
        Ok(Request::new(purpose, self.address, &call, value))
    }
}

/// The number of the claimed block as games take it.
fn extra_data(block: u64) -> alloy_primitives::Bytes {
    U256::from(block).abi_encode().into()
}
