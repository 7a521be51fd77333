//! A local chain that goes on where the devnet's L1 ends, and the fault proof program on it: what
//! a dispute about the devnet is played on.

use std::sync::{Arc, LazyLock, Mutex};

use alloy_primitives::{Address, B256, U64, U256};
use alloy_rpc_types_eth::{Block, Log, TransactionReceipt};
use carronade_challenger::{Anvil, AnvilOptions, Unlocked};
use carronade_contracts::abi::FaultDisputeGame;
use carronade_contracts::deployment::{Deployer as _, Parameters};
use carronade_devnet::{Claim, Devnet, Faults, L1_CHAIN_ID, L1Ref, Served, Spec};
use carronade_fault_proof::{Oracle, OracleError, Verdict};
use carronade_host::MemoryStore;
use carronade_online::{Endpoints, Locals, Single};
use carronade_program::key::PreimageKey;
use serde_json::{Value, json};

static DEVNET: LazyLock<Arc<Devnet>> =
    LazyLock::new(|| Arc::new(Devnet::generate(&Spec::standard()).expect("a devnet")));

/// The devnet, and the chain that goes on after its L1.
fn fork() -> (Served, Anvil) {
    let served = DEVNET.serve(Faults::default()).expect("ports on loopback");
    let options = AnvilOptions {
        fork: Some(served.l1()),
        ..AnvilOptions::default()
    };
    let anvil = Anvil::start(&Anvil::for_tests(), &options).expect("a fork of L1");
    (served, anvil)
}

#[test]
fn blocks_follow_the_devnets_and_those_are_served_too() {
    let (_served, anvil) = fork();
    let rpc = anvil.rpc();
    let id: U64 = rpc.ask("eth_chainId", ()).unwrap();
    assert_eq!(id, U64::from(L1_CHAIN_ID));
    let last = DEVNET.l1.last().expect("blocks");
    assert_eq!(anvil.head().unwrap().hash, last.header.hash());

    // Made at once, so within the same second.
    let mut before = anvil.head().unwrap();
    for _ in 0..4 {
        anvil.mine(1).unwrap();
        let head = anvil.head().unwrap();
        assert_eq!(head.parent_hash, before.hash);
        assert_eq!(head.number, before.number + 1);
        assert_eq!(head.timestamp, before.timestamp + 1);
        before = head;
    }
    for block in &DEVNET.l1 {
        let hash = block.header.hash();
        let found: Block = rpc.ask("eth_getBlockByHash", (hash, true)).unwrap();
        assert_eq!(found.header.inner, *block.header.inner());
        let transactions = found.transactions.as_transactions().expect("in full");
        assert_eq!(transactions.len(), block.transactions.len());
    }
}

#[test]
fn it_passes_on_what_is_asked_of_the_past() {
    let (_served, anvil) = fork();
    anvil.mine(1).unwrap();
    let rpc = anvil.rpc();
    let last = DEVNET.l1.last().unwrap().header.number;
    let mut logs = 0;
    for (block, index) in DEVNET
        .l1
        .iter()
        .flat_map(|block| (0..block.transactions.len()).map(move |index| (block, index)))
    {
        let hash = *block.transactions[index].hash();
        let receipt: TransactionReceipt = rpc.ask("eth_getTransactionReceipt", [hash]).unwrap();
        assert_eq!(receipt.block_hash, Some(block.header.hash()));
        assert_eq!(receipt.transaction_index, Some(index as u64));
        assert_eq!(
            receipt.inner.logs().len(),
            block.receipts[index].logs().len()
        );
        logs += receipt.inner.logs().len();
        let transaction: Value = rpc.ask("eth_getTransactionByHash", [hash]).unwrap();
        assert_eq!(transaction["blockHash"], json!(block.header.hash()));
        // The newest nonce that is known is at least this one's.
        let from: Address = receipt.from;
        let nonce: U64 = rpc
            .ask("eth_getTransactionCount", (from, U64::from(last)))
            .unwrap();
        assert!(
            nonce.to::<u64>() > alloy_consensus::Transaction::nonce(&block.transactions[index])
        );
    }
    assert!(logs > 0);
    let all = json!([{ "fromBlock": "0x0", "toBlock": "latest" }]);
    let found: Vec<Log> = rpc.ask("eth_getLogs", all).unwrap();
    assert_eq!(found.len(), logs);
    let address = found[0].address();
    let of_address =
        json!([{ "fromBlock": "0x0", "toBlock": U64::from(last), "address": address }]);
    let some: Vec<Log> = rpc.ask("eth_getLogs", of_address).unwrap();
    let expected = found.iter().filter(|log| log.address() == address);
    assert_eq!(some, expected.cloned().collect::<Vec<_>>());
}

#[test]
fn the_program_judges_claims_with_a_games_l1_head() {
    let (served, anvil) = fork();
    let account = anvil.accounts().unwrap()[0];
    let mut owner = Unlocked::new(anvil.rpc(), account);
    let right = DEVNET.claim(0, DEVNET.l2_head());
    let parameters = Parameters {
        anchor: right.agreed_l2_output_root.0,
        anchor_block: 0,
        chain_id: right.l2_chain_id,
        ..Parameters::trial()
    };
    let at = owner.deploy(&parameters).expect("everything is deployed");
    let game = owner
        .create_game(
            at.factory,
            B256::repeat_byte(1),
            right.claimed_l2_block_number,
        )
        .expect("a game is created");
    let l1_head = owner.view(game, &FaultDisputeGame::l1HeadCall {}).unwrap();
    assert!(DEVNET.l1.iter().all(|block| block.header.hash() != l1_head));

    let right = Claim { l1_head, ..right };
    let wrong = Claim {
        claimed_l2_output_root: B256::repeat_byte(1),
        ..right.clone()
    };
    let found = judge(&served, &anvil, &right);
    assert!(matches!(found, Verdict::Valid(_)), "{found}");
    let found = judge(&served, &anvil, &wrong);
    let Verdict::Invalid { found, .. } = found else {
        panic!("{found}");
    };
    assert_eq!(found.root, right.claimed_l2_output_root);
}

#[test]
fn the_rollup_node_keeps_up_when_it_is_told() {
    let (served, anvil) = fork();
    let rollup = carronade_challenger::Rpc::new("rollup node", &served.rollup()).unwrap();
    anvil.mine(3).unwrap();
    let head = anvil.head().unwrap();
    served.set_l1_head(L1Ref {
        hash: head.hash,
        number: head.number,
        parent_hash: head.parent_hash,
        timestamp: head.timestamp,
    });
    let status: Value = rollup.ask("optimism_syncStatus", ()).unwrap();
    assert_eq!(status["current_l1"]["number"], json!(head.number));
    assert_eq!(status["current_l1"]["hash"], json!(head.hash));
    let safe: Value = rollup
        .ask("optimism_safeHeadAtL1Block", [U64::from(head.number)])
        .unwrap();
    assert_eq!(safe["safeHead"]["number"], json!(DEVNET.l2_head()));
}

#[test]
fn accounts_of_the_fork_are_anvils() {
    let (_served, anvil) = fork();
    let account = anvil.accounts().unwrap()[9];
    let balance: U256 = anvil
        .rpc()
        .ask("eth_getBalance", (account, "latest"))
        .unwrap();
    assert_eq!(balance, U256::from(10).pow(U256::from(22)));
}

/// The host as the program asks it.
struct InProcess(Single);

impl Oracle for InProcess {
    fn get(&self, key: PreimageKey) -> Result<Vec<u8>, OracleError> {
        let found = self.0.get(key.as_bytes());
        found.map_err(|error| OracleError(error.to_string()))
    }

    fn hint(&self, hint: &str) -> Result<(), OracleError> {
        self.0.hint(hint.as_bytes());
        Ok(())
    }
}

/// What the program says, natively, with anvil as the L1 node.
fn judge(served: &Served, anvil: &Anvil, claim: &Claim) -> Verdict {
    let said = Arc::new(Mutex::new(Vec::new()));
    let notice = Arc::clone(&said);
    let locals = Locals {
        l1_head: claim.l1_head,
        agreed_l2_output_root: claim.agreed_l2_output_root,
        claimed_l2_output_root: claim.claimed_l2_output_root,
        claimed_l2_block_number: claim.claimed_l2_block_number,
        l2_chain_id: claim.l2_chain_id,
        rollup_config: Some(serde_json::to_vec(&DEVNET.config).unwrap()),
        l1_config: None,
    };
    let nodes = Endpoints {
        l1: anvil.url().to_owned(),
        beacon: served.beacon(),
        l2: served.l2(),
        l1_chain_id: Some(L1_CHAIN_ID),
        l2_chain_id: claim.l2_chain_id,
        agreed_l2_head_hash: claim.agreed_l2_head_hash,
    };
    let notice = Arc::new(move |line: &str| notice.lock().unwrap().push(line.to_owned()));
    let store = Arc::new(MemoryStore::new());
    let single = Single::online(locals, store, nodes, notice).expect("a host");
    carronade_fault_proof::run(Arc::new(InProcess(single)))
        .unwrap_or_else(|error| panic!("{error}: {:?}", said.lock().unwrap()))
}
