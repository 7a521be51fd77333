//! A chain, and a claim about it.

use carronade_devnet::{Devnet, Preimages, Spec};
use carronade_program::key::{KeyType, PreimageKey};
use rand::rngs::SmallRng;
use rand::seq::IteratorRandom;
use rand::{Rng, SeedableRng};

/// What is done to a right claim, or to the pre-images of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Twist {
    /// Nothing.
    None,
    /// Another output root.
    Root,
    /// The output root of the block before.
    Number,
    /// A block past what L1 has data for, with the last output root, as in dispute games.
    PastData,
    /// An L1 head before the last block; what is derived depends on where the batches are.
    EarlierHead,
    /// A pre-image is taken away. Which it is decides whether that is noticed.
    Missing(PreimageKey),
    /// A bit of a pre-image is changed.
    Damaged(PreimageKey),
}

/// A chain, and a claim about it.
pub struct Case {
    /// What the chain is made of.
    pub spec: Spec,
    /// What is wrong with the claim.
    pub twist: Twist,
    /// All that the program may ask for.
    pub images: Preimages,
}

impl std::fmt::Debug for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}, {:?}", self.twist, self.spec)
    }
}

impl Case {
    /// The case of a seed.
    ///
    /// # Panics
    /// When the devnet cannot be made, which no random spec should lead to.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let spec = Spec::random(seed);
        let devnet = Devnet::generate(&spec).expect("random chains can be made");
        let dice = &mut SmallRng::seed_from_u64(seed);
        let head = devnet.l2_head();
        let agreed = dice.random_range(0..head);
        let mut claim = devnet.claim(agreed, dice.random_range(agreed + 1..=head));
        let mut images = devnet.preimages();
        let twist = twist(dice, &images);
        match twist {
            Twist::None | Twist::Missing(_) | Twist::Damaged(_) => {}
            Twist::Root => claim.claimed_l2_output_root.0[dice.random_range(0..32)] ^= 1,
            Twist::Number => {
                let before = devnet.claim(agreed, claim.claimed_l2_block_number - 1);
                claim.claimed_l2_output_root = before.claimed_l2_output_root;
            }
            Twist::PastData => {
                claim = devnet.claim(agreed, head);
                claim.claimed_l2_block_number += dice.random_range(1..1000);
            }
            Twist::EarlierHead => {
                let origin = devnet.l2[agreed as usize].origin;
                let earlier = dice.random_range(origin..devnet.l1.len() as u64);
                claim.l1_head = devnet.l1[earlier as usize].header.hash();
            }
        }
        images.extend(devnet.locals(&claim));
        spoil(dice, twist, &mut images);
        Self {
            spec,
            twist,
            images,
        }
    }

    /// The exit code that must come out, if it is known.
    #[must_use]
    pub const fn expected(&self) -> Option<u8> {
        match self.twist {
            Twist::None | Twist::PastData => Some(0),
            Twist::Root | Twist::Number => Some(1),
            Twist::EarlierHead | Twist::Missing(_) | Twist::Damaged(_) => None,
        }
    }
}

fn twist(dice: &mut SmallRng, images: &Preimages) -> Twist {
    // Field elements are most of the pre-images, but not the most interesting ones.
    let interesting = |key: &&PreimageKey| key.key_type() != KeyType::Blob;
    let some = images.keys().filter(interesting).choose(dice);
    let some = *some.expect("a chain has blocks");
    match dice.random_range(0..10) {
        0..4 => Twist::None,
        4 => Twist::Root,
        5 => Twist::Number,
        6 => Twist::PastData,
        7 => Twist::EarlierHead,
        8 => Twist::Missing(some),
        _ => Twist::Damaged(some),
    }
}

fn spoil(dice: &mut SmallRng, twist: Twist, images: &mut Preimages) {
    match twist {
        Twist::Missing(key) => {
            images.remove(&key);
        }
        Twist::Damaged(key) => {
            let value = images.get_mut(&key).filter(|value| !value.is_empty());
            if let Some(value) = value {
                let byte = dice.random_range(0..value.len());
                value[byte] ^= 1 << dice.random_range(0..8);
            }
        }
        _ => {}
    }
}
