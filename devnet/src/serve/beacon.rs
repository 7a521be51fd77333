//! The L1 beacon node.
//!
//! Source: Ethereum beacon API, `eth/v1`.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use alloy_primitives::{B256, hex};
use axum::Router;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::{Value, json};

use super::Shared;
use super::faults::{Node, no_answer};
use crate::blob::Blob;
use crate::spec::GENESIS_TIME;

type Server = State<Arc<Shared>>;

pub(super) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/eth/v1/beacon/genesis", get(genesis))
        .route("/eth/v1/config/spec", get(spec))
        .route("/eth/v1/beacon/blobs/{slot}", get(blobs))
        .route("/eth/v1/beacon/blob_sidecars/{slot}", get(sidecars))
        .with_state(shared)
}

async fn genesis(State(shared): Server) -> Response {
    let data = json!({
        "genesis_time": GENESIS_TIME.to_string(),
        "genesis_validators_root": B256::ZERO,
        "genesis_fork_version": "0x00000000",
    });
    answer(&shared, "genesis", "", Some(json!({ "data": data }))).await
}

async fn spec(State(shared): Server) -> Response {
    let blocks = &shared.devnet.l1;
    let seconds = blocks
        .get(1)
        .map_or(12, |block| block.header.timestamp - GENESIS_TIME);
    let data = json!({ "SECONDS_PER_SLOT": seconds.to_string() });
    answer(&shared, "spec", "", Some(json!({ "data": data }))).await
}

async fn blobs(State(shared): Server, Path(slot): Path<String>, query: RawQuery) -> Response {
    let data = shared
        .blobs(&slot, &query, "versioned_hashes")
        .map(|blobs| {
            let data: Vec<_> = blobs
                .into_iter()
                .map(|(_, blob)| hex::encode_prefixed(blob.data.as_slice()))
                .collect();
            json!({ "execution_optimistic": false, "finalized": true, "data": data })
        });
    answer(&shared, "blobs", &what(&slot, &query), data).await
}

async fn sidecars(State(shared): Server, Path(slot): Path<String>, query: RawQuery) -> Response {
    let data = shared.blobs(&slot, &query, "indices").map(|blobs| {
        let data: Vec<_> = blobs
            .into_iter()
            .map(|(index, blob)| {
                json!({
                    "index": index.to_string(),
                    "blob": hex::encode_prefixed(blob.data.as_slice()),
                    "kzg_commitment": hex::encode_prefixed(blob.commitment),
                    "kzg_proof": hex::encode_prefixed(proof(blob)),
                })
            })
            .collect();
        json!({ "data": data })
    });
    answer(&shared, "blob_sidecars", &what(&slot, &query), data).await
}

impl Shared {
    /// The blobs of a slot with their indices, those that the query asks for; a slot has the
    /// block of the same number. `None` if there is no such block.
    fn blobs(&self, slot: &str, query: &RawQuery, filter: &str) -> Option<Vec<(usize, &Blob)>> {
        let number: usize = slot.parse().ok()?;
        if number as u64 > self.reorg.load(Ordering::Relaxed) {
            return None;
        }
        let wanted = values(query, filter);
        let blobs = self.devnet.l1.get(number)?.blobs.iter().enumerate();
        let blobs = blobs.filter(|(index, blob)| {
            let hash = blob.versioned_hash().to_string();
            let name = if filter == "indices" {
                index.to_string()
            } else {
                hash.clone()
            };
            !self.is_missing(&hash) && (wanted.is_empty() || wanted.contains(&name))
        });
        Some(blobs.collect())
    }
}

/// The values of a query's field, which may be repeated or separated by commas.
fn values(query: &RawQuery, field: &str) -> Vec<String> {
    let query = query.0.as_deref().unwrap_or_default();
    query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .filter(|(name, _)| *name == field)
        .flat_map(|(_, values)| values.split("%2C").flat_map(|values| values.split(',')))
        .map(str::to_lowercase)
        .collect()
}

/// What tells this request from others of its kind.
fn what(slot: &str, query: &RawQuery) -> String {
    format!("{slot} {}", query.0.as_deref().unwrap_or_default())
}

/// Answers with the data, or that there is none, or as the faults will have it.
async fn answer(shared: &Shared, name: &str, what: &str, data: Option<Value>) -> Response {
    let fate = shared.fate(Node::Beacon, name, what);
    if fate.suffer().await {
        return no_answer();
    }
    let (status, body) = match data {
        _ if fate.is_error() => error(503, "devnet: this request fails on request"),
        _ if shared.is_missing(name) => error(404, "no such endpoint"),
        None => error(404, "block not found"),
        Some(mut data) => {
            fate.distort(&mut data);
            (StatusCode::OK, data)
        }
    };
    (
        status,
        [(CONTENT_TYPE, "application/json")],
        body.to_string(),
    )
        .into_response()
}

fn error(code: u16, message: &str) -> (StatusCode, Value) {
    let status = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, json!({ "code": code, "message": message }))
}

fn proof(blob: &Blob) -> [u8; 48] {
    blob.proof().expect("the blob was committed to before")
}
