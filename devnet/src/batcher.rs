//! The batcher: collects L2 blocks into channels and sends their frames to L1.

use std::collections::BTreeMap;

use alloy_primitives::{B256, Bytes};
use kona_genesis::RollupConfig;
use kona_protocol::{ChannelId, Frame};
use rand::Rng;
use rand::rngs::SmallRng;
use rand::seq::SliceRandom as _;

use crate::blob::Blob;
use crate::channel::{BlockData, Compressed, batches, compress, frames, payload};
use crate::keys::Signer;
use crate::l1::{L1Chain, Message};
use crate::spec::{BATCH_INBOX, BatchKind, DataKind, Spec};
use crate::{DevnetError, noise};

/// L2 blocks on their way to L1.
pub(crate) struct Batcher {
    rng: SmallRng,
    /// Blocks that are in no channel yet.
    blocks: Vec<BlockData>,
    /// Frames by the L1 block that they are to be in.
    scheduled: BTreeMap<u64, Vec<Frame>>,
    /// Channels of which not all frames are on L1.
    unfinished: Vec<Unfinished>,
    /// The last whole channel, to be sent again as noise.
    last: Vec<Frame>,
    /// The batcher's current key.
    pub(crate) signer: Signer,
}

/// A channel on its way to L1.
struct Unfinished {
    id: ChannelId,
    frames_left: usize,
    /// The times of its blocks.
    times: Vec<u64>,
}

impl Batcher {
    pub(crate) fn new(rng: SmallRng) -> Self {
        Self {
            rng,
            blocks: Vec::new(),
            scheduled: BTreeMap::new(),
            unfinished: Vec::new(),
            last: Vec::new(),
            signer: Signer::named("batcher 0"),
        }
    }

    /// Takes a sequenced block.
    pub(crate) fn push(&mut self, block: BlockData) {
        self.blocks.push(block);
    }

    /// Whether all blocks are on L1.
    pub(crate) fn is_done(&self) -> bool {
        self.blocks.is_empty() && self.scheduled.is_empty()
    }

    /// Closes the channel: its frames go to `spread` L1 blocks from the next one on, after those
    /// of channels that are still being sent: these all go to the next one, for Holocene wants one
    /// channel after the other.
    pub(crate) fn close(
        &mut self,
        spec: &Spec,
        config: &RollupConfig,
        l1: &L1Chain,
        spread: u64,
    ) -> Result<(), DevnetError> {
        if self.blocks.is_empty() {
            return Ok(());
        }
        let blocks = std::mem::take(&mut self.blocks);
        let first = &blocks[0].batch;
        let next = l1.next_number();
        let can_span = config.is_delta_active(l1.time(first.epoch_num));
        let span = can_span
            && match spec.batches {
                BatchKind::Single => false,
                BatchKind::Span => true,
                BatchKind::Mixed => self.rng.random(),
            };
        let can_brotli =
            config.is_fjord_active(first.timestamp) && config.is_fjord_active(l1.time(next));
        let how = if can_brotli && self.rng.random_ratio(3, 4) {
            Compressed::Brotli
        } else {
            Compressed::Zlib
        };
        let data = compress(&batches(config, &blocks, span)?, how);
        let seed = B256::from(self.rng.random::<[u8; 32]>());
        let mut frames = frames(&data, seed, spec.frames);
        self.last.clone_from(&frames);
        self.unfinished.push(Unfinished {
            id: frames[0].id,
            frames_left: frames.len(),
            times: blocks.iter().map(|block| block.batch.timestamp).collect(),
        });
        // Holocene wants frames in their order.
        if !config.is_holocene_active(l1.time(next + spread)) {
            frames.shuffle(&mut self.rng);
        }
        let pending: Vec<_> = std::mem::take(&mut self.scheduled)
            .into_values()
            .flatten()
            .collect();
        if !pending.is_empty() {
            self.scheduled.insert(next, pending);
        }
        let share = frames.len().div_ceil(spread as usize);
        for (offset, share) in frames.chunks(share).enumerate() {
            let block = self.scheduled.entry(next + offset as u64).or_default();
            block.extend_from_slice(share);
        }
        Ok(())
    }

    /// Sends what is due in the next L1 block, and noise if the spec wants it; gives the times of
    /// the blocks whose channels are whole with it.
    pub(crate) fn send(
        &mut self,
        spec: &Spec,
        config: &RollupConfig,
        l1: &mut L1Chain,
    ) -> Result<Vec<u64>, DevnetError> {
        let next = l1.next_number();
        let frames = self.scheduled.remove(&next).unwrap_or_default();
        if spec.noise {
            let canyon = config.is_canyon_active(l1.time(next));
            let before = self.void_frames(&frames, canyon);
            noise::send(&mut self.rng, l1, &self.signer, &frames, &before);
        }
        let blobs = config.is_ecotone_active(l1.time(next))
            && match spec.data {
                DataKind::Calldata => false,
                DataKind::Blobs => true,
                DataKind::Mixed => self.rng.random(),
            };
        if blobs && frames.len() <= l1.blobs_left() {
            self.send_blobs(l1, &frames)?;
        } else {
            self.send_calldata(l1, &frames);
        }
        Ok(self.finish(&frames))
    }

    /// The times of the blocks whose channels are whole with these frames.
    fn finish(&mut self, frames: &[Frame]) -> Vec<u64> {
        for channel in &mut self.unfinished {
            let sent = frames.iter().filter(|frame| frame.id == channel.id);
            channel.frames_left -= sent.count();
        }
        let whole = self
            .unfinished
            .extract_if(.., |channel| channel.frames_left == 0);
        whole.flat_map(|channel| channel.times).collect()
    }

    /// Frames that may go before `due` and change nothing: of the last channel once more, whose
    /// blocks are in the past by then, or of one that is never finished.
    fn void_frames(&mut self, due: &[Frame], canyon: bool) -> Vec<Frame> {
        // A channel in the middle of being sent must not be disturbed.
        if due.first().is_some_and(|frame| frame.number != 0) {
            return Vec::new();
        }
        let is_due = |last: &Frame| due.iter().any(|frame| frame.id == last.id);
        match self.rng.random_range(0..4) {
            0 if !self.last.iter().any(is_due) => self.last.clone(),
            // Before Canyon, an unfinished channel holds up those after it until it times out.
            1 if canyon => vec![Frame {
                id: self.rng.random(),
                number: 0,
                data: vec![0x78; 50],
                is_last: false,
            }],
            _ => Vec::new(),
        }
    }

    /// One blob for each frame, a few blobs to a transaction.
    fn send_blobs(&mut self, l1: &mut L1Chain, frames: &[Frame]) -> Result<(), DevnetError> {
        let size = self.rng.random_range(1..=3);
        for frames in frames.chunks(size) {
            let blobs = frames
                .iter()
                .map(|frame| Blob::encode(&payload(std::slice::from_ref(frame))))
                .collect::<Result<_, _>>()?;
            let message = Message {
                to: BATCH_INBOX,
                blobs,
                reverts: self.rng.random_ratio(1, 8),
                ..Default::default()
            };
            l1.send(&self.signer, message);
        }
        Ok(())
    }

    /// A few frames to a transaction. Data counts whether the transaction reverts or not.
    fn send_calldata(&mut self, l1: &mut L1Chain, frames: &[Frame]) {
        let size = self.rng.random_range(1..=2);
        for frames in frames.chunks(size) {
            let message = Message {
                to: BATCH_INBOX,
                input: Bytes::from(payload(frames)),
                reverts: self.rng.random_ratio(1, 8),
                ..Default::default()
            };
            l1.send(&self.signer, message);
        }
    }
}
