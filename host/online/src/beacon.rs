//! A beacon node: the REST interface that blobs come from.

use std::sync::Arc;

use alloy_primitives::{B256, Bytes};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::OnceCell;

use crate::Notice;
use crate::endpoint::{Endpoint, Failure, root_cause};
use crate::fault::Fault;
use crate::statistics::Statistics;

/// The calls, as messages and statistics name them.
const GENESIS: &str = "genesis";
const SPEC: &str = "config/spec";
const BLOBS: &str = "blobs";
const SIDECARS: &str = "blob_sidecars";

/// A beacon node of L1.
pub(crate) struct Beacon {
    pub(crate) endpoint: Endpoint,
    http: reqwest::Client,
    /// Genesis time and seconds per slot.
    clock: OnceCell<(u64, u64)>,
}

/// What all answers are wrapped in.
#[derive(Deserialize)]
struct Wrapped<T> {
    data: T,
}

/// One of `blob_sidecars`.
#[derive(Deserialize)]
struct Sidecar {
    blob: Bytes,
}

impl Beacon {
    pub(crate) fn new(
        address: &str,
        http: &reqwest::Client,
        statistics: &Arc<Statistics>,
        notice: &Notice,
    ) -> Result<Self, Fault> {
        let (statistics, notice) = (Arc::clone(statistics), Arc::clone(notice));
        Ok(Self {
            endpoint: Endpoint::new("L1 beacon node", address, statistics, notice)?,
            http: http.clone(),
            clock: OnceCell::new(),
        })
    }

    /// The blob that `is_right` gives something for, of those in the block of this timestamp.
    ///
    /// `blobs` is asked first; what it does not have, or not rightly, is looked for in
    /// `blob_sidecars`, which older nodes have.
    pub(crate) async fn blob<T>(
        &self,
        hash: B256,
        timestamp: u64,
        is_right: impl Fn(&[u8]) -> Result<T, String>,
    ) -> Result<T, Fault> {
        let slot = self.slot(timestamp).await?;
        let path = format!("eth/v1/beacon/blobs/{slot}?versioned_hashes={hash}");
        let first = match self.get::<Vec<Bytes>>(BLOBS, &path).await {
            Ok(blobs) => self.pick(BLOBS, slot, &blobs, &is_right),
            Err(fault) => Err(fault),
        };
        let fault = match first {
            Err(fault) if fault.is_answer() => fault,
            other => return other,
        };
        let path = format!("eth/v1/beacon/blob_sidecars/{slot}");
        let second = match self.get::<Vec<Sidecar>>(SIDECARS, &path).await {
            Ok(sidecars) => {
                let blobs: Vec<_> = sidecars.into_iter().map(|sidecar| sidecar.blob).collect();
                self.pick(SIDECARS, slot, &blobs, &is_right)
            }
            Err(fault) => Err(fault),
        };
        second.map_err(|second| fault.or(second))
    }

    /// The right one of some blobs.
    fn pick<T>(
        &self,
        method: &'static str,
        slot: u64,
        blobs: &[Bytes],
        is_right: &impl Fn(&[u8]) -> Result<T, String>,
    ) -> Result<T, Fault> {
        let mut why = None;
        for blob in blobs {
            match is_right(blob) {
                Ok(found) => return Ok(found),
                Err(reason) => why = Some(reason),
            }
        }
        let refusal = || {
            self.endpoint
                .refusal(method, format!("no blobs in slot {slot}"))
        };
        Err(why.map_or_else(refusal, |why| {
            let count = blobs.len();
            let reason = format!("none of {count} blobs of slot {slot} is the right one: {why}");
            self.endpoint.lie(method, reason)
        }))
    }

    /// The slot of a block's timestamp.
    async fn slot(&self, timestamp: u64) -> Result<u64, Fault> {
        let clock = self.clock.get_or_try_init(|| async {
            let (genesis, spec) = futures::try_join!(
                self.get::<Value>(GENESIS, "eth/v1/beacon/genesis"),
                self.get::<Value>(SPEC, "eth/v1/config/spec"),
            )?;
            let start = self.number(GENESIS, &genesis, "genesis_time")?;
            let seconds = match spec.get("SECONDS_PER_SLOT") {
                Some(_) => self.number(SPEC, &spec, "SECONDS_PER_SLOT")?,
                None => self.number(SPEC, &spec, "SLOT_DURATION_MS")? / 1000,
            };
            if seconds == 0 {
                return Err(self.endpoint.lie(SPEC, "a slot takes no time"));
            }
            Ok((start, seconds))
        });
        let (start, seconds) = *clock.await?;
        let since = timestamp.checked_sub(start).ok_or_else(|| {
            Fault::Hint(format!(
                "the blob's timestamp {timestamp} is before the beacon chain's genesis {start}"
            ))
        })?;
        Ok(since / seconds)
    }

    /// A decimal number in a string.
    fn number(&self, method: &'static str, object: &Value, name: &str) -> Result<u64, Fault> {
        let text = object.get(name).and_then(Value::as_str);
        let number = text.and_then(|text| text.parse().ok());
        number.ok_or_else(|| self.endpoint.lie(method, format!("{name} is not a number")))
    }

    /// Gets what is behind a path below the endpoint's address.
    async fn get<T: DeserializeOwned>(&self, method: &'static str, path: &str) -> Result<T, Fault> {
        let base = self
            .endpoint
            .url
            .as_str()
            .split('?')
            .next()
            .unwrap_or_default();
        let mut url = format!("{}/{path}", base.trim_end_matches('/'));
        if let Some(query) = self.endpoint.url.query() {
            url.push(if path.contains('?') { '&' } else { '?' });
            url.push_str(query);
        }
        let body = self.endpoint.call(method, async {
            let unreachable =
                |error: reqwest::Error| Failure::Unreachable(root_cause(&error.without_url()));
            let request = self.http.get(&url).header("accept", "application/json");
            let response = request.send().await.map_err(unreachable)?;
            let status = response.status();
            if status.is_success() {
                return response.bytes().await.map_err(unreachable);
            }
            let body = response.text().await.unwrap_or_default();
            let body: String = body.chars().take(200).collect();
            let words = format!("HTTP status {} {body}", status.as_u16());
            // Other errors are about this request, these about the node or the network.
            if status.is_server_error() || matches!(status.as_u16(), 401 | 403 | 408 | 429) {
                Err(Failure::Unreachable(words))
            } else {
                Err(Failure::Refused(words))
            }
        });
        let wrapped: Result<Wrapped<T>, _> = serde_json::from_slice(&body.await?);
        wrapped.map(|wrapped| wrapped.data).map_err(|error| {
            let reason = format!("it is not of the form that the call has: {error}");
            self.endpoint.lie(method, reason)
        })
    }
}
