//! From hints to pre-images: what is asked of which node, and what is believed.

mod ahead;
mod blocks;
mod state;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use alloy_primitives::{B256, U64};
use carronade_host::{Store, StoreError, check};
use carronade_program::key::PreimageKey;
use tokio::sync::OnceCell;

use crate::beacon::Beacon;
use crate::endpoint::http_client;
use crate::fault::Fault;
use crate::hint::{Hint, Layer};
use crate::jobs::Done;
use crate::node::Node;
use crate::statistics::Statistics;
use crate::told::Told;
use crate::vault::Vault;
use crate::{Pair, blob, precompile};

/// Where nodes are, and what chains they must be of.
#[derive(Debug, Clone)]
pub struct Endpoints {
    /// L1 execution node.
    pub l1: String,
    /// L1 beacon node.
    pub beacon: String,
    /// L2 execution node.
    pub l2: String,
    /// The L1 chain's id, if it is known.
    pub l1_chain_id: Option<u64>,
    /// The L2 chain's id.
    pub l2_chain_id: u64,
    /// The hash of the L2 block that the run starts from.
    pub agreed_l2_head_hash: B256,
}

/// Gets what hints are about, checks it, and puts it into a store.
pub(crate) struct Fetcher {
    store: Arc<dyn Store + Send + Sync>,
    vault: Arc<Vault>,
    statistics: Arc<Statistics>,
    told: Arc<Told>,
    l1: Node,
    l2: Node,
    beacon: Beacon,
    endpoints: Endpoints,
    chains: OnceCell<()>,
    /// The block that follows a block, as far as headers have been seen.
    next: Mutex<HashMap<B256, B256>>,
}

impl Fetcher {
    pub(crate) fn new(
        endpoints: Endpoints,
        store: Arc<dyn Store + Send + Sync>,
        vault: Arc<Vault>,
        statistics: Arc<Statistics>,
        told: Arc<Told>,
    ) -> Result<Self, Fault> {
        let http = http_client()?;
        let node = |role, address: &str| Node::new(role, address, &http, &statistics, &told.notice);
        Ok(Self {
            l1: node("L1 node", &endpoints.l1)?,
            l2: node("L2 node", &endpoints.l2)?,
            beacon: Beacon::new(&endpoints.beacon, &http, &statistics, &told.notice)?,
            store,
            vault,
            statistics,
            told,
            endpoints,
            chains: OnceCell::new(),
            next: Mutex::default(),
        })
    }

    /// Gets what `hint` is about into the store, unless it is there.
    ///
    /// # Errors
    /// Whatever an endpoint said, or did not say. What was stored before stays.
    pub(crate) async fn fetch(&self, hint: &Hint) -> Result<Done, Fault> {
        if self.is_there(hint)? {
            return Ok(Done::Stored);
        }
        self.fetch_again(hint).await?;
        Ok(Done::Fetched)
    }

    /// The same, even if all seems to be there.
    ///
    /// # Errors
    /// As [`Self::fetch`].
    pub(crate) async fn fetch_again(&self, hint: &Hint) -> Result<(), Fault> {
        if let Hint::Precompile(call) = hint {
            let images = tokio::task::block_in_place(|| precompile::images(call))?;
            let [_, (key, result)] = &images;
            self.vault.keep_result(*key, result.clone());
            return self.save(images);
        }
        self.check_chains().await?;
        match hint {
            Hint::Header(layer, hash) => self.header(*layer, *hash).await.map(drop),
            Hint::Transactions(layer, hash) => self.transactions(*layer, *hash).await,
            Hint::Receipts(layer, hash) => self.receipts(*layer, *hash).await,
            Hint::Blob(hash, timestamp) => self.blob(*hash, *timestamp).await,
            Hint::Precompile(_) => Ok(()),
            Hint::Code(hash) => self.code(*hash).await,
            Hint::Output(root) => self.output(*root).await,
            Hint::StateNode(hash) => self.state_node(*hash).await,
            Hint::Account(block, address) => self.proof(*block, *address, None).await,
            Hint::Slot(block, address, slot) => self.proof(*block, *address, Some(*slot)).await,
            Hint::Payload(parent, attributes) => self.payload(*parent, attributes).await,
        }
    }

    /// Whether all that a hint brings is in the store. What is written last tells that the rest
    /// is there.
    fn is_there(&self, hint: &Hint) -> Result<bool, Fault> {
        let key = match hint {
            Hint::Header(_, hash) | Hint::Code(hash) | Hint::Output(hash) => {
                PreimageKey::keccak256(hash.0)
            }
            Hint::StateNode(hash) => PreimageKey::keccak256(hash.0),
            Hint::Blob(hash, _) => PreimageKey::sha256(hash.0),
            Hint::Precompile(call) => PreimageKey::precompile(alloy_primitives::keccak256(call).0),
            Hint::Transactions(_, hash) | Hint::Receipts(_, hash) => {
                let Some(header) = self.known_header(*hash)? else {
                    return Ok(false);
                };
                let root = match hint {
                    Hint::Receipts(..) => header.receipts_root,
                    _ => header.transactions_root,
                };
                PreimageKey::keccak256(root.0)
            }
            Hint::Payload(parent, attributes) => state::payload_mark(*parent, attributes).0,
            // Their text does not tell what they lead to.
            Hint::Account(..) | Hint::Slot(..) => return Ok(false),
        };
        Ok(self.stored(&key)?.is_some())
    }

    /// What the store has for a key, if it is right as far as the key tells.
    fn stored(&self, key: &PreimageKey) -> Result<Option<Vec<u8>>, Fault> {
        match tokio::task::block_in_place(|| self.store.get(key.as_bytes())) {
            Err(error) if error.is_damage() => Ok(None),
            found => Ok(found?.filter(|value| check(key.as_bytes(), value).is_ok())),
        }
    }

    /// Stores pre-images in their order, but for those that are there.
    fn save(&self, images: impl IntoIterator<Item = Pair>) -> Result<(), Fault> {
        tokio::task::block_in_place(|| {
            let (mut fresh, mut damage) = (Vec::new(), Vec::new());
            for (key, value) in images {
                check(&key, &value)?;
                match self.is_stored(&key, &value) {
                    Ok(true) => continue,
                    Ok(false) => {}
                    Err(error) => damage.push(error),
                }
                self.statistics.fetched(key[0], value.len());
                fresh.push((key, value));
            }
            self.tell(&damage);
            Ok(self.store.put_all(&fresh)?)
        })
    }

    /// Whether a pre-image is in the store.
    ///
    /// # Errors
    /// If something else is there, or what cannot be read.
    fn is_stored(&self, key: &[u8; 32], value: &[u8]) -> Result<bool, StoreError> {
        let Some(found) = self.store.get(key)? else {
            return Ok(false);
        };
        if found == value {
            return Ok(true);
        }
        check(key, &found)?;
        // It is of a call or of a blob, which the key does not tell.
        let (key, reason) = (*key, "it has another value".to_owned());
        Err(StoreError::Wrong { key, reason })
    }

    /// Tells of what is replaced, in one line though it may be a whole blob.
    fn tell(&self, damage: &[StoreError]) {
        match damage {
            [] => {}
            [error] => self.told.damage(error),
            [error, others @ ..] => {
                let others = others.len();
                self.told
                    .damage(&format!("{error}, and {others} more like it"));
            }
        }
    }

    async fn blob(&self, hash: B256, timestamp: u64) -> Result<(), Fault> {
        let images = |bytes: &[u8]| {
            tokio::task::block_in_place(|| {
                let (commitment, images) = blob::images(bytes, hash)?;
                // Before it is stored, or who finds its first element would look for the rest.
                self.vault.keep_blob(commitment, bytes.to_vec());
                Ok(images)
            })
        };
        let images = self.beacon.blob(hash, timestamp, images).await?;
        self.save(images)
    }

    /// Asks both nodes once which chain they are of.
    pub(crate) async fn check_chains(&self) -> Result<(), Fault> {
        let check = || async {
            let l1 = self.check_chain(&self.l1, self.endpoints.l1_chain_id);
            let l2 = self.check_chain(&self.l2, Some(self.endpoints.l2_chain_id));
            futures::try_join!(l1, l2).map(drop)
        };
        self.chains.get_or_try_init(check).await.copied()
    }

    async fn check_chain(&self, node: &Node, expected: Option<u64>) -> Result<(), Fault> {
        let Some(expected) = expected else {
            return Ok(());
        };
        let found: U64 = match node.ask("eth_chainId", ()).await {
            // Its data is checked all the same.
            Err(Fault::Missing { .. }) => return Ok(()),
            answer => answer?,
        };
        let found = found.to::<u64>();
        if found == expected {
            return Ok(());
        }
        Err(Fault::Settings(format!(
            "{} is of chain {found}, not of chain {expected}",
            node.endpoint.name
        )))
    }

    fn node(&self, layer: Layer) -> &Node {
        match layer {
            Layer::L1 => &self.l1,
            Layer::L2 => &self.l2,
        }
    }
}
