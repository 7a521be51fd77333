//! Gas of what brings pre-images into the oracle.

use super::{ADD_LEAVES, Meter, PRECOMPILE, game};
use alloy_sol_types::SolValue;
use carronade_contracts::abi::{Leaf, PreimageOracle as Oracle, StateMatrix};
use carronade_contracts::artifact;
use carronade_contracts::chain::Chain;
use carronade_contracts::stepper::CALLER;
use carronade_contracts::system::{Parameters, System};
use carronade_dispute::upload::large::{self, LargePreimage};
use revm::primitives::{Address, FixedBytes, U256, keccak256};

/// Bytes of a small pre-image, and of a middling one.
const SIZES: [usize; 2] = [64, 1_024];
const OFFSET: u32 = 8;

pub fn load(meter: &mut Meter) {
    let mut system = System::new(&Parameters::default());
    let (chain, to, part_offset) = (&mut system.chain, system.oracle, U256::from(OFFSET));
    for size in SIZES {
        let call = Oracle::loadKeccak256PreimagePartCall {
            partOffset: part_offset,
            preimage: vec![7; size].into(),
        };
        meter.call("loadKeccak256PreimagePart", chain, to, &call);
        let call = Oracle::loadSha256PreimagePartCall {
            partOffset: part_offset,
            preimage: vec![7; size].into(),
        };
        meter.call("loadSha256PreimagePart", chain, to, &call);
    }
    chain.trust_blob_proofs();
    // The polynomial that is 1 everywhere: its commitment is the generator of G1, the proof of
    // its value at any point is the point at infinity.
    let generator = "97f1d3a73197d7942695638c4fa9ac0fc3688c4f9774b905a14e3a3f171bac58\
                     6c55e83ff97a1aeffb3af00adb22c6bb";
    let call = Oracle::loadBlobPreimagePartCall {
        z: U256::from(5),
        y: U256::from(1),
        commitment: const_hex::decode(generator).unwrap().into(),
        proof: [&[0xc0][..], &[0; 47]].concat().into(),
        partOffset: part_offset,
    };
    meter.call("loadBlobPreimagePart", chain, to, &call);
    let call = Oracle::loadPrecompilePreimagePartCall {
        partOffset: part_offset,
        precompile: Address::with_last_byte(1),
        requiredGas: 3_000,
        input: vec![0; 128].into(),
    };
    meter.call(PRECOMPILE, chain, to, &call);
}

/// A pre-image of 24 blocks, once as it is, and once with a wrong last block.
pub fn load_large(meter: &mut Meter) {
    const BLOCKS: usize = 24;
    let image = LargePreimage {
        part_offset: OFFSET,
        preimage: vec![7; BLOCKS * large::BLOCK_BYTES - 8],
    };
    let mut chain = Chain::new();
    let periods = (U256::from(image.preimage.len()), U256::from(1)).abi_encode_params();
    let code = artifact::preimage_oracle().bytecode;
    let to = chain.deploy(CALLER, &code, &periods);
    chain.fund(CALLER, game::WEALTH);
    let (squeeze, [leaves]) = (image.squeeze().unwrap(), &image.calls(0)[..]) else {
        panic!("24 blocks fit into a call");
    };
    let mut commitments = leaves.state_commitments.clone();
    for uuid in [U256::from(0), U256::from(1)] {
        let call = Oracle::initLPPCall {
            uuid,
            partOffset: OFFSET,
            claimedSize: image.preimage.len() as u32,
        };
        meter.pay("initLPP", &mut chain, to, &call, BOND);
        let call = Oracle::addLeavesLPPCall {
            uuid,
            inputStartBlock: U256::ZERO,
            input: leaves.input.clone().into(),
            stateCommitments: commitments.clone(),
            finalize: true,
        };
        meter.call(ADD_LEAVES, &mut chain, to, &call);
        commitments[BLOCKS - 1] = FixedBytes([9; 32]);
    }
    let mut wrong = squeeze.clone();
    wrong.post.state_commitment = FixedBytes([9; 32]);
    wrong.pre.branch[0] = hash(&wrong.post);
    let (pre, pre_proof) = leaf(&wrong.pre);
    let (post, post_proof) = leaf(&wrong.post);
    let state = StateMatrix {
        state: squeeze.state_matrix,
    };
    let call = Oracle::challengeLPPCall {
        claimant: CALLER,
        uuid: U256::from(1),
        stateMatrix: state.clone(),
        preState: pre,
        preStateProof: pre_proof,
        postState: post,
        postStateProof: post_proof,
    };
    meter.call("challengeLPP", &mut chain, to, &call);
    chain.pass(2);
    let (pre, pre_proof) = leaf(&squeeze.pre);
    let (post, post_proof) = leaf(&squeeze.post);
    let call = Oracle::squeezeLPPCall {
        claimant: CALLER,
        uuid: U256::ZERO,
        stateMatrix: state,
        preState: pre,
        preStateProof: pre_proof,
        postState: post,
        postStateProof: post_proof,
    };
    meter.call("squeezeLPP", &mut chain, to, &call);
}

/// `MIN_BOND_SIZE`: a quarter of an ether.
const BOND: U256 = U256::from_limbs([250_000_000_000_000_000, 0, 0, 0]);

fn hash(leaf: &large::Leaf) -> FixedBytes<32> {
    let index = U256::from(leaf.index).to_be_bytes::<32>();
    keccak256([&leaf.input[..], &index, leaf.state_commitment.as_slice()].concat())
}

fn leaf(leaf: &large::Leaf) -> (Leaf, Vec<FixedBytes<32>>) {
    let of_contract = Leaf {
        input: leaf.input.to_vec().into(),
        index: U256::from(leaf.index),
        stateCommitment: leaf.state_commitment,
    };
    (of_contract, leaf.branch.to_vec())
}
