//! An execution node: JSON-RPC.

use std::sync::Arc;

use alloy_json_rpc::{RpcError, RpcRecv, RpcSend};
use alloy_rpc_client::RpcClient;
use alloy_transport::{TransportError, TransportErrorKind};

use crate::Notice;
use crate::endpoint::{Endpoint, Failure, root_cause};
use crate::fault::Fault;
use crate::statistics::Statistics;

/// JSON-RPC's code for an unknown method.
const METHOD_NOT_FOUND: i64 = -32601;

/// An execution node of L1 or L2.
pub(crate) struct Node {
    pub(crate) endpoint: Endpoint,
    client: RpcClient,
}

impl Node {
    pub(crate) fn new(
        role: &'static str,
        address: &str,
        http: &reqwest::Client,
        statistics: &Arc<Statistics>,
        notice: &Notice,
    ) -> Result<Self, Fault> {
        let endpoint = Endpoint::new(role, address, Arc::clone(statistics), Arc::clone(notice))?;
        let client = RpcClient::new_http_with_client(http.clone(), endpoint.url.clone());
        Ok(Self { endpoint, client })
    }

    /// Calls a method; `null` is an answer if `T` takes it.
    pub(crate) async fn ask<T: RpcRecv>(
        &self,
        method: &'static str,
        params: impl RpcSend,
    ) -> Result<T, Fault> {
        let answer = self.endpoint.call(method, async {
            match self.client.request::<_, T>(method, params).await {
                Ok(answer) => Ok(Ok(answer)),
                Err(RpcError::DeserError { err, .. }) => Ok(Err(err.to_string())),
                Err(error) => Err(failure(&error)),
            }
        });
        answer.await?.map_err(|why| {
            let reason = format!("it is not of the form that the method has: {why}");
            self.endpoint.lie(method, reason)
        })
    }

    /// Calls a method that answers `null` for what it does not have.
    pub(crate) async fn find<T: RpcRecv>(
        &self,
        method: &'static str,
        params: impl RpcSend,
    ) -> Result<T, Fault> {
        let found: Option<T> = self.ask(method, params).await?;
        found.ok_or_else(|| self.endpoint.refusal(method, "it does not have it"))
    }
}

/// Whether an error says that a node does not know a method: not all have JSON-RPC's code for it.
#[must_use]
pub fn is_unknown_method(code: i64, message: &str) -> bool {
    let words = message.to_lowercase();
    let unknown = [
        "method not found",
        "does not exist/is not available",
        "method not supported",
        "unsupported method",
    ];
    code == METHOD_NOT_FOUND || unknown.iter().any(|part| words.contains(part))
}

/// What a failed call means.
fn failure(error: &TransportError) -> Failure {
    match error {
        RpcError::ErrorResp(response) => {
            if is_unknown_method(response.code, &response.message) {
                Failure::Missing
            } else {
                Failure::Refused(format!("error {}: {}", response.code, response.message))
            }
        }
        RpcError::NullResp => Failure::Refused("it does not have it".to_owned()),
        RpcError::Transport(TransportErrorKind::HttpError(error)) => {
            let body: String = error.body.chars().take(200).collect();
            Failure::Unreachable(format!("HTTP status {} {body}", error.status))
        }
        RpcError::Transport(TransportErrorKind::Custom(error)) => {
            Failure::Unreachable(root_cause(&**error))
        }
        other => Failure::Unreachable(root_cause(other)),
    }
}
