//! The contract's rules for large pre-images, applied to what is uploaded.

use super::*;

fn preimage(bytes: usize, part_offset: u32) -> LargePreimage {
    LargePreimage {
        part_offset,
        preimage: (0..bytes).map(|i| (i * 7 + i / 251) as u8).collect(),
    }
}

/// The contract's incremental tree (`addLeavesLPP`, `getTreeRootLPP`).
fn contract_root(leaves: &[B256]) -> B256 {
    let mut tree = [B256::ZERO; TREE_DEPTH];
    for (index, &leaf) in leaves.iter().enumerate() {
        let (mut node, mut size) = (leaf, index + 1);
        for branch in &mut tree {
            if size & 1 == 1 {
                *branch = node;
                break;
            }
            node = hash_pair(*branch, node);
            size >>= 1;
        }
    }
    let (mut root, mut zero, mut size) = (B256::ZERO, B256::ZERO, leaves.len());
    for branch in tree {
        root = if size & 1 == 1 {
            hash_pair(branch, root)
        } else {
            hash_pair(root, zero)
        };
        zero = hash_pair(zero, zero);
        size >>= 1;
    }
    root
}

fn root_of(leaf: &Leaf) -> B256 {
    let mut node = leaf_hash(&leaf.input, leaf.index, leaf.state_commitment);
    for (level, &neighbour) in leaf.branch.iter().enumerate() {
        node = if leaf.index >> level & 1 == 1 {
            hash_pair(neighbour, node)
        } else {
            hash_pair(node, neighbour)
        };
    }
    node
}

#[test]
fn digest_is_keccak() {
    for bytes in [0, 1, 135, 136, 137, 271, 272, 1000] {
        let large = preimage(bytes, 0);
        let last = *states(&large.blocks()).last().unwrap();
        let digest: Vec<u8> = last[..4].iter().flat_map(|l| l.to_le_bytes()).collect();
        assert_eq!(digest, keccak256(&large.preimage).as_slice(), "{bytes}");
    }
}

#[test]
fn branches_lead_to_the_contracts_root() {
    for bytes in [137, 1000, 136 * 64, 126_000] {
        let large = preimage(bytes, 8);
        let blocks = large.blocks();
        let leaves: Vec<B256> = blocks
            .iter()
            .zip(states(&blocks))
            .enumerate()
            .map(|(at, (block, state))| leaf_hash(block, at, commitment(&state)))
            .collect();
        let root = contract_root(&leaves);
        let squeeze = large.squeeze().unwrap();
        assert_eq!(root_of(&squeeze.pre), root);
        assert_eq!(root_of(&squeeze.post), root);
        assert_eq!(squeeze.post.index, blocks.len() - 1);
        assert_eq!(
            commitment(&squeeze.state_matrix),
            squeeze.pre.state_commitment
        );
        assert_eq!(root_of(&large.leaf(0).unwrap()), root);
        assert!(large.leaf(blocks.len()).is_none());
    }
    assert!(preimage(100, 0).squeeze().is_none());
}

/// What the contract demands of each call (`addLeavesLPP`, `_extractPreimagePart`).
fn accept(large: &LargePreimage) {
    let (mut bytes, mut blocks, mut part_seen) = (0, 0, large.part_offset < 8);
    for call in large.calls(0) {
        assert_eq!(call.start_block, blocks);
        let padded = if call.finalize {
            call.input.len() / 136 + 1
        } else {
            call.input.len() / 136
        };
        assert!(call.finalize || call.input.len().is_multiple_of(136));
        assert_eq!(call.state_commitments.len(), padded);
        if let Some(part) = (large.part_offset as usize).checked_sub(8)
            && (bytes..bytes + call.input.len()).contains(&part)
        {
            assert!(
                call.finalize || part - bytes + 32 < call.input.len(),
                "part is cut"
            );
            part_seen = true;
        }
        bytes += call.input.len();
        blocks += padded;
    }
    assert_eq!(bytes, large.claimed_size());
    assert_eq!(blocks, large.blocks().len());
    assert!(part_seen, "no call has the part at {}", large.part_offset);
}

#[test]
fn calls_are_accepted() {
    let call = BLOCKS_PER_CALL * BLOCK_BYTES;
    for bytes in [126_000, 3 * call, 3 * call + 1, 2 * call + 136] {
        let near_ends = (1..4).flat_map(|n| (n * call - 140)..(n * call + 20));
        let offsets = [0, 7, 8, 40, bytes - 1]
            .into_iter()
            .chain(near_ends.step_by(7));
        for offset in offsets.filter(|&offset| offset < bytes + 8) {
            accept(&preimage(bytes, offset as u32));
        }
    }
}

#[test]
fn goes_on_where_it_was_stopped() {
    let large = preimage(126_000, 9);
    let calls = large.calls(0);
    assert_eq!(calls.len(), 4);
    let done = calls[1].start_block;
    assert_eq!(large.calls(done), calls[1..]);
    assert!(large.calls(large.blocks().len()).is_empty());
}
