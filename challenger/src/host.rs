//! The host of one execution, which is made when it is first needed.

use std::sync::{Arc, Weak};
use std::thread;

use alloy_primitives::B256;
use carronade_emulator::oracle::{OracleError, PreimageOracle};
use carronade_emulator::preimage::key_type;
use carronade_online::{Endpoints, Locals, Single};
use carronade_program::key::PreimageKey;
use serde::Deserialize;

use crate::executions::{HostNodes, Program};
use crate::heads::TICK;
use crate::rpc::Rpc;

const BLOCK: &str = "eth_getBlockByNumber";

/// Answers for local data itself, and for the rest by a [`Single`]. Where checkpoints have all
/// that a question leads to, none is made and no node is asked.
pub struct Host {
    settings: Program,
    locals: Locals,
    /// The block that the run starts from.
    agreed: u64,
    /// Hints that the host has not been told, since it is not there.
    hints: Vec<Vec<u8>>,
    single: Option<Arc<Single>>,
}

/// What matters of a block.
#[derive(Debug, Deserialize)]
struct Block {
    hash: B256,
}

impl Host {
    /// The host of a run with these local keys, that starts from an L2 block.
    pub fn new(settings: Program, locals: Locals, agreed: u64) -> Self {
        Self {
            settings,
            locals,
            agreed,
            hints: Vec::new(),
            single: None,
        }
    }

    fn single(&mut self) -> Result<&Single, OracleError> {
        let single = match &mut self.single {
            Some(single) => single,
            none => {
                let single = make(&self.settings, &self.locals, self.agreed)?;
                watch(&self.settings, Arc::downgrade(&single))?;
                none.insert(single)
            }
        };
        for hint in self.hints.drain(..) {
            single.hint(&hint);
        }
        Ok(single)
    }
}

impl PreimageOracle for Host {
    fn hint(&mut self, hint: &[u8]) -> Result<(), OracleError> {
        self.hints.push(hint.to_vec());
        Ok(())
    }

    fn preimage(&mut self, key: [u8; 32]) -> Result<Vec<u8>, OracleError> {
        let local = match key[0] {
            key_type::LOCAL => self.locals.get(&PreimageKey::try_from(key)?),
            _ => None,
        };
        match local {
            Some(value) => Ok(value),
            None => Ok(self.single()?.get(&key)?),
        }
    }
}

fn make(settings: &Program, locals: &Locals, agreed: u64) -> Result<Arc<Single>, OracleError> {
    let (locals, store) = (locals.clone(), Arc::clone(&settings.preimages));
    let notice = Arc::clone(&settings.notice);
    Ok(Arc::new(match &settings.nodes {
        None => Single::offline(locals, store, notice),
        Some(nodes) => {
            let endpoints = endpoints(nodes, locals.l2_chain_id, agreed)?;
            Single::online(locals, store, endpoints, notice)?
        }
    }))
}

fn endpoints(nodes: &HostNodes, l2_chain_id: u64, agreed: u64) -> Result<Endpoints, OracleError> {
    let l2 = Rpc::new("L2 node", &nodes.l2)?;
    let block: Option<Block> = l2.ask(BLOCK, (format!("{agreed:#x}"), false))?;
    let block = block.ok_or_else(|| l2.wrong(BLOCK, format!("it has no block {agreed}")))?;
    Ok(Endpoints {
        l1: nodes.l1.clone(),
        beacon: nodes.beacon.clone(),
        l2: nodes.l2.clone(),
        l1_chain_id: nodes.l1_chain_id,
        l2_chain_id,
        agreed_l2_head_hash: block.hash,
    })
}

/// Stops a host that waits for nodes when it is time to give up; ends with the host.
fn watch(settings: &Program, single: Weak<Single>) -> Result<(), OracleError> {
    let interrupted = Arc::clone(&settings.interrupted);
    let work = move || {
        while let Some(single) = single.upgrade() {
            if interrupted() {
                return single.stop();
            }
            drop(single);
            thread::sleep(TICK);
        }
    };
    thread::Builder::new().name("watch".into()).spawn(work)?;
    Ok(())
}
