//! What is on L1 is what the L2 chain was made of.

use std::collections::BTreeMap;

use alloy_consensus::Transaction as _;
use alloy_primitives::Bytes;
use carronade_devnet::{BatchKind, Devnet, Fork, Spec};
use kona_protocol::{Batch, BatchReader, BlockInfo, Channel, Frame};

/// The transactions of every batch on L1 by the time of its block. The spec must be one of
/// calldata without noise.
fn batches(devnet: &Devnet) -> BTreeMap<u64, Vec<Bytes>> {
    let mut channels: BTreeMap<_, Channel> = BTreeMap::new();
    let mut batches = BTreeMap::new();
    for block in &devnet.l1 {
        let info = BlockInfo::new(
            block.header.hash(),
            block.header.number,
            block.header.parent_hash,
            block.header.timestamp,
        );
        let inbox = devnet.config.batch_inbox_address;
        for transaction in &block.transactions {
            if transaction.to() != Some(inbox) {
                continue;
            }
            for frame in Frame::parse_frames(transaction.input()).expect("frames") {
                let id = frame.id;
                let channel = channels.entry(id).or_insert_with(|| Channel::new(id, info));
                channel
                    .add_frame(frame, info)
                    .expect("a frame of this channel");
                if channel.is_ready() {
                    read(devnet, channel, &mut batches);
                    channels.remove(&id);
                }
            }
        }
    }
    assert!(channels.is_empty(), "all channels are whole");
    batches
}

fn read(devnet: &Devnet, channel: &Channel, batches: &mut BTreeMap<u64, Vec<Bytes>>) {
    let data = channel.frame_data().expect("a whole channel").to_vec();
    let mut reader = BatchReader::new(data, 10_000_000);
    while let Some(batch) = reader.next_batch(&devnet.config) {
        match batch {
            Batch::Single(batch) => {
                batches.insert(batch.timestamp, batch.transactions);
            }
            Batch::Span(span) => {
                let blocks = span.batches.into_iter();
                batches.extend(blocks.map(|block| (block.timestamp, block.transactions)));
            }
        }
    }
}

/// The transactions of users in every block by its time.
fn blocks(devnet: &Devnet) -> BTreeMap<u64, Vec<Bytes>> {
    let blocks = devnet.l2.iter().skip(1);
    blocks
        .map(|block| {
            let users = block.raw_transactions().iter().filter(|tx| tx[0] != 0x7e);
            (block.header.timestamp, users.cloned().collect())
        })
        .collect()
}

#[test]
fn batches_hold_the_blocks_transactions() {
    for fork in Fork::ALL {
        for kind in [BatchKind::Single, BatchKind::Span, BatchKind::Mixed] {
            let spec = Spec {
                fork,
                batches: kind,
                channel_blocks: 2,
                frames: 3,
                spread: 2,
                ..Spec::default()
            };
            let devnet = Devnet::generate(&spec).expect("a devnet");
            assert_eq!(batches(&devnet), blocks(&devnet), "{spec:?}");
        }
    }
}

#[test]
fn bad_payloads_leave_blocks_of_deposits() {
    let spec = Spec {
        l1_blocks: 24,
        l2_blocks: 60,
        bad_payloads: true,
        ..Spec::default()
    };
    let devnet = Devnet::generate(&spec).expect("a devnet");
    let (batches, blocks) = (batches(&devnet), blocks(&devnet));
    assert!(batches.keys().eq(blocks.keys()));
    let mut bad = 0;
    for (time, users) in blocks {
        if batches[&time] != users {
            assert!(users.is_empty() && batches[&time].len() == 1);
            bad += 1;
        }
    }
    assert!(bad > 2, "{bad} of 60");
}
