//! Deploys the system on a local chain, whose node signs for its accounts; for demonstrations and
//! tests. On other chains nobody signs for others.

use std::time::Duration;

use alloy_primitives::{Address, B256, Bytes, TxKind, U256};
use alloy_rpc_types_eth::{TransactionInput, TransactionReceipt, TransactionRequest};
use alloy_sol_types::{SolCall, SolValue as _};
use carronade_contracts::abi::DisputeGameFactory as Factory;
use carronade_contracts::deployment::{CANNON, Deployer, Deployment, Parameters, deploy};

use crate::rpc::{Rpc, RpcError};

const SEND: &str = "eth_sendTransaction";
const CALL: &str = "eth_call";

/// How often a receipt is asked for, and the wait in between.
const TRIES: u32 = 600;
const WAIT: Duration = Duration::from_millis(20);

/// An account that a node signs for. Sent is only what the node's estimate says will not revert.
#[derive(Clone)]
pub struct Unlocked {
    rpc: Rpc,
    account: Address,
}

impl Unlocked {
    /// An account of a node.
    #[must_use]
    pub fn new(rpc: &Rpc, account: Address) -> Self {
        Self {
            rpc: rpc.clone(),
            account,
        }
    }

    /// Deploys everything; the account is the owner of the factory.
    ///
    /// # Errors
    /// [`RpcError`], also if a contract refuses the parameters.
    pub fn deploy(&mut self, parameters: &Parameters) -> Result<Deployment, RpcError> {
        deploy(self, parameters)
    }

    /// Creates a game about the output root of a block, with the bond that the factory wants.
    ///
    /// # Errors
    /// [`RpcError`], also if there is such a game.
    pub fn create_game(
        &mut self,
        factory: Address,
        root: B256,
        block: u64,
    ) -> Result<Address, RpcError> {
        let bond = self.view(factory, &Factory::initBondsCall { gameType: CANNON })?;
        let extra_data: Bytes = U256::from(block).abi_encode().into();
        let create = Factory::createCall {
            gameType: CANNON,
            rootClaim: root,
            extraData: extra_data.clone(),
        };
        self.send(factory, &create, bond)?;
        let of_claim = Factory::gamesCall {
            gameType: CANNON,
            rootClaim: root,
            extraData: extra_data,
        };
        Ok(self.view(factory, &of_claim)?.proxy)
    }

    /// Sends a call with a value, and waits until it is in a block.
    ///
    /// # Errors
    /// [`RpcError`], also if it reverts.
    pub fn send<C: SolCall>(
        &self,
        to: Address,
        call: &C,
        value: U256,
    ) -> Result<TransactionReceipt, RpcError> {
        self.transact(TxKind::Call(to), call.abi_encode(), value)
    }

    fn transact(
        &self,
        to: TxKind,
        data: Vec<u8>,
        value: U256,
    ) -> Result<TransactionReceipt, RpcError> {
        let request = self.request(to, data).value(value);
        let hash: B256 = self.rpc.ask(SEND, [request])?;
        let receipt = self.receipt(hash)?;
        if receipt.status() {
            return Ok(receipt);
        }
        Err(self.rpc.wrong(SEND, format!("{hash} reverted")))
    }

    fn request(&self, to: TxKind, data: Vec<u8>) -> TransactionRequest {
        TransactionRequest {
            from: Some(self.account),
            to: Some(to),
            input: TransactionInput::new(data.into()),
            ..TransactionRequest::default()
        }
    }

    fn receipt(&self, hash: B256) -> Result<TransactionReceipt, RpcError> {
        for _ in 0..TRIES {
            let found: Option<TransactionReceipt> =
                self.rpc.ask("eth_getTransactionReceipt", [hash])?;
            if let Some(receipt) = found {
                return Ok(receipt);
            }
            std::thread::sleep(WAIT);
        }
        Err(self.rpc.wrong(SEND, format!("{hash} is in no block")))
    }
}

impl Deployer for Unlocked {
    type Error = RpcError;

    fn account(&self) -> Address {
        self.account
    }

    fn create(&mut self, code: Vec<u8>) -> Result<Address, RpcError> {
        let receipt = self.transact(TxKind::Create, code, U256::ZERO)?;
        let none = || self.rpc.wrong(SEND, "it created no contract");
        receipt.contract_address.ok_or_else(none)
    }

    fn call<C: SolCall>(&mut self, to: Address, call: &C) -> Result<(), RpcError> {
        self.send(to, call, U256::ZERO).map(drop)
    }

    fn view<C: SolCall>(&mut self, to: Address, call: &C) -> Result<C::Return, RpcError> {
        let request = self.request(TxKind::Call(to), call.abi_encode());
        let answer: Bytes = self.rpc.ask(CALL, (request, "latest"))?;
        C::abi_decode_returns(&answer).map_err(|error| self.rpc.wrong(CALL, error))
    }
}
