//! Transactions on L1 that derivation must ignore.

use std::sync::LazyLock;

use alloy_primitives::{Address, Bytes};
use kona_protocol::Frame;
use rand::Rng;
use rand::rngs::SmallRng;

use crate::blob::Blob;
use crate::channel::payload;
use crate::events::Update;
use crate::keys::Signer;
use crate::l1::{L1Chain, Message};
use crate::spec::BATCH_INBOX;

/// A blob that has nothing to do with this chain.
static FOREIGN: LazyLock<Blob> =
    LazyLock::new(|| Blob::encode(b"somebody else's data").expect("short enough for a blob"));

/// Puts noise in the next L1 block, which is to have the batcher's `frames` after it. The frames in
/// `before` are well-formed but void.
pub(crate) fn send(
    rng: &mut SmallRng,
    l1: &mut L1Chain,
    batcher: &Signer,
    frames: &[Frame],
    before: &[Frame],
) {
    let stranger = Signer::named("stranger");
    let to_inbox = |input: Bytes| Message {
        to: BATCH_INBOX,
        input,
        ..Default::default()
    };
    // The right data from the wrong sender, and from the right one to the wrong place.
    if rng.random() {
        l1.send(&stranger, to_inbox(payload(frames).into()));
        let elsewhere = Message {
            to: Address::repeat_byte(0x33),
            ..to_inbox(payload(frames).into())
        };
        l1.send(batcher, elsewhere);
    }
    // What is no frame: an unknown version, nothing, half a frame.
    match rng.random_range(0..4) {
        0 => l1.send(batcher, to_inbox(Bytes::from_static(&[7, 1, 2, 3]))),
        1 => l1.send(batcher, to_inbox(Bytes::new())),
        2 => l1.send(batcher, to_inbox(vec![0; 30].into())),
        _ => l1.send_delegation(batcher, to_inbox(payload(frames).into())),
    }
    // Logs like those of our contracts, from others.
    if rng.random() {
        let mut log = Update::Batcher(stranger.address()).log();
        log.address = Address::repeat_byte(0x44);
        let message = Message {
            to: log.address,
            logs: vec![log],
            ..Default::default()
        };
        l1.send(&stranger, message);
    }
    // A stranger's blob, which counts in the numbering of blobs.
    if rng.random() && l1.blobs_left() > frames.len() + 1 {
        let message = Message {
            to: Address::repeat_byte(0x55),
            blobs: vec![FOREIGN.clone()],
            ..Default::default()
        };
        l1.send(&stranger, message);
    }
    for frame in before {
        let data = payload(std::slice::from_ref(frame));
        l1.send(batcher, to_inbox(data.into()));
    }
}
