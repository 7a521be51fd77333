//! What the benchmark guests share.
//!
//! Each is a function `fn() -> u64` that works for a while and returns a checksum. On the VM's
//! target it becomes a guest, and elsewhere an ordinary program that prints the same.
#![no_std]

extern crate alloc;

#[cfg(target_os = "none")]
#[doc(hidden)]
pub use carronade_program as program;

/// Makes `$work` the program: it prints the checksum.
#[macro_export]
macro_rules! bench {
    ($work:path) => {
        #[cfg(target_os = "none")]
        const _: () = {
            $crate::program::entry!(main);
            fn main() -> i32 {
                $crate::program::println!("{:016x}", $work());
                0
            }
        };

        #[cfg(not(target_os = "none"))]
        fn main() {
            println!("{:016x}", $work());
        }
    };
}

/// Numbers that look random, always the same ones (xorshift64*).
pub struct Random(u64);

impl Random {
    /// Begins with `seed`, which is not zero.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    #[inline]
    pub fn draw(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }
}

/// A checksum over numbers.
#[derive(Default)]
pub struct Sum(u64);

impl Sum {
    /// Takes in `value`.
    #[inline]
    pub fn add(&mut self, value: u64) {
        self.0 = (self.0.rotate_left(5) ^ value).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }

    /// The checksum of all that was taken in.
    pub const fn get(&self) -> u64 {
        self.0
    }
}
