//! A node in front of anvil that passes on what it is asked, or does not.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

/// What the node does with a call.
pub enum Answer {
    /// Passes it on.
    Pass,
    /// Answers this.
    Is(Value),
    /// Answers with an error.
    Refuse(&'static str),
    /// Does not answer.
    Down,
}

/// Says what to do with a call, by method and parameters. Before the calls of a batch it is asked
/// about a method `batch`, whose parameters they are: it may be down for that.
pub type Script = Box<dyn FnMut(&str, &Value) -> Answer + Send>;

struct Shared {
    script: Mutex<Script>,
    to: String,
    client: reqwest::Client,
}

/// The node.
pub struct Proxy {
    pub url: String,
    shared: Arc<Shared>,
    _runtime: Runtime,
}

impl Proxy {
    pub fn new(to: &str, script: impl FnMut(&str, &Value) -> Answer + Send + 'static) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let shared = Arc::new(Shared {
            script: Mutex::new(Box::new(script)),
            to: to.to_owned(),
            client: reqwest::Client::new(),
        });
        let runtime = Runtime::new().expect("threads");
        let router = Router::new().fallback(pass).with_state(Arc::clone(&shared));
        let listener = runtime
            .block_on(tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))
            .expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        runtime.spawn(async move { axum::serve(listener, router).await });
        Self {
            url,
            shared,
            _runtime: runtime,
        }
    }

    /// What it does from now on.
    pub fn change(&self, script: impl FnMut(&str, &Value) -> Answer + Send + 'static) {
        *self.shared.script.lock().expect("whole") = Box::new(script);
    }
}

async fn pass(State(shared): State<Arc<Shared>>, body: Bytes) -> Response {
    let request: Value = serde_json::from_slice(&body).expect("JSON");
    let whole = match &request {
        Value::Array(calls) => calls.clone(),
        one => vec![one.clone()],
    };
    let mut answers = Vec::new();
    if request.is_array() {
        let answer = (shared.script.lock().expect("whole"))("batch", &request);
        if matches!(answer, Answer::Down) {
            return StatusCode::SERVICE_UNAVAILABLE.into_response();
        }
    }
    for call in whole {
        let method = call["method"].as_str().unwrap_or_default();
        let answer = (shared.script.lock().expect("whole"))(method, &call["params"]);
        match answer {
            Answer::Down => return StatusCode::SERVICE_UNAVAILABLE.into_response(),
            Answer::Is(result) => {
                answers.push(json!({ "jsonrpc": "2.0", "id": call["id"], "result": result }));
            }
            Answer::Refuse(message) => {
                let error = json!({ "code": -32000, "message": message });
                answers.push(json!({ "jsonrpc": "2.0", "id": call["id"], "error": error }));
            }
            Answer::Pass => {
                let post = shared.client.post(&shared.to);
                let post = post.header("content-type", "application/json");
                let sent = post.body(call.to_string()).send().await;
                let Ok(answer) = sent else {
                    return StatusCode::BAD_GATEWAY.into_response();
                };
                let bytes = answer.bytes().await.unwrap_or_default();
                answers.push(serde_json::from_slice(&bytes).unwrap_or(Value::Null));
            }
        }
    }
    let answer = match request {
        Value::Array(_) => Value::Array(answers),
        _ => answers.remove(0),
    };
    ([("content-type", "application/json")], answer.to_string()).into_response()
}
