//! The check itself, the same in the guest and natively.

use alloc::string::ToString;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;

use super::{
    Block, ChainHint, LOCAL_AGREED, LOCAL_BLOCK_COUNT, LOCAL_CLAIM, Output, ZERO_HASH, field,
    fold_leaf, left_leaves,
};
use crate::Hash;
use crate::client::{ClientError, OracleClient};
use crate::fmt::Hex;
use crate::io::FileIo;
use crate::key::PreimageKey;

/// What the check found. Malformed data is no verdict but a [`ChainError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The claim is right.
    Holds(Hash),
    /// The claim is wrong.
    Refuted {
        /// The output root claimed.
        claimed: Hash,
        /// The right one.
        computed: Hash,
    },
}

/// Why there is no verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChainError {
    /// The oracle gave no answer, or a false one.
    Client(ClientError),
    /// A block's number is not one less than its child's.
    Number {
        /// The block.
        block: Hash,
        /// The number it should have.
        expected: u64,
        /// The number it has.
        found: u64,
    },
    /// A payload without leaves must have the zero root, and has this one.
    EmptyRoot(Hash),
}

impl fmt::Display for ChainError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Client(error) => error.fmt(f),
            Self::Number {
                block,
                expected,
                found,
            } => write!(f, "block {} has number {found}, not {expected}", Hex(block)),
            Self::EmptyRoot(root) => {
                write!(f, "an empty payload has the root {}", Hex(root))
            }
        }
    }
}

impl core::error::Error for ChainError {}

impl From<ClientError> for ChainError {
    fn from(error: ClientError) -> Self {
        Self::Client(error)
    }
}

/// Reads output to start from, claim and its block from the local keys and checks the claim.
pub fn verify<F: FileIo>(client: &mut OracleClient<F>) -> Result<Verdict, ChainError> {
    let agreed = client.get_array(PreimageKey::local(LOCAL_AGREED))?;
    let claimed = client.get_array(PreimageKey::local(LOCAL_CLAIM))?;
    let count = client.get_array(PreimageKey::local(LOCAL_BLOCK_COUNT))?;
    let agreed = Output::decode(&client.get_verified_array(agreed)?);
    let computed = fold_chain(client, agreed, u64::from_be_bytes(count))?.root();
    Ok(if computed == claimed {
        Verdict::Holds(computed)
    } else {
        Verdict::Refuted { claimed, computed }
    })
}

/// What the first `count` blocks come to, or all if there are fewer, given what earlier ones do.
/// If `from` has as many blocks or more, it is the answer.
pub fn fold_chain<F: FileIo>(
    client: &mut OracleClient<F>,
    from: Output,
    count: u64,
) -> Result<Output, ChainError> {
    let newest_first = walk_back(client, from.head, from.blocks..count)?;
    let mut output = from;
    for block in newest_first.iter().rev() {
        output.accumulator = fold_payload(client, block, output.accumulator)?;
        output.blocks += 1;
    }
    Ok(output)
}

/// Fetches blocks, following the parents' digests, and keeps those with these numbers.
fn walk_back<F: FileIo>(
    client: &mut OracleClient<F>,
    head: Hash,
    numbers: Range<u64>,
) -> Result<Vec<Block>, ChainError> {
    let mut blocks: Vec<Block> = Vec::new();
    let (mut hash, mut child) = (head, None);
    // A chain without blocks has no head.
    while head != ZERO_HASH && child.is_none_or(|number| number > numbers.start) {
        let block = fetch_block(client, hash)?;
        check_number(hash, block.number, child)?;
        (hash, child) = (block.parent, Some(block.number));
        if numbers.contains(&block.number) {
            blocks.push(block);
        }
    }
    Ok(blocks)
}

fn fetch_block<F: FileIo>(client: &mut OracleClient<F>, hash: Hash) -> Result<Block, ChainError> {
    client.hint(&ChainHint::Block(hash).to_string())?;
    Ok(Block::decode(&client.get_verified_array(hash)?))
}

/// `child`, the number of the block after this one, is not 0.
fn check_number(block: Hash, found: u64, child: Option<u64>) -> Result<(), ChainError> {
    match child.map(|number| number - 1) {
        Some(expected) if expected != found => Err(ChainError::Number {
            block,
            expected,
            found,
        }),
        _ => Ok(()),
    }
}

/// Walks a payload's tree from left to right, node by node.
fn fold_payload<F: FileIo>(
    client: &mut OracleClient<F>,
    block: &Block,
    mut accumulator: Hash,
) -> Result<Hash, ChainError> {
    if block.leaf_count == 0 {
        return check_empty(block.payload_root).map(|()| accumulator);
    }
    client.hint(&ChainHint::Payload(block.payload_root).to_string())?;
    // One pending right sibling a level at most, so no more than 64 at a time.
    let mut pending = vec![(block.payload_root, block.leaf_count)];
    while let Some((hash, leaves)) = pending.pop() {
        if leaves == 1 {
            accumulator = fold_leaf(&accumulator, &hash);
            continue;
        }
        let node: [u8; 64] = client.get_verified_array(hash)?;
        let left = left_leaves(leaves);
        pending.push((field(&node, 32), leaves - left));
        pending.push((field(&node, 0), left));
    }
    Ok(accumulator)
}

fn check_empty(root: Hash) -> Result<(), ChainError> {
    if root == ZERO_HASH {
        Ok(())
    } else {
        Err(ChainError::EmptyRoot(root))
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeMap;
    use std::string::String;

    use super::*;
    use crate::chain::{Chain, ChainSpec};
    use crate::keccak::keccak256;
    use crate::memory::MemoryHost;

    type Preimages = BTreeMap<PreimageKey, Vec<u8>>;

    fn chain(blocks: u64, leaves_per_block: u64) -> Chain {
        Chain::generate(ChainSpec {
            seed: 42,
            blocks,
            leaves_per_block,
        })
    }

    fn run(preimages: Preimages) -> (Result<Verdict, ChainError>, Vec<String>) {
        let mut client = OracleClient::new(MemoryHost::new(preimages));
        let result = verify(&mut client);
        (result, client.into_inner().hints().to_vec())
    }

    #[test]
    fn the_right_claim_holds_for_every_shape() {
        for blocks in 0..5 {
            for leaves in 0..19 {
                let chain = chain(blocks, leaves);
                let (result, _) = run(chain.inputs(chain.claim));
                assert_eq!(result, Ok(Verdict::Holds(chain.claim)));
            }
        }
    }

    #[test]
    fn a_wrong_claim_is_refuted() {
        let chain = chain(3, 5);
        let claimed = [3; 32];
        let (result, _) = run(chain.inputs(claimed));
        let computed = chain.claim;
        assert_eq!(result, Ok(Verdict::Refuted { claimed, computed }));
    }

    #[test]
    fn a_claim_is_about_the_first_blocks() {
        let whole = chain(4, 2);
        let about = |claim: Hash, count: u64| {
            let mut inputs = whole.inputs(claim);
            let key = PreimageKey::local(LOCAL_BLOCK_COUNT);
            inputs.insert(key, count.to_be_bytes().to_vec());
            run(inputs).0
        };
        for output in &whole.outputs {
            let (claim, count) = (output.root(), output.blocks);
            assert_eq!(about(claim, count), Ok(Verdict::Holds(claim)));
            let other = about(claim, count + 1);
            assert_eq!(other == Ok(Verdict::Holds(claim)), count == 4);
        }
        let all = about(whole.claim, u64::MAX);
        assert_eq!(all, Ok(Verdict::Holds(whole.claim)));
    }

    #[test]
    fn a_claim_starts_from_any_output() {
        let whole = chain(4, 2);
        for agreed in &whole.outputs {
            for claimed in &whole.outputs {
                let mut inputs = whole.inputs(claimed.root());
                inputs.insert(PreimageKey::local(LOCAL_AGREED), agreed.root().into());
                let count = claimed.blocks.to_be_bytes();
                inputs.insert(PreimageKey::local(LOCAL_BLOCK_COUNT), count.into());
                let holds = run(inputs).0 == Ok(Verdict::Holds(claimed.root()));
                assert_eq!(holds, agreed.blocks <= claimed.blocks);
            }
        }
    }

    #[test]
    fn blocks_before_the_agreed_ones_are_not_asked_for() {
        let whole = chain(4, 2);
        let mut inputs = whole.inputs(whole.claim);
        let agreed = whole.outputs[3].root();
        inputs.insert(PreimageKey::local(LOCAL_AGREED), agreed.into());
        let (result, hints) = run(inputs);
        assert_eq!(result, Ok(Verdict::Holds(whole.claim)));
        assert_eq!(hints.len(), 2);
    }

    #[test]
    fn hints_come_before_blocks_and_payloads() {
        let chain = chain(2, 3);
        let (_, hints) = run(chain.inputs(chain.claim));
        let kinds: Vec<_> = hints
            .iter()
            .map(|hint| match hint.parse().unwrap() {
                ChainHint::Block(_) => 'b',
                ChainHint::Payload(_) => 'p',
            })
            .collect();
        assert_eq!(kinds, ['b', 'b', 'p', 'p']);
        assert_eq!(hints[0], ChainHint::Block(chain.head).to_string());
    }

    /// The inputs without outputs that are only claimed, or of no concern.
    fn asked(chain: &Chain) -> Preimages {
        let mut inputs = chain.inputs(chain.claim);
        for output in &chain.outputs[1..] {
            inputs.remove(&PreimageKey::keccak256(output.root()));
        }
        inputs
    }

    #[test]
    fn every_changed_pre_image_is_noticed() {
        // An odd number of blocks, which becomes a smaller one.
        let chain = chain(3, 3);
        for (key, _) in asked(&chain) {
            let mut inputs = chain.inputs(chain.claim);
            let data = inputs.get_mut(&key).unwrap();
            *data.last_mut().unwrap() ^= 1;
            assert!(!matches!(run(inputs).0, Ok(Verdict::Holds(_))), "{key}");
        }
    }

    #[test]
    fn every_missing_or_longer_pre_image_is_noticed() {
        let chain = chain(2, 3);
        for (key, data) in asked(&chain) {
            let mut inputs = chain.inputs(chain.claim);
            inputs.remove(&key);
            assert!(matches!(run(inputs.clone()).0, Err(ChainError::Client(_))));
            inputs.insert(key, [data, vec![0]].concat());
            assert!(matches!(
                run(inputs).0,
                Err(ChainError::Client(ClientError::Length { .. }))
            ));
        }
    }

    /// The result for a head block made by hand, with `count` blocks asked for.
    fn run_head(head: &Block, parent: Option<&Block>, count: u64) -> Result<Verdict, ChainError> {
        let mut inputs = Preimages::new();
        for block in [Some(head), parent].into_iter().flatten() {
            inputs.insert(PreimageKey::keccak256(block.hash()), block.encode().into());
        }
        let agreed = Output {
            head: head.hash(),
            blocks: 0,
            accumulator: ZERO_HASH,
        };
        inputs.insert(
            PreimageKey::keccak256(agreed.root()),
            agreed.encode().into(),
        );
        inputs.insert(PreimageKey::local(LOCAL_AGREED), agreed.root().into());
        inputs.insert(PreimageKey::local(LOCAL_CLAIM), ZERO_HASH.into());
        inputs.insert(
            PreimageKey::local(LOCAL_BLOCK_COUNT),
            count.to_be_bytes().into(),
        );
        run(inputs).0
    }

    fn empty_block(parent: Hash, number: u64) -> Block {
        Block {
            parent,
            number,
            leaf_count: 0,
            payload_root: ZERO_HASH,
        }
    }

    #[test]
    fn a_gap_in_the_numbers_is_an_error() {
        let parent = empty_block(ZERO_HASH, 4);
        let head = empty_block(parent.hash(), 6);
        assert_eq!(
            run_head(&head, Some(&parent), 2),
            Err(ChainError::Number {
                block: parent.hash(),
                expected: 5,
                found: 4
            })
        );
    }

    #[test]
    fn an_empty_payload_has_the_zero_root() {
        let mut head = empty_block(ZERO_HASH, 0);
        head.payload_root = [1; 32];
        assert_eq!(
            run_head(&head, None, 1),
            Err(ChainError::EmptyRoot([1; 32]))
        );
    }

    #[test]
    fn an_absurd_leaf_count_ends_at_the_first_leaf_taken_for_a_node() {
        let mut head = empty_block(ZERO_HASH, 0);
        head.leaf_count = u64::MAX;
        head.payload_root = keccak256(b"no such node");
        assert!(matches!(
            run_head(&head, None, 1),
            Err(ChainError::Client(ClientError::Io { .. }))
        ));
    }
}
