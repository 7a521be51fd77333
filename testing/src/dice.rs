//! Choices out of random numbers.

/// splitmix64: repeatable random numbers of a seed.
pub fn numbers(mut seed: u64) -> impl FnMut() -> u64 {
    move || {
        seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = (seed ^ seed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }
}

/// A source of random numbers, of a seed or of a fuzzer, asked in terms of choices.
pub struct Dice<'a>(pub &'a mut dyn FnMut() -> u64);

impl Dice<'_> {
    /// Any number.
    pub fn any(&mut self) -> u64 {
        (self.0)()
    }

    /// A number below `end`, which is not 0.
    pub fn below(&mut self, end: u64) -> u64 {
        self.any() % end
    }

    /// A number from `first` to `last`.
    pub fn between(&mut self, first: u64, last: u64) -> u64 {
        first + self.below(last - first + 1)
    }

    /// True once in `count` times.
    pub fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }

    /// One of some values.
    pub fn pick<T: Copy>(&mut self, values: &[T]) -> T {
        values[self.below(values.len() as u64) as usize]
    }

    /// A number up to `last` of which every order of magnitude is as likely as the others.
    pub fn up_to(&mut self, last: u64) -> u64 {
        let bits = u64::from(64 - last.leading_zeros());
        (self.any() >> (64 - self.between(1, bits))).clamp(1, last)
    }
}
