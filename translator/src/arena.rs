//! Where native code lies: chunks of memory that are writable or executable, never both.

use memmap2::{Mmap, MmapMut};
use std::io;

/// Bytes of a chunk, if the limit allows it. Writing to a chunk flips all of it, so that the system keeps few
/// mappings.
const CHUNK: usize = 1 << 20;
const ALIGNMENT: usize = 16;

/// Executable memory that grows up to a limit and is emptied as a whole.
pub struct Arena {
    chunks: Vec<Chunk>,
    limit: usize,
}

struct Chunk {
    /// `None` only while the memory is writable.
    memory: Option<Mmap>,
    used: usize,
}

impl Arena {
    /// An empty arena that holds at most so many bytes.
    pub fn new(limit: usize) -> Self {
        Self {
            chunks: Vec::new(),
            limit,
        }
    }

    /// Bytes in use.
    pub fn used(&self) -> usize {
        self.chunks.iter().map(|chunk| chunk.used).sum()
    }

    /// Forgets all code. Nobody may enter it any more.
    pub fn clear(&mut self) {
        self.chunks.clear();
    }

    /// Copies code in: its address, or `None` if the arena is full.
    ///
    /// # Errors
    /// When the system refuses memory or its protection.
    pub fn add(&mut self, code: &[u8]) -> io::Result<Option<u64>> {
        let fits = |chunk: &Chunk| chunk.size() - chunk.used >= code.len();
        if !self.chunks.last().is_some_and(fits) {
            let size = code.len().next_multiple_of(CHUNK.min(self.limit).max(1));
            let total: usize = self.chunks.iter().map(Chunk::size).sum();
            if total + size > self.limit {
                return Ok(None);
            }
            let memory = Some(MmapMut::map_anon(size)?.make_exec()?);
            self.chunks.push(Chunk { memory, used: 0 });
        }
        match self.chunks.last_mut() {
            Some(chunk) => chunk.add(code).map(Some),
            None => Ok(None),
        }
    }
}

impl Chunk {
    fn size(&self) -> usize {
        self.memory.as_ref().map_or(0, |memory| memory.len())
    }

    fn add(&mut self, code: &[u8]) -> io::Result<u64> {
        let Some(memory) = self.memory.take() else {
            return Err(io::Error::other("a chunk was lost while it was writable"));
        };
        let mut memory = memory.make_mut()?;
        let at = self.used;
        memory[at..at + code.len()].copy_from_slice(code);
        let memory = memory.make_exec()?;
        let address = memory.as_ptr() as u64 + at as u64;
        self.memory = Some(memory);
        self.used = (at + code.len())
            .next_multiple_of(ALIGNMENT)
            .min(self.size());
        Ok(address)
    }
}
