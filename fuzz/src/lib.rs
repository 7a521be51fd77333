//! What the fuzz targets share: the machines and ways of execution of the emulator's
//! tests, and random numbers out of the fuzzer's bytes.

#[allow(dead_code, reason = "the tests use more of it")]
#[path = "../../emulator/tests/behaviour/harness.rs"]
pub mod harness;
// Not by way of the whole command line, which takes minutes to build.
#[allow(dead_code, reason = "the command line uses more of it")]
#[path = "../../src/matcher.rs"]
pub mod matcher;
#[allow(dead_code, reason = "the tests use more of it")]
#[path = "../../emulator/tests/behaviour/random.rs"]
pub mod random;

/// The fuzzer's bytes as numbers, eight bytes each; when they are used up, numbers that
/// follow from the last one, so that no choice is for ever the same.
pub fn numbers(mut data: &[u8]) -> impl FnMut() -> u64 {
    let mut rest = harness::numbers(data.len() as u64);
    move || match data.split_first_chunk() {
        Some((number, after)) => {
            data = after;
            u64::from_le_bytes(*number)
        }
        None => rest(),
    }
}
