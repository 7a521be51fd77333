//! Nodes on loopback that answer as a test says.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use carronade_challenger::Rpc;
use carronade_devnet::Devnet;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

/// A result, or nothing for a method that is not known.
pub type Answer = Option<Value>;

/// The result of a node that is down: a gateway says so for it.
pub const DOWN: &str = "down";

type Script = dyn Fn(&str, &str, &Value) -> Answer + Send + Sync;

struct Served {
    script: Box<Script>,
    calls: Mutex<BTreeMap<String, usize>>,
}

/// Nodes of several roles behind one address.
pub struct Nodes {
    address: SocketAddr,
    served: Arc<Served>,
    _runtime: Runtime,
}

impl Nodes {
    /// Starts them on a free port. A script is given role, method and parameters.
    pub fn start(script: impl Fn(&str, &str, &Value) -> Answer + Send + Sync + 'static) -> Self {
        let served = Arc::new(Served {
            script: Box::new(script),
            calls: Mutex::default(),
        });
        let router = Router::new()
            .route("/{role}", post(rpc))
            .with_state(Arc::clone(&served));
        let runtime = Runtime::new().expect("a runtime");
        let bind = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
        let listener = runtime.block_on(bind).expect("a port");
        let address = listener.local_addr().expect("an address");
        runtime.spawn(async move { axum::serve(listener, router).await });
        Self {
            address,
            served,
            _runtime: runtime,
        }
    }

    /// The address of the node of a role.
    pub fn address(&self, role: &str) -> String {
        format!("http://{}/{role}", self.address)
    }

    /// The node of a role.
    pub fn node(&self, role: &str) -> Rpc {
        Rpc::new(role, &self.address(role)).expect("an address")
    }

    /// How often something was asked: `l2 eth_chainId`, say.
    pub fn calls(&self, what: &str) -> usize {
        let calls = self.served.calls.lock().expect("the calls");
        calls.get(what).copied().unwrap_or_default()
    }
}

async fn rpc(State(served): State<Arc<Served>>, Path(role): Path<String>, body: Bytes) -> Response {
    let request: Value = serde_json::from_slice(&body).expect("a request");
    let method = request["method"].as_str().expect("a method");
    let mut calls = served.calls.lock().expect("the calls");
    *calls.entry(format!("{role} {method}")).or_default() += 1;
    drop(calls);
    let id = &request["id"];
    let answer = match (served.script)(&role, method, &request["params"]) {
        Some(result) if result == DOWN => {
            return StatusCode::SERVICE_UNAVAILABLE.into_response();
        }
        Some(result) => json!({ "jsonrpc": "2.0", "id": id, "result": result }),
        None => {
            let error = json!({ "code": -32601, "message": "no such method" });
            json!({ "jsonrpc": "2.0", "id": id, "error": error })
        }
    };
    let kind = [("content-type", "application/json")];
    (kind, answer.to_string()).into_response()
}

/// The number in a call's first parameter.
pub fn number(params: &Value) -> u64 {
    let text = params[0].as_str().expect("a number");
    u64::from_str_radix(text.trim_start_matches("0x"), 16).expect("a number")
}

/// What a rollup node of a devnet answers, if L1 has gone on after the devnet's last block.
pub fn rollup(devnet: &Devnet, method: &str, params: &Value) -> Answer {
    let head = devnet.l1[devnet.l1.len() - 1].header.clone();
    Some(match method {
        "optimism_outputAtBlock" => {
            let block = &devnet.l2[number(params) as usize];
            json!({
                "version": "0x".to_owned() + &"00".repeat(32),
                "outputRoot": block.output.hash(),
                "blockRef": {
                    "hash": block.header.hash(),
                    "number": block.header.number,
                    "parentHash": block.header.parent_hash,
                    "timestamp": block.header.timestamp,
                    "l1origin": { "hash": head.hash(), "number": block.origin },
                    "sequenceNumber": block.sequence_number,
                },
                "withdrawalStorageRoot": block.output.bridge_storage_root,
                "stateRoot": block.output.state_root,
                "syncStatus": {},
            })
        }
        "optimism_safeHeadAtL1Block" => {
            assert_eq!(number(params), head.number, "the test's games end there");
            let safe = &devnet.l2[devnet.l2_head() as usize].header;
            json!({
                "l1Block": { "hash": head.hash(), "number": head.number },
                "safeHead": { "hash": safe.hash(), "number": safe.number },
            })
        }
        "optimism_syncStatus" => json!({
            "current_l1": { "hash": head.hash(), "number": head.number + 1 },
            "head_l1": { "hash": head.hash(), "number": head.number + 2 },
        }),
        _ => return None,
    })
}
