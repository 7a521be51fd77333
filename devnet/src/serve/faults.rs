//! Faults on request. What happens to a request depends on the seed, on what is asked, and on
//! how often it was asked before: not on time, nor on the order of different requests.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::time::Duration;

use alloy_primitives::keccak256;
use axum::body::{Body, Bytes, HttpBody};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use super::{Shared, lock};

/// One of the four nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Node {
    /// The L1 execution node.
    L1,
    /// The L1 beacon node.
    Beacon,
    /// The L2 execution node.
    L2,
    /// The rollup node.
    Rollup,
}

/// What goes wrong. The default is nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// Where chance comes from.
    pub seed: u64,
    /// The longest time that an answer is held back.
    pub delay: Duration,
    /// How many of a hundred requests end without an answer.
    pub drops: u8,
    /// How many of a hundred requests are answered by an error.
    pub errors: u8,
    /// How many of a hundred answers have a digit changed.
    pub lies: u8,
    /// The nodes to which `lies` applies; none means all.
    pub liar: Option<Node>,
    /// Methods that are not there, and hashes (`0x` and 64 digits) of which nothing is known.
    pub missing: BTreeSet<String>,
}

/// What happens to one request.
pub(super) struct Fate {
    wait: Duration,
    drop: bool,
    error: bool,
    lie: Option<u64>,
}

impl Shared {
    /// Counts a request and says what happens to it; `what` tells it from others.
    pub(super) fn fate(&self, node: Node, method: &str, what: &str) -> Fate {
        *lock(&self.counts).entry(method.to_owned()).or_default() += 1;
        let name = format!("{} {node:?} {method} {what}", self.faults.seed);
        let attempt = {
            let mut attempts = lock(&self.attempts);
            let attempt = attempts.entry(name.clone()).or_default();
            *attempt += 1;
            *attempt
        };
        let chance = keccak256(format!("{name} {attempt}"));
        let percent =
            |byte: usize| (u16::from_be_bytes([chance[byte], chance[byte + 1]]) % 100) as u8;
        let wait = self.faults.delay.as_micros() as u64;
        let wait = u64::from(percent(0)) * wait / 100;
        let lies = self.faults.liar.is_none_or(|liar| liar == node);
        Fate {
            wait: Duration::from_micros(wait),
            drop: self.offline.load(Ordering::Relaxed) || percent(2) < self.faults.drops,
            error: percent(4) < self.faults.errors,
            lie: (lies && percent(6) < self.faults.lies)
                .then(|| u64::from_be_bytes(chance[8..16].try_into().expect("eight bytes"))),
        }
    }

    /// Whether a method or something that is asked for is to be missing.
    pub(super) fn is_missing(&self, word: &str) -> bool {
        self.faults.missing.contains(word)
    }
}

impl Fate {
    /// Waits as long as the answer is held back; says whether there is to be none.
    pub(super) async fn suffer(&self) -> bool {
        if !self.wait.is_zero() {
            tokio::time::sleep(self.wait).await;
        }
        self.drop
    }

    /// Whether the answer is an error.
    pub(super) fn is_error(&self) -> bool {
        self.error
    }

    /// Changes a digit of the answer if the node lies.
    pub(super) fn distort(&self, answer: &mut Value) {
        if let Some(chance) = self.lie {
            let mut strings = Vec::new();
            find_data(answer, &mut strings);
            if !strings.is_empty() {
                let place = chance as usize % strings.len();
                flip(strings.swap_remove(place), chance);
            }
        }
    }
}

/// All strings that are data in hex: eight digits and more.
fn find_data<'a>(value: &'a mut Value, found: &mut Vec<&'a mut String>) {
    match value {
        Value::String(text) if text.starts_with("0x") && text.len() >= 10 => found.push(text),
        Value::Array(values) => values.iter_mut().for_each(|value| find_data(value, found)),
        Value::Object(fields) => fields
            .values_mut()
            .for_each(|value| find_data(value, found)),
        _ => {}
    }
}

/// Changes one digit, not the first, which may say how the rest is to be read.
fn flip(text: &mut String, chance: u64) {
    let place = 4 + (chance >> 8) as usize % (text.len() - 4);
    let digit = text.as_bytes()[place];
    let other = if digit == b'0' { "1" } else { "0" };
    text.replace_range(place..=place, other);
}

/// An answer that never comes: the connection ends in the middle of it.
pub(super) fn no_answer() -> Response {
    (StatusCode::OK, Body::new(Broken)).into_response()
}

/// A body that breaks off at once.
struct Broken;

impl HttpBody for Broken {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, std::io::Error>>> {
        std::task::Poll::Ready(Some(Err(std::io::ErrorKind::ConnectionReset.into())))
    }
}
