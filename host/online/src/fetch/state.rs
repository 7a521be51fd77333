//! The L2 state: codes, nodes, proofs, and all at once.

use alloy_primitives::{Address, B256, Bytes, U64, address, keccak256};
use alloy_rlp::Decodable as _;
use carronade_program::key::PreimageKey;
use serde_json::Value;

use super::Fetcher;
use super::blocks::{RAW_HEADER, checked, image};
use crate::Pair;
use crate::fault::Fault;
use crate::hint::{BlockId, Layer};
use crate::trie::Proof;

const DATABASE: &str = "debug_dbGet";
const CODE: &str = "debug_codeByHash";
const PROOF: &str = "eth_getProof";
const EXECUTE: &str = "debug_executePayload";
const WITNESS: &str = "debug_executionWitness";

/// The contract whose storage root is part of an output root (specification,
/// `protocol/predeploys.md`, "L2ToL1MessagePasser").
const MESSAGE_PASSER: Address = address!("4200000000000000000000000000000000000016");

/// What tells that the witness of a payload has been stored: the hint's payload as a pre-image,
/// which is no more than that.
pub(super) fn payload_mark(parent: B256, attributes: &[u8]) -> (PreimageKey, Vec<u8>) {
    let payload = [parent.as_slice(), attributes].concat();
    (PreimageKey::keccak256(keccak256(&payload).0), payload)
}

impl Fetcher {
    /// A contract's code: the database's entry with geth's prefix `c` or without, or the method
    /// of nodes that have it.
    pub(super) async fn code(&self, hash: B256) -> Result<(), Fault> {
        let prefixed = Bytes::from([b"c", hash.as_slice()].concat());
        let ways = [
            (DATABASE, prefixed),
            (DATABASE, hash.into()),
            (CODE, hash.into()),
        ];
        let mut failed: Option<Fault> = None;
        for (method, key) in ways {
            let fault = match self.by_hash(method, key, hash).await {
                Err(fault) if fault.is_answer() => fault,
                other => return other,
            };
            failed = Some(match failed {
                Some(first) => first.or(fault),
                None => fault,
            });
        }
        failed.map_or(Ok(()), Err)
    }

    /// A node of a trie, by its hash; nodes that store by path do not have it.
    pub(super) async fn state_node(&self, hash: B256) -> Result<(), Fault> {
        self.by_hash(DATABASE, hash.into(), hash).await
    }

    /// Asks for bytes by some key, and stores them if they hash to `hash`.
    async fn by_hash(&self, method: &'static str, key: Bytes, hash: B256) -> Result<(), Fault> {
        let bytes: Bytes = self.l2.find(method, [key]).await?;
        let bytes = checked(&self.l2, method, bytes, hash)?;
        self.save([image(&bytes)])
    }

    /// The nodes that lead to an account, and to a slot of its storage if one is given.
    pub(super) async fn proof(
        &self,
        block: BlockId,
        address: Address,
        slot: Option<B256>,
    ) -> Result<(), Fault> {
        let (root, proof) =
            futures::try_join!(self.state_root(block), self.ask_proof(block, address, slot))?;
        self.verify(&proof, root, address, slot)?;
        self.save(proof.nodes().map(|node| image(&node)))
    }

    async fn ask_proof(
        &self,
        block: BlockId,
        address: Address,
        slot: Option<B256>,
    ) -> Result<Proof, Fault> {
        let block = match block {
            BlockId::Number(number) => Value::from(format!("{number:#x}")),
            BlockId::Hash(hash) => serde_json::json!({ "blockHash": hash }),
        };
        let slots: Vec<_> = slot.into_iter().collect();
        self.l2.find(PROOF, (address, slots, block)).await
    }

    fn verify(
        &self,
        proof: &Proof,
        root: B256,
        address: Address,
        slot: Option<B256>,
    ) -> Result<(), Fault> {
        proof
            .verify(root, address.as_slice(), slot.as_ref())
            .map_err(|why| {
                let reason = format!("of {address}, against the state root {root}: {why}");
                self.l2.endpoint.lie(PROOF, reason)
            })
    }

    /// The state root of a block. A number is no hash: then this is the node's word, which the
    /// program will not take for anything, since it goes by hashes from the agreed block on.
    async fn state_root(&self, block: BlockId) -> Result<B256, Fault> {
        let number = match block {
            BlockId::Hash(hash) => return Ok(self.header(Layer::L2, hash).await?.state_root),
            BlockId::Number(number) => U64::from(number),
        };
        let rlp: Bytes = self.l2.find(RAW_HEADER, [number]).await?;
        let header = alloy_consensus::Header::decode(&mut &rlp[..]).map_err(|error| {
            let reason = format!("it is no header: {error}");
            self.l2.endpoint.lie(RAW_HEADER, reason)
        })?;
        Ok(header.state_root)
    }

    /// The output proposal of the agreed block (specification, `protocol/proposals.md`, "L2 output
    /// commitment construction").
    pub(super) async fn output(&self, output_root: B256) -> Result<(), Fault> {
        let hash = self.endpoints.agreed_l2_head_hash;
        let header = self.header(Layer::L2, hash).await?;
        let proposal = |storage_root: B256| {
            let parts = [B256::ZERO, header.state_root, storage_root, hash];
            parts.concat()
        };
        // Since Isthmus, the header has the storage root in place of the root of withdrawals.
        if let Some(root) = header.withdrawals_root
            && keccak256(proposal(root)) == output_root
        {
            return self.save([image(&proposal(root))]);
        }
        let proof = self
            .ask_proof(BlockId::Hash(hash), MESSAGE_PASSER, None)
            .await?;
        self.verify(&proof, header.state_root, MESSAGE_PASSER, None)?;
        let proposal = proposal(proof.storage_hash);
        let found = keccak256(&proposal);
        if found != output_root {
            return Err(Fault::Settings(format!(
                "the output root of the agreed block {hash} is {found}, not {output_root}"
            )));
        }
        self.save([image(&proposal)])
    }

    /// All that the execution of a payload on a parent reads. If the node cannot execute payloads,
    /// it may have a witness of the block that follows the parent on its chain, which is probably
    /// the same.
    pub(super) async fn payload(&self, parent: B256, attributes: &[u8]) -> Result<(), Fault> {
        let payload: Value = serde_json::from_slice(attributes)
            .map_err(|error| Fault::Hint(format!("the payload attributes are no JSON: {error}")))?;
        let first = self.l2.find::<Value>(EXECUTE, (parent, payload)).await;
        let witness = match first {
            Err(fault) if fault.is_answer() => {
                let second = self.child_witness(parent).await;
                second.map_err(|second| fault.or(second))?
            }
            other => other?,
        };
        let mark = payload_mark(parent, attributes);
        let images = witness_images(&witness);
        self.save(images.chain([(mark.0.into(), mark.1)]))
    }

    async fn child_witness(&self, parent: B256) -> Result<Value, Fault> {
        let number = self.header(Layer::L2, parent).await?.number + 1;
        self.l2.find(WITNESS, [U64::from(number)]).await
    }
}

/// The pre-images in a witness: nodes, codes and keys, as lists or as maps by hash. Each has the
/// key that it hashes to, whatever the node says.
fn witness_images(witness: &Value) -> impl Iterator<Item = Pair> {
    let parts = ["codes", "keys", "state"].map(|name| witness.get(name));
    let values = parts.into_iter().flatten().flat_map(|part| {
        let values: Vec<&Value> = match part {
            Value::Array(values) => values.iter().collect(),
            Value::Object(map) => map.values().collect(),
            _ => Vec::new(),
        };
        values
    });
    values
        .filter_map(|value| value.as_str().and_then(|hex| const_hex::decode(hex).ok()))
        .map(|bytes| image(&bytes))
        .collect::<Vec<_>>()
        .into_iter()
}
