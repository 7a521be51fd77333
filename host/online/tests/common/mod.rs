//! Nodes on loopback that answer as a test says, and a host that asks them.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use alloy_consensus::Header;
use alloy_primitives::{B256, keccak256};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use carronade_host::{MemoryStore, Store};
use carronade_online::{Endpoints, Locals, Notice, Single};
use carronade_program::key::PreimageKey;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

/// The chain of these tests.
pub const CHAIN: u64 = 901;

/// What a node says.
pub enum Answer {
    /// A result.
    Is(Value),
    /// A JSON-RPC error.
    Error(i64, &'static str),
    /// An HTTP status.
    Status(u16),
}

impl From<Value> for Answer {
    fn from(value: Value) -> Self {
        Self::Is(value)
    }
}

/// Answers a call: who is asked (`l1`, `l2` or `beacon`), the method or path, the parameters,
/// and how often that has been asked before.
pub type Script = dyn Fn(&str, &str, &Value, usize) -> Answer + Send + Sync;

struct Served {
    script: Box<Script>,
    calls: Mutex<BTreeMap<String, usize>>,
}

/// All three nodes behind one address.
pub struct Nodes {
    pub address: SocketAddr,
    served: Arc<Served>,
    _runtime: Runtime,
}

impl Nodes {
    /// Starts them on a free port.
    pub fn start(
        script: impl Fn(&str, &str, &Value, usize) -> Answer + Send + Sync + 'static,
    ) -> Self {
        Self::start_at((Ipv4Addr::LOCALHOST, 0).into(), script)
    }

    pub fn start_at(
        address: SocketAddr,
        script: impl Fn(&str, &str, &Value, usize) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let served = Arc::new(Served {
            script: Box::new(script),
            calls: Mutex::default(),
        });
        let router = Router::new()
            .route("/{role}", post(rpc))
            .route("/beacon/{*path}", get(beacon))
            .with_state(Arc::clone(&served));
        let runtime = Runtime::new().unwrap();
        let listener = runtime
            .block_on(tokio::net::TcpListener::bind(address))
            .unwrap();
        let address = listener.local_addr().unwrap();
        runtime.spawn(async move { axum::serve(listener, router).await });
        Self {
            address,
            served,
            _runtime: runtime,
        }
    }

    /// How often something was asked: `l2 eth_chainId`, say.
    pub fn calls(&self, what: &str) -> usize {
        let calls = self.served.calls.lock().unwrap();
        calls.get(what).copied().unwrap_or_default()
    }
}

/// An answer of status 200.
fn in_json(value: &Value) -> Response {
    let kind = [("content-type", "application/json")];
    (kind, value.to_string()).into_response()
}

/// Asks the script, on a thread of its own: a script may wait for another call.
async fn answer(served: &Arc<Served>, role: &str, method: &str, params: &Value) -> Answer {
    let served = Arc::clone(served);
    let (role, method, params) = (role.to_owned(), method.to_owned(), params.clone());
    let answer = tokio::task::spawn_blocking(move || ask(&served, &role, &method, &params));
    answer.await.unwrap()
}

/// Counts a call and asks the script.
fn ask(served: &Served, role: &str, method: &str, params: &Value) -> Answer {
    let before = {
        let mut calls = served.calls.lock().unwrap();
        let count = calls.entry(format!("{role} {method}")).or_default();
        *count += 1;
        *count - 1
    };
    if method == "eth_chainId" && before == 0 {
        let answer = (served.script)(role, method, params, before);
        // Tests that are not about it need not say so.
        return match answer {
            Answer::Status(404) => json!(format!("{CHAIN:#x}")).into(),
            other => other,
        };
    }
    (served.script)(role, method, params, before)
}

async fn rpc(State(served): State<Arc<Served>>, Path(role): Path<String>, body: Bytes) -> Response {
    let request: Value = serde_json::from_slice(&body).unwrap();
    let method = request["method"].as_str().unwrap();
    let id = &request["id"];
    match answer(&served, &role, method, &request["params"]).await {
        Answer::Is(result) => in_json(&json!({ "jsonrpc": "2.0", "id": id, "result": result })),
        Answer::Error(code, message) => {
            let error = json!({ "code": code, "message": message });
            in_json(&json!({ "jsonrpc": "2.0", "id": id, "error": error }))
        }
        Answer::Status(status) => StatusCode::from_u16(status).unwrap().into_response(),
    }
}

async fn beacon(
    State(served): State<Arc<Served>>,
    Path(path): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    let query = query.map_or(Value::Null, Value::from);
    match answer(&served, "beacon", &path, &query).await {
        Answer::Is(data) => in_json(&json!({ "data": data })),
        Answer::Error(code, message) => {
            (StatusCode::NOT_FOUND, format!("{code} {message}")).into_response()
        }
        Answer::Status(status) => StatusCode::from_u16(status).unwrap().into_response(),
    }
}

/// A host in front of nodes, with what it has told.
pub struct Host {
    pub single: Arc<Single>,
    pub store: Arc<MemoryStore>,
    pub told: Arc<Mutex<Vec<String>>>,
}

impl Host {
    /// Whether all of these words are in one line that the host has told.
    pub fn has_told(&self, words: &[&str]) -> bool {
        let told = self.told.lock().unwrap();
        told.iter()
            .any(|line| words.iter().all(|word| line.contains(word)))
    }

    pub fn hint(&self, name: &str, payload: &[u8]) {
        self.single.hint(hint(name, payload).as_bytes());
    }

    /// The keccak pre-image of a hash.
    #[track_caller]
    pub fn keccak(&self, hash: B256) -> Vec<u8> {
        let key = PreimageKey::keccak256(hash.0);
        self.single.get(key.as_bytes()).unwrap()
    }
}

/// The text of a hint.
pub fn hint(name: &str, payload: &[u8]) -> String {
    format!("{name} {}", const_hex::encode_prefixed(payload))
}

/// The local keys of these tests.
pub fn locals() -> Locals {
    Locals {
        l1_head: B256::repeat_byte(1),
        agreed_l2_output_root: B256::repeat_byte(2),
        claimed_l2_output_root: B256::repeat_byte(3),
        claimed_l2_block_number: 4,
        l2_chain_id: CHAIN,
        rollup_config: None,
        l1_config: None,
    }
}

/// A host in front of the nodes at an address; the run starts from the block of this hash.
pub fn host_from(address: SocketAddr, agreed_l2_head_hash: B256) -> Host {
    let told: Arc<Mutex<Vec<String>>> = Arc::default();
    let lines = Arc::clone(&told);
    let notice: Notice = Arc::new(move |line: &str| lines.lock().unwrap().push(line.to_owned()));
    let store = Arc::new(MemoryStore::new());
    let endpoints = Endpoints {
        l1: format!("http://{address}/l1"),
        beacon: format!("http://{address}/beacon"),
        l2: format!("http://{address}/l2"),
        l1_chain_id: None,
        l2_chain_id: CHAIN,
        agreed_l2_head_hash,
    };
    let shared: Arc<dyn Store + Send + Sync> = store.clone();
    let single = Single::online(locals(), shared, endpoints, notice).unwrap();
    Host {
        single: Arc::new(single),
        store,
        told,
    }
}

/// A host in front of nodes.
pub fn host(nodes: &Nodes) -> Host {
    host_from(nodes.address, B256::ZERO)
}

/// A header with something of its own, its hash and its bytes.
pub fn header(number: u64, change: impl FnOnce(&mut Header)) -> (Header, B256, Vec<u8>) {
    let mut header = Header {
        number,
        ..Header::default()
    };
    change(&mut header);
    let rlp = alloy_rlp::encode(&header);
    let hash = keccak256(&rlp);
    (header, hash, rlp)
}

/// Bytes as JSON-RPC has them.
pub fn hex(bytes: impl AsRef<[u8]>) -> Value {
    const_hex::encode_prefixed(bytes).into()
}
