//! A node's JSON-RPC, asked by threads.

use std::sync::Arc;
use std::time::Duration;

use alloy_json_rpc::{RpcError as Failure, RpcRecv, RpcSend};
use alloy_primitives::Bytes;
use alloy_rpc_client::RpcClient;
use alloy_transport::{TransportError, TransportErrorKind};
use carronade_contracts::revert::Reason;
use carronade_online::{is_unknown_method, parse_address, root_cause, wait_after};
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};

/// How often a node that does not answer is asked before the question is given up.
const TRIES: u32 = 4;

/// How long a node may say nothing.
const PATIENCE: Duration = Duration::from_secs(15);

/// How long an answer may take in all: the logs of a block may have many megabytes.
const LONGEST: Duration = Duration::from_secs(300);

/// Calls in one batch: nodes have limits.
pub(crate) const BATCH: usize = 50;

/// Characters of a node's own words that are told.
const MOST_WORDS: usize = 300;

/// Why a node has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RpcError {
    /// The address cannot be one.
    #[error("the address of the {node} is wrong: {reason}")]
    Address {
        /// Which node.
        node: String,
        /// What is wrong.
        reason: String,
    },
    /// It does not answer.
    #[error("{node} does not answer {method}: {reason}")]
    Unreachable {
        /// Which node.
        node: String,
        /// What it was asked.
        method: String,
        /// What happened instead.
        reason: String,
    },
    /// It answers with an error.
    #[error("{node} refuses {method}: {message}")]
    Refused {
        /// Which node.
        node: String,
        /// What it was asked.
        method: String,
        /// JSON-RPC's code.
        code: i64,
        /// Its words.
        message: String,
        /// What a call reverted with, if that is the error.
        revert: Option<Bytes>,
    },
    /// Its answer cannot be true, or has another form.
    #[error("{node} answers {method} wrongly: {reason}")]
    Wrong {
        /// Which node.
        node: String,
        /// What it was asked.
        method: String,
        /// What is wrong.
        reason: String,
    },
}

/// A node.
#[derive(Clone)]
pub struct Rpc {
    name: Arc<str>,
    address: Arc<str>,
    client: RpcClient,
    runtime: Arc<Runtime>,
}

impl Rpc {
    /// A node of a role (`L1 node`, say) at an address. It is not asked anything yet.
    ///
    /// # Errors
    /// [`RpcError::Address`].
    pub fn new(role: &str, address: &str) -> Result<Self, RpcError> {
        let wrong = |reason: String| RpcError::Address {
            node: role.to_owned(),
            reason,
        };
        let (url, shown) = parse_address(address).map_err(wrong)?;
        // Fails if the process has a provider already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .connect_timeout(PATIENCE)
            .read_timeout(PATIENCE)
            .timeout(LONGEST)
            .build();
        let http = http.map_err(|error| wrong(root_cause(&error)))?;
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("rpc")
            .enable_all()
            .build()
            .map_err(|error| wrong(error.to_string()))?;
        Ok(Self {
            name: format!("{role} {shown}").into(),
            address: url.as_str().into(),
            client: RpcClient::new_http_with_client(http, url),
            runtime: Arc::new(runtime),
        })
    }

    /// Which node it is, without what may be secret in its address.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Calls a method; `null` is an answer if `T` takes it. A node that does not answer is asked
    /// again a few times.
    ///
    /// # Errors
    /// [`RpcError`].
    pub fn ask<T: RpcRecv>(
        &self,
        method: &'static str,
        params: impl RpcSend,
    ) -> Result<T, RpcError> {
        let params = serde_json::to_value(params).map_err(|error| self.wrong(method, error))?;
        self.retrying(method, || async {
            self.client.request::<_, T>(method, params.clone()).await
        })
    }

    /// Calls a method with many parameters, in batches; the answers are in the same order.
    ///
    /// # Errors
    /// [`RpcError`], if any call fails.
    pub fn ask_all<T: RpcRecv>(
        &self,
        method: &'static str,
        params: &[Value],
    ) -> Result<Vec<T>, RpcError> {
        let mut answers = Vec::with_capacity(params.len());
        for params in params.chunks(BATCH) {
            // As many answers as calls, or an error.
            answers.extend(self.retrying(method, || self.batch(method, params))?);
        }
        Ok(answers)
    }

    async fn batch<T: RpcRecv>(
        &self,
        method: &'static str,
        params: &[Value],
    ) -> Result<Vec<T>, TransportError> {
        if let [params] = params {
            return Ok(vec![self.client.request(method, params.clone()).await?]);
        }
        let mut batch = self.client.new_batch();
        let calls: Result<Vec<_>, _> = params
            .iter()
            .map(|params| batch.add_call::<_, T>(method, params))
            .collect();
        let calls = calls?;
        batch.send().await?;
        let mut answers = Vec::with_capacity(params.len());
        for call in calls {
            answers.push(call.await?);
        }
        Ok(answers)
    }

    fn retrying<T, F>(&self, method: &str, call: impl Fn() -> F) -> Result<T, RpcError>
    where
        F: Future<Output = Result<T, TransportError>>,
    {
        let mut failures = 0;
        loop {
            let answer = self.runtime.block_on(call());
            match answer.map_err(|error| self.error(method, error)) {
                Err(RpcError::Unreachable { .. }) if failures + 1 < TRIES => {
                    failures += 1;
                    std::thread::sleep(wait_after(failures));
                }
                other => return other,
            }
        }
    }

    /// An answer that cannot be true.
    pub(crate) fn wrong(&self, method: &str, reason: impl ToString) -> RpcError {
        RpcError::Wrong {
            node: self.name.to_string(),
            method: method.to_owned(),
            reason: reason.to_string(),
        }
    }

    fn error(&self, method: &str, error: TransportError) -> RpcError {
        let (node, method) = (self.name.to_string(), method.to_owned());
        let unreachable = |reason: String| RpcError::Unreachable {
            node: node.clone(),
            method: method.clone(),
            reason: reason.replace(&*self.address, "its address"),
        };
        match error {
            Failure::ErrorResp(payload) => RpcError::Refused {
                code: payload.code,
                revert: payload.as_revert_data(),
                message: payload.message.chars().take(MOST_WORDS).collect(),
                node,
                method,
            },
            Failure::DeserError { err, .. } => self.wrong(&method, err),
            Failure::SerError(error) => self.wrong(&method, error),
            Failure::NullResp => self.wrong(&method, "it says nothing"),
            Failure::Transport(TransportErrorKind::HttpError(error)) => {
                let body: String = error.body.chars().take(MOST_WORDS).collect();
                unreachable(format!("HTTP status {} {body}", error.status))
            }
            Failure::Transport(TransportErrorKind::Custom(error)) => {
                unreachable(root_cause(&*error))
            }
            other => unreachable(root_cause(&other)),
        }
    }
}

impl RpcError {
    /// Why a contract refuses the call; none if that is not the error.
    #[must_use]
    pub fn revert_reason(&self) -> Option<String> {
        match self {
            Self::Refused {
                revert: Some(data), ..
            } => Some(Reason::of(data).to_string()),
            Self::Refused { message, .. } if message.contains("revert") => Some(message.clone()),
            _ => None,
        }
    }

    /// Whether the method is not known there.
    #[must_use]
    pub fn is_unknown_method(&self) -> bool {
        match self {
            Self::Refused { code, message, .. } => is_unknown_method(*code, message),
            _ => false,
        }
    }
}
