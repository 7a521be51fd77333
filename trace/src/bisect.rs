//! The first step at which two traces differ.

use carronade_emulator::hash::Hash;

/// Something that claims what the states of a trace are: a trace, or whatever else can be
/// asked for the state hash at a step counter.
pub trait Claims {
    /// Why a question has no answer.
    type Error;

    /// The state hash at a step counter; after the end that of the last state.
    ///
    /// # Errors
    /// When there is no answer.
    fn state_hash(&mut self, step: u64) -> Result<Hash, Self::Error>;
}

/// What a bisection found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// The traces agree at both ends of the range.
    Equal,
    /// They do not agree at its beginning, so no step of it is to blame.
    Apart {
        /// What both sides claim there.
        claims: [Hash; 2],
    },
    /// The first step that leads from one state to two.
    Step {
        /// The step counter before it, where both agree.
        step: u64,
        /// What both claim there.
        pre: Hash,
        /// What both sides claim after it.
        posts: [Hash; 2],
    },
}

/// Bisects the steps between two counters, `first` and `last`: some 2 + log2(last - first)
/// questions to each side. The traces are taken to stay apart once they are, as a
/// dispute's bisection does; if they come together again, some step at which they part is
/// found.
///
/// # Errors
/// When one of the sides has no answer: the side, and why.
pub fn bisect<A: Claims, B: Claims>(
    left: &mut A,
    right: &mut B,
    (first, last): (u64, u64),
    mut progress: impl FnMut(u64, bool),
) -> Result<Found, Unanswered<A::Error, B::Error>> {
    let mut ask = |step| {
        let claims = [
            left.state_hash(step).map_err(Unanswered::Left)?,
            right.state_hash(step).map_err(Unanswered::Right)?,
        ];
        progress(step, claims[0] == claims[1]);
        Ok(claims)
    };
    let begin = ask(first)?;
    if begin[0] != begin[1] {
        return Ok(Found::Apart { claims: begin });
    }
    let (mut low, mut pre) = (first, begin[0]);
    let (mut high, mut posts) = (last, ask(last)?);
    if posts[0] == posts[1] {
        return Ok(Found::Equal);
    }
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        let claims = ask(middle)?;
        if claims[0] == claims[1] {
            (low, pre) = (middle, claims[0]);
        } else {
            (high, posts) = (middle, claims);
        }
    }
    Ok(Found::Step {
        step: low,
        pre,
        posts,
    })
}

/// A side that has no answer, and why.
#[derive(Debug)]
pub enum Unanswered<A, B> {
    /// The first.
    Left(A),
    /// The second.
    Right(B),
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Claims that change at a step.
    struct Lie {
        from: u64,
        asked: u32,
    }

    impl Claims for Lie {
        type Error = u64;

        fn state_hash(&mut self, step: u64) -> Result<Hash, u64> {
            self.asked += 1;
            if step == 1 << 50 {
                return Err(step);
            }
            let mut hash = [0; 32];
            hash[..8].copy_from_slice(&step.to_be_bytes());
            hash[31] = u8::from(step >= self.from);
            Ok(hash)
        }
    }

    fn lie(from: u64) -> Lie {
        Lie { from, asked: 0 }
    }

    #[test]
    fn the_first_differing_step_is_found_with_few_questions() {
        for from in [1, 2, 3, 1000, (1 << 42) - 1, 1 << 42] {
            let (mut honest, mut liar) = (lie(u64::MAX), lie(from));
            let found = bisect(&mut honest, &mut liar, (0, 1 << 42), |_, _| {});
            let Ok(Found::Step { step, pre, posts }) = found else {
                panic!("{found:?}");
            };
            assert_eq!(step, from - 1);
            assert_eq!(pre, honest.state_hash(step).unwrap_or_default());
            assert_eq!((posts[0][31], posts[1][31]), (0, 1));
            assert!(liar.asked <= 44, "{} questions", liar.asked);
        }
    }

    #[test]
    fn equal_ends_and_unequal_beginnings_are_told() {
        let found = bisect(&mut lie(9), &mut lie(9), (0, 20), |_, _| {});
        assert!(matches!(found, Ok(Found::Equal)));
        let found = bisect(&mut lie(9), &mut lie(0), (0, 8), |_, _| {});
        assert!(matches!(found, Ok(Found::Apart { .. })));
    }

    #[test]
    fn who_has_no_answer_is_told() {
        let found = bisect(&mut lie(9), &mut lie(0), (1 << 50, 1 << 51), |_, _| {});
        assert!(matches!(found, Err(Unanswered::Left(step)) if step == 1 << 50));
    }
}
