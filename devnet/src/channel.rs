//! Batches, channels and frames.
//!
//! Source: OP Stack specification, `protocol/derivation.md`, "Batch submission wire format".

use std::io::Write as _;

use alloy_primitives::{B256, Bytes, keccak256};
use flate2::Compression;
use flate2::write::ZlibEncoder;
use kona_genesis::RollupConfig;
use kona_protocol::{Batch, Frame, SingleBatch, SpanBatch};

use crate::DevnetError;

/// The batch data of one L2 block.
#[derive(Clone, Debug)]
pub(crate) struct BlockData {
    pub(crate) batch: SingleBatch,
    /// The block's place among those of its L1 origin.
    pub(crate) sequence_number: u64,
}

/// How a channel's data is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compressed {
    Zlib,
    /// From Fjord on.
    Brotli,
}

/// The largest frame, so that it fits in a blob and in a transaction.
const MAX_FRAME: usize = 100_000;

/// The batches of the blocks, as RLP strings one after the other.
pub(crate) fn batches(
    config: &RollupConfig,
    blocks: &[BlockData],
    span: bool,
) -> Result<Vec<u8>, DevnetError> {
    let failed = |error: &dyn std::fmt::Display| DevnetError::Batch(error.to_string());
    let batches = if span {
        let mut batch = SpanBatch {
            genesis_timestamp: config.genesis.l2_time,
            chain_id: config.l2_chain_id.id(),
            ..Default::default()
        };
        for block in blocks {
            batch
                .append_singular_batch(block.batch.clone(), block.sequence_number)
                .map_err(|error| failed(&error))?;
        }
        vec![Batch::Span(batch)]
    } else {
        blocks
            .iter()
            .map(|block| Batch::Single(block.batch.clone()))
            .collect()
    };
    let mut data = Vec::new();
    for batch in batches {
        let mut encoded = Vec::new();
        batch.encode(&mut encoded).map_err(|error| failed(&error))?;
        alloy_rlp::Encodable::encode(&Bytes::from(encoded), &mut data);
    }
    Ok(data)
}

/// Compresses a channel's data; brotli is marked by a first byte of 1.
pub(crate) fn compress(data: &[u8], how: Compressed) -> Vec<u8> {
    // Writing to a vector does not fail.
    match how {
        Compressed::Zlib => {
            let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
            encoder.write_all(data).expect("a vector takes all");
            encoder.finish().expect("a vector takes all")
        }
        Compressed::Brotli => {
            let mut output = vec![1];
            let mut encoder = brotli::CompressorWriter::new(&mut output, 4096, 10, 22);
            encoder.write_all(data).expect("a vector takes all");
            drop(encoder);
            output
        }
    }
}

/// Cuts a channel into at least `count` frames (fewer if there are not as many bytes).
pub(crate) fn frames(data: &[u8], seed: B256, count: u64) -> Vec<Frame> {
    let id = keccak256([seed.as_slice(), data].concat());
    let size = data.len().div_ceil(count as usize).clamp(1, MAX_FRAME);
    let pieces: Vec<_> = data.chunks(size).collect();
    let last = pieces.len() - 1;
    pieces
        .into_iter()
        .enumerate()
        .map(|(number, piece)| Frame {
            id: id[..16].try_into().expect("16 bytes"),
            number: number as u16,
            data: piece.to_vec(),
            is_last: number == last,
        })
        .collect()
}

/// What a batcher transaction or a blob carries: version 0 and frames.
pub(crate) fn payload(frames: &[Frame]) -> Vec<u8> {
    let mut data = vec![0];
    for frame in frames {
        data.extend(frame.encode());
    }
    data
}
