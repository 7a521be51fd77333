//! Claims about devnets: what must come out, natively and in the VM.

use carronade_chains::{Outcome, in_vm, native};
use carronade_devnet::{Claim, Devnet, Preimages, Spec};
use carronade_program::key::PreimageKey;

/// Thirty L2 blocks over twelve L1 blocks, in blobs and span batches.
fn standard() -> Devnet {
    Devnet::generate(&Spec::standard()).unwrap()
}

fn images(devnet: &Devnet, claim: &Claim) -> Preimages {
    let mut images = devnet.preimages();
    images.extend(devnet.locals(claim));
    images
}

/// Judges both ways: the exit code, and the words of both.
fn judge(images: &Preimages) -> (u8, [String; 2]) {
    let (code, words) = native(images);
    let end = in_vm(images);
    assert_eq!(
        code, end.exit_code,
        "natively {words}, in the VM {}",
        end.words
    );
    (code, [words, end.words])
}

#[test]
fn right_claims_are_valid_and_wrong_ones_invalid() {
    let devnet = standard();
    let head = devnet.l2_head();
    let right = devnet.claim(0, head);
    assert_eq!(judge(&images(&devnet, &right)).0, 0);
    let mut root = right.clone();
    root.claimed_l2_output_root.0[31] ^= 1;
    let mut number = right.clone();
    number.claimed_l2_block_number -= 1;
    // The block after the last that L1 has data for: the sequencer may have it, but nothing
    // shows what is in it.
    let mut past = right.clone();
    past.claimed_l2_block_number += 1;
    past.claimed_l2_output_root.0.fill(7);
    // The agreed root once more, for a block that L1 has data for.
    let mut unmoved = devnet.claim(head - 1, head);
    unmoved.claimed_l2_output_root = unmoved.agreed_l2_output_root;
    for wrong in [root, number, past, unmoved] {
        let (code, words) = judge(&images(&devnet, &wrong));
        assert_eq!(code, 1, "{words:?}");
        assert!(words[0].starts_with("invalid: claimed was "), "{words:?}");
        assert_eq!(words[0], words[1]);
    }
}

/// In dispute games the last block's root stands at all positions after the data.
#[test]
fn where_data_end_the_last_root_is_right() {
    let devnet = standard();
    let head = devnet.l2_head();
    for agreed in [0, head] {
        let mut extended = devnet.claim(agreed, head);
        extended.claimed_l2_block_number += 1;
        assert_eq!(judge(&images(&devnet, &extended)).0, 0, "{agreed}");
    }
}

#[test]
fn what_is_missing_or_damaged_is_named() {
    let devnet = standard();
    let claim = devnet.claim(0, devnet.l2_head());
    let right = images(&devnet, &claim);
    let key = PreimageKey::keccak256(claim.l1_head.0);
    let mut missing = right.clone();
    missing.remove(&key);
    let mut damaged = right;
    damaged.get_mut(&key).unwrap()[100] ^= 1;
    for spoilt in [missing, damaged] {
        let (code, words) = judge(&spoilt);
        assert_eq!(code, 2, "{words:?}");
        for words in words {
            assert!(words.contains(&key.to_string()), "{words}");
        }
    }
}

#[test]
fn random_claims_about_random_chains() {
    for seed in 100..112 {
        let outcome = Outcome::of(seed);
        assert_eq!(outcome.fault(), None, "seed {seed}: {:?}", outcome.case);
    }
}
