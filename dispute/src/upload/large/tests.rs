//! The contract's rules for large pre-images, applied to what is uploaded.

use super::tree::{commitment, hash_pair, leaf_hash, states};
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

fn leaves(tree: &BlockTree) -> Vec<B256> {
    let claimed = tree.blocks().iter().zip(tree.state_commitments());
    claimed
        .enumerate()
        .map(|(at, (block, commitment))| leaf_hash(block, at, *commitment))
        .collect()
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
        let last = states(large.tree().blocks()).last().unwrap();
        let digest: Vec<u8> = last[..4].iter().flat_map(|l| l.to_le_bytes()).collect();
        assert_eq!(digest, keccak256(&large.preimage).as_slice(), "{bytes}");
    }
}

#[test]
fn branches_lead_to_the_contracts_root() {
    for bytes in [137, 1000, 136 * 64, 126_000] {
        let large = preimage(bytes, 8);
        let tree = large.tree();
        let root = contract_root(&leaves(&tree));
        assert_eq!(tree.root(), root);
        let squeeze = large.squeeze().unwrap();
        assert_eq!(root_of(&squeeze.pre), root);
        assert_eq!(root_of(&squeeze.post), root);
        assert_eq!(squeeze.post.index, tree.blocks().len() - 1);
        assert_eq!(
            commitment(&squeeze.state_matrix),
            squeeze.pre.state_commitment
        );
        assert_eq!(root_of(&tree.leaf(0).unwrap()), root);
        assert!(tree.leaf(tree.blocks().len()).is_none());
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
    assert_eq!(blocks, large.tree().blocks().len());
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
    assert!(large.calls(large.tree().blocks().len()).is_empty());
}

/// What somebody uploads with these commitments.
fn uploaded(large: &LargePreimage, commitments: &[B256]) -> BlockTree {
    let mut tree = BlockTree::default();
    for call in large.calls(0) {
        let claimed = &commitments[call.start_block..][..call.state_commitments.len()];
        assert!(tree.add(&call.input, claimed, call.finalize));
    }
    tree
}

#[test]
fn the_first_wrong_claim_is_challenged_and_no_right_one() {
    let large = preimage(3 * 300 * 136 + 5, 0);
    let honest = large.tree();
    let right = honest.state_commitments();
    assert_eq!(uploaded(&large, right), honest);
    assert_eq!(honest.challenge(), None);
    for wrong in [0, 1, 2, 299, 300, 899, 900] {
        let mut claimed = right.to_vec();
        claimed[wrong] = B256::repeat_byte(7);
        // What comes after it does not matter.
        if let Some(later) = claimed.get_mut(wrong + 5) {
            *later = B256::ZERO;
        }
        let tree = uploaded(&large, &claimed);
        let root = contract_root(&leaves(&tree));
        assert_eq!(tree.root(), root);
        let challenge = tree.challenge().expect("a claim is wrong");
        assert_eq!(challenge.block(), wrong);
        let (before, post) = match challenge {
            Challenge::First(post) => ([0; 25], *post),
            Challenge::Later(transition) => {
                let Transition {
                    state_matrix,
                    pre,
                    post,
                } = *transition;
                assert_eq!(pre.index + 1, post.index);
                assert_eq!(root_of(&pre), root);
                assert_eq!(commitment(&state_matrix), pre.state_commitment);
                (state_matrix, post)
            }
        };
        assert_eq!(root_of(&post), root);
        // What the contract absorbs (`challengeLPP`).
        let mut state = before;
        for (lane, bytes) in state.iter_mut().zip(post.input.as_chunks::<8>().0) {
            *lane ^= u64::from_le_bytes(*bytes);
        }
        keccak::Keccak::new().with_f1600(|f1600| f1600(&mut state));
        assert_eq!(commitment(&state), right[wrong]);
        assert_ne!(commitment(&state), post.state_commitment);
    }
}

#[test]
fn what_the_contract_does_not_take_is_not_added() {
    let mut tree = BlockTree::default();
    let word = [B256::ZERO];
    assert!(!tree.add(&[0; 135], &word, false), "no whole block");
    assert!(!tree.add(&[0; 136], &[], false), "too few commitments");
    assert!(!tree.add(&[0; 136], &word, true), "the padding is a block");
    assert!(!tree.add(&[0; 135], &[B256::ZERO; 2], true), "too many");
    assert!(tree.add(&[], &[], false));
    assert_eq!(tree, BlockTree::default());
    assert_eq!(tree.root(), contract_root(&[]));
    assert!(tree.add(&[0; 136 * 2], &[B256::ZERO; 2], false));
    let full = vec![B256::ZERO; MAX_BLOCKS - 2];
    let input = vec![0; full.len() * 136];
    assert!(!tree.clone().add(&input, &full, true), "one too many");
    assert!(tree.add(&input, &full, false));
    assert!(!tree.add(&[0; 136], &word, false), "no room");
    assert_eq!(tree.root(), contract_root(&leaves(&tree)));
}
