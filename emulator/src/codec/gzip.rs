//! gzip with several members: read one after the other, written in parallel.
//!
//! The last complete hint travels in the extra fields of the members' headers (RFC 1952,
//! 2.3.1.1), where other readers do not look: the unpacked bytes stay Cannon's.

use super::MAX_DECOMPRESSED;
use flate2::bufread::GzDecoder;
use flate2::{Compression, GzBuilder};
use rayon::prelude::*;
use std::io::{self, BufRead, Read, Write};

/// Identifies our subfield of a header's extra field.
const SUBFIELD: [u8; 2] = *b"Ch";
/// How much of a hint one header holds; a subfield is shorter than 64 KiB.
const HINT_CHUNK: usize = 60_000;
/// How much of the unpacked bytes goes into one member.
const MEMBER: usize = 1 << 20;
/// Members that are packed at the same time.
const BATCH: usize = 16;

/// Unpacks all members of a gzip stream.
pub(super) struct Members<R> {
    /// None after the last member.
    member: Option<GzDecoder<R>>,
    unpacked: u64,
    extra: Vec<u8>,
    header_seen: bool,
}

impl<R: BufRead> Members<R> {
    pub(super) fn new(input: R) -> Self {
        let member = Some(GzDecoder::new(input));
        Self {
            member,
            unpacked: 0,
            extra: Vec::new(),
            header_seen: false,
        }
    }

    /// What the headers held in our subfields, of all members that were read.
    pub(super) fn take_extra(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.extra)
    }

    fn note_header(&mut self) {
        let header = self.member.as_ref().and_then(GzDecoder::header);
        if let (false, Some(header)) = (self.header_seen, header) {
            self.extra
                .extend_from_slice(subfield(header.extra().unwrap_or_default()));
            self.header_seen = true;
        }
    }

    /// Goes on to the next member, if there is one.
    fn next_member(&mut self) -> io::Result<bool> {
        let Some(member) = self.member.take() else {
            return Ok(false);
        };
        let mut input = member.into_inner();
        if input.fill_buf()?.is_empty() {
            return Ok(false);
        }
        self.member = Some(GzDecoder::new(input));
        self.header_seen = false;
        Ok(true)
    }
}

/// Our subfield in an extra field, or nothing.
fn subfield(mut extra: &[u8]) -> &[u8] {
    while let Some(([id @ .., low, high], rest)) = extra.split_first_chunk::<4>() {
        let length = usize::from(u16::from_le_bytes([*low, *high]));
        let Some((data, after)) = rest.split_at_checked(length) else {
            break;
        };
        if *id == SUBFIELD {
            return data;
        }
        extra = after;
    }
    &[]
}

impl<R: BufRead> Read for Members<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        while let (Some(member), false) = (&mut self.member, bytes.is_empty()) {
            let count = member.read(bytes).map_err(|error| match error.kind() {
                // The file ends within a member, which is not where the state ends.
                io::ErrorKind::UnexpectedEof => {
                    io::Error::new(io::ErrorKind::InvalidData, "the file is cut off")
                }
                _ => error,
            })?;
            self.note_header();
            self.unpacked += count as u64;
            if self.unpacked >= MAX_DECOMPRESSED {
                return Err(io::ErrorKind::FileTooLarge.into());
            }
            if count > 0 {
                return Ok(count);
            }
            if !self.next_member()? {
                break;
            }
        }
        Ok(0)
    }
}

/// Packs what is written into members of equal size, several at a time.
pub(super) struct Packer<'a> {
    output: &'a mut dyn Write,
    pending: Vec<u8>,
}

impl<'a> Packer<'a> {
    pub(super) fn new(output: &'a mut dyn Write) -> Self {
        Self {
            output,
            pending: Vec::new(),
        }
    }

    fn pack_pending(&mut self) -> io::Result<()> {
        let members: Vec<Vec<u8>> = self
            .pending
            .par_chunks(MEMBER)
            .map(|bytes| member(bytes, &[]))
            .collect();
        self.pending.clear();
        members
            .iter()
            .try_for_each(|member| self.output.write_all(member))
    }

    /// Packs the rest, and the hint into the headers of empty members.
    pub(super) fn finish(mut self, hint: &[u8]) -> io::Result<()> {
        self.pack_pending()?;
        hint.chunks(HINT_CHUNK)
            .try_for_each(|part| self.output.write_all(&member(&[], part)))
    }
}

impl Write for Packer<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.pending.extend_from_slice(bytes);
        if self.pending.len() >= BATCH * MEMBER {
            self.pack_pending()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn member(bytes: &[u8], hint: &[u8]) -> Vec<u8> {
    let mut builder = GzBuilder::new();
    if !hint.is_empty() {
        let length = (hint.len() as u16).to_le_bytes();
        builder = builder.extra([&SUBFIELD[..], &length, hint].concat());
    }
    let mut packed = Vec::new();
    // Level 1 packs states to within a tenth of the default's size in a quarter of its time.
    let mut encoder = builder.read(bytes, Compression::fast());
    match encoder.read_to_end(&mut packed) {
        Ok(_) => packed,
        Err(error) => unreachable!("packing from memory to memory: {error}"),
    }
}
