//! Decompression of channels: as much as can be had, up to a limit.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

use alloc_no_stdlib::Allocator;
use brotli_decompressor::{BrotliDecompressStream, BrotliResult, BrotliState};
use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::inflate_flags::{
    TINFL_FLAG_PARSE_ZLIB_HEADER, TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF,
};
use miniz_oxide::inflate::core::{DecompressorOxide, decompress as inflate};

/// First byte of a channel that is compressed with Brotli.
const BROTLI: u8 = 1;

/// The data of a channel up to `limit` bytes, or up to an error. `None` if the first byte names
/// no compression; Brotli counts only if `has_brotli`, since Fjord.
pub(crate) fn decompress(channel: &[u8], limit: usize, has_brotli: bool) -> Option<Vec<u8>> {
    match channel.first()? {
        &BROTLI if has_brotli => Some(brotli(&channel[1..], limit)),
        // The zlib header's method: 8, or 15, which zlib itself refuses.
        first if matches!(first & 0x0f, 8 | 15) => Some(zlib(channel, limit)),
        _ => None,
    }
}

fn zlib(data: &[u8], limit: usize) -> Vec<u8> {
    const FLAGS: u32 = TINFL_FLAG_PARSE_ZLIB_HEADER | TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
    let mut state = Box::<DecompressorOxide>::default();
    let mut output = first_output(data, limit);
    let (mut read, mut written) = (0, 0);
    loop {
        let rest = &data[read..];
        let (status, taken, given) = inflate(&mut state, rest, &mut output, written, FLAGS);
        read += taken;
        written += given;
        if status != TINFLStatus::HasMoreOutput || !grow(&mut output, limit) {
            break;
        }
    }
    output.truncate(written);
    output
}

fn brotli(data: &[u8], limit: usize) -> Vec<u8> {
    let mut state = BrotliState::new(Heap, Heap, Heap);
    let (mut input, mut input_offset) = (data.len(), 0);
    let mut output = first_output(data, limit);
    let (mut space, mut written, mut total) = (output.len(), 0, 0);
    loop {
        let result = BrotliDecompressStream(
            &mut input,
            &mut input_offset,
            data,
            &mut space,
            &mut written,
            &mut output,
            &mut total,
            &mut state,
        );
        let before = output.len();
        if !matches!(result, BrotliResult::NeedsMoreOutput) || !grow(&mut output, limit) {
            break;
        }
        space += output.len() - before;
    }
    output.truncate(written);
    output
}

/// Room for the output to begin with.
fn first_output(data: &[u8], limit: usize) -> Vec<u8> {
    vec![0; (2 * data.len()).max(1 << 12).min(limit)]
}

/// Doubles the room, if the limit allows for more.
fn grow(output: &mut Vec<u8>, limit: usize) -> bool {
    let larger = (2 * output.len()).min(limit);
    let grows = larger > output.len();
    output.resize(larger, 0);
    grows
}

/// Gives the decoder memory of the program's own heap.
struct Heap;

impl<T: Clone + Default> Allocator<T> for Heap {
    type AllocatedMemory = Memory<T>;

    fn alloc_cell(&mut self, len: usize) -> Memory<T> {
        Memory(vec![T::default(); len].into())
    }

    fn free_cell(&mut self, _: Memory<T>) {}
}

struct Memory<T>(Box<[T]>);

impl<T> Default for Memory<T> {
    fn default() -> Self {
        Self(Box::default())
    }
}

impl<T> alloc_no_stdlib::SliceWrapper<T> for Memory<T> {
    fn slice(&self) -> &[T] {
        &self.0
    }
}

impl<T> alloc_no_stdlib::SliceWrapperMut<T> for Memory<T> {
    fn slice_mut(&mut self) -> &mut [T] {
        &mut self.0
    }
}

#[cfg(test)]
mod tests {
    use miniz_oxide::deflate::compress_to_vec_zlib;

    use super::*;

    fn numbers() -> Vec<u8> {
        (0..100_000_u32).flat_map(u32::to_be_bytes).collect()
    }

    #[test]
    fn data_counts_up_to_the_limit() {
        let data = numbers();
        let channel = compress_to_vec_zlib(&data, 6);
        for limit in [1, 1000, data.len() - 1, data.len(), data.len() + 1] {
            let found = decompress(&channel, limit, false).unwrap();
            assert!(found == data[..limit.min(data.len())], "{limit}");
        }
    }

    #[test]
    fn data_before_an_error_counts() {
        let data = numbers();
        let channel = compress_to_vec_zlib(&data, 6);
        let found = decompress(&channel[..channel.len() / 2], 1 << 30, false).unwrap();
        assert!(found.len() > data.len() / 4, "{}", found.len());
        assert!(data.starts_with(&found));
        let mut wrong_sum = channel.clone();
        *wrong_sum.last_mut().unwrap() ^= 1;
        assert!(decompress(&wrong_sum, 1 << 30, false).unwrap() == data);
    }

    #[test]
    fn unknown_compressions_are_none() {
        assert_eq!(decompress(&[], 9, true), None);
        assert_eq!(decompress(&[2, 0], 9, true), None);
        assert_eq!(decompress(&[1, 0], 9, false), None);
        // Method 15 is let in and then refused by zlib.
        assert_eq!(decompress(&[0x0f, 0, 0], 9, true), Some(Vec::new()));
    }
}
