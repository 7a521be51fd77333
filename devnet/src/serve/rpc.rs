//! JSON-RPC 2.0 over HTTP, single and in batches.

use std::sync::Arc;

use alloy_primitives::B256;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::{Value, json};

use super::Shared;
use super::faults::{Node, no_answer};

/// Why there is no result: a code and what is wrong.
pub(super) struct RpcError(pub(super) i64, pub(super) String);

impl RpcError {
    /// The parameters are not what the method takes.
    pub(super) fn params(message: &str) -> Self {
        Self(-32602, message.to_owned())
    }

    /// The node does not have it.
    pub(super) fn not_found(what: &str) -> Self {
        Self(-32000, format!("{what} not found"))
    }

    fn method(name: &str) -> Self {
        Self(
            -32601,
            format!("the method {name} does not exist/is not available"),
        )
    }
}

/// What a method gives; `None` if there is no such method.
pub(super) type Answer = Option<Result<Value, RpcError>>;

/// Answers methods of one node.
pub(super) type Methods = fn(&Shared, &str, &[Value]) -> Answer;

#[derive(Clone)]
struct Server {
    shared: Arc<Shared>,
    node: Node,
    methods: Methods,
}

/// Serves JSON-RPC at any path.
pub(super) fn router(shared: Arc<Shared>, node: Node, methods: Methods) -> Router {
    Router::new().route("/", post(handle)).with_state(Server {
        shared,
        node,
        methods,
    })
}

async fn handle(State(server): State<Server>, body: Bytes) -> Response {
    let answer = match serde_json::from_slice(&body) {
        Ok(Value::Array(requests)) => {
            let mut answers = Vec::new();
            for request in requests {
                match server.answer(&request).await {
                    Some(answer) => answers.push(answer),
                    None => return no_answer(),
                }
            }
            Value::Array(answers)
        }
        Ok(request) => match server.answer(&request).await {
            Some(answer) => answer,
            None => return no_answer(),
        },
        Err(error) => failure(&Value::Null, &RpcError(-32700, error.to_string())),
    };
    ([(CONTENT_TYPE, "application/json")], answer.to_string()).into_response()
}

impl Server {
    /// The answer to one request, if there is to be one.
    async fn answer(&self, request: &Value) -> Option<Value> {
        let method = request["method"].as_str().unwrap_or_default();
        let nothing = Vec::new();
        let params = request["params"].as_array().unwrap_or(&nothing);
        let fate = self
            .shared
            .fate(self.node, method, &request["params"].to_string());
        if fate.suffer().await {
            return None;
        }
        let id = &request["id"];
        if fate.is_error() {
            let message = "devnet: this request fails on request".to_owned();
            return Some(failure(id, &RpcError(-32000, message)));
        }
        let missing = params
            .iter()
            .filter_map(Value::as_str)
            .find(|word| self.shared.is_missing(word));
        let answer = if self.shared.is_missing(method) {
            None
        } else if let Some(word) = missing {
            Some(Err(RpcError::not_found(word)))
        } else {
            (self.methods)(&self.shared, method, params)
        };
        Some(match answer {
            Some(Ok(mut result)) => {
                fate.distort(&mut result);
                json!({ "jsonrpc": "2.0", "id": id, "result": result })
            }
            Some(Err(error)) => failure(id, &error),
            None => failure(id, &RpcError::method(method)),
        })
    }
}

fn failure(id: &Value, error: &RpcError) -> Value {
    let RpcError(code, message) = error;
    json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code, "message": message } })
}

/// A parameter that is a hash.
pub(super) fn hash(params: &[Value], place: usize) -> Result<B256, RpcError> {
    read(params, place)
}

/// A parameter of any type.
pub(super) fn read<T: serde::de::DeserializeOwned>(
    params: &[Value],
    place: usize,
) -> Result<T, RpcError> {
    let value = params.get(place).cloned().unwrap_or_default();
    serde_json::from_value(value)
        .map_err(|error| RpcError::params(&format!("parameter {place}: {error}")))
}

/// A result as JSON.
pub(super) fn result<T: serde::Serialize>(value: T) -> Result<Value, RpcError> {
    serde_json::to_value(value).map_err(|error| RpcError(-32603, error.to_string()))
}
