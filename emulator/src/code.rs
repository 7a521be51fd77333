//! Decoded code, page by page. Memory stays the truth: a store to a decoded page is
//! reported by [`Memory`], and the words it touched are decoded again before anything
//! else runs.

use crate::isa::Instruction;
use crate::memory::{Memory, PAGE_SHIFT, PAGE_SIZE};
use std::collections::HashMap;

const WORDS: usize = PAGE_SIZE / 4;
const SLOTS: usize = 256;
const NO_PAGE: u64 = u64::MAX;
/// How many pages stay decoded, 10 KiB each. A program that runs through more, if only
/// because it runs astray through empty memory, begins anew.
const MAX_PAGES: usize = 8192;

static NO_CODE: CodePage = CodePage {
    instructions: [Instruction::decode(0); WORDS],
    straight: [1; WORDS],
};

/// The instructions of one page.
pub(crate) struct CodePage {
    instructions: [Instruction; WORDS],
    /// How many instructions from here on run straight: up to and with the next one that
    /// [ends a run](crate::isa::Opcode::ends_run), or to the end of the page.
    straight: [u16; WORDS],
}

impl CodePage {
    fn decode(memory: &Memory, page: u64) -> Box<Self> {
        let nothing = Instruction::decode(0);
        let mut code = Box::new(Self {
            instructions: [nothing; WORDS],
            straight: [1; WORDS],
        });
        if let Some(bytes) = memory.page(page) {
            for (instruction, word) in code.instructions.iter_mut().zip(bytes.as_chunks().0) {
                *instruction = Instruction::decode(u32::from_be_bytes(*word));
            }
        }
        code.measure(WORDS - 1);
        code
    }

    /// Recomputes the straight runs that reach up to the word `last`.
    fn measure(&mut self, last: usize) {
        for at in (0..=last).rev() {
            let ends = self.instructions[at].opcode().ends_run() || at == WORDS - 1;
            self.straight[at] = if ends { 1 } else { self.straight[at + 1] + 1 };
        }
    }

    /// Decodes again the 8-byte word at an address of this page.
    fn refresh(&mut self, memory: &Memory, address: u64) {
        let first = (address & !7) as usize % PAGE_SIZE / 4;
        for at in [first, first + 1] {
            let address = (address & !(PAGE_SIZE as u64 - 1)) + 4 * at as u64;
            let word = memory.load(address, crate::cpu::Width::Word) as u32;
            self.instructions[at] = Instruction::decode(word);
        }
        self.measure(first + 1);
    }

    /// No page at all: the number is none's, the instructions are never run.
    pub(crate) const NONE: (u64, &'static Self) = (NO_PAGE, &NO_CODE);

    /// The instruction behind a run, if it is on this page and may run without looking at
    /// its own program counter.
    #[inline(always)]
    pub(crate) fn slot_after(&self, pc: u64, length: u64) -> Option<Instruction> {
        let at = pc as usize % PAGE_SIZE / 4 + length as usize;
        let slot = *self.instructions.get(at)?;
        if slot.opcode().ends_run() {
            None
        } else {
            Some(slot)
        }
    }

    /// The straight run from a program counter on, at most `limit` instructions.
    #[inline(always)]
    pub(crate) fn run(&self, pc: u64, limit: u64) -> &[Instruction] {
        let first = pc as usize % PAGE_SIZE / 4;
        let length = u64::from(self.straight[first]).min(limit) as usize;
        // A run never leaves the page, so the range never fails.
        self.instructions
            .get(first..first + length)
            .unwrap_or_default()
    }
}

/// All pages decoded so far.
pub(crate) struct CodeCache {
    /// Page index and position in `pages`, by the low bits of the page index.
    slots: Box<[(u64, u32); SLOTS]>,
    pages: Vec<Box<CodePage>>,
    positions: HashMap<u64, u32>,
}

impl Default for CodeCache {
    fn default() -> Self {
        let slots = Box::new([(NO_PAGE, 0); SLOTS]);
        Self {
            slots,
            pages: Vec::new(),
            positions: HashMap::new(),
        }
    }
}

impl CodeCache {
    /// The decoded page of a program counter, if it is at hand.
    #[inline(always)]
    pub(crate) fn at_hand(&self, pc: u64) -> Option<&CodePage> {
        let page = pc >> PAGE_SHIFT;
        let (held, position) = self.slots[page as usize % SLOTS];
        if held == page {
            self.pages.get(position as usize).map(|page| &**page)
        } else {
            None
        }
    }

    /// Brings the page of a program counter to hand. Says whether all others were given
    /// up for it, and their marks in memory with them.
    #[cold]
    pub(crate) fn fetch(&mut self, memory: &mut Memory, pc: u64) -> bool {
        let page = pc >> PAGE_SHIFT;
        let full = self.pages.len() >= MAX_PAGES && !self.positions.contains_key(&page);
        if full {
            self.positions
                .keys()
                .for_each(|page| memory.unmark_code(*page));
            *self = Self::default();
        }
        let position = *self.positions.entry(page).or_insert_with(|| {
            memory.mark_code(page);
            self.pages.push(CodePage::decode(memory, page));
            (self.pages.len() - 1) as u32
        });
        self.slots[page as usize % SLOTS] = (page, position);
        full
    }

    /// Decodes again what was stored to at these addresses.
    pub(crate) fn refresh(&mut self, memory: &Memory, addresses: &[u64]) {
        for &address in addresses {
            if let Some(position) = self.positions.get(&(address >> PAGE_SHIFT)) {
                self.pages[*position as usize].refresh(memory, address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn running_through_empty_memory_keeps_a_bounded_number_of_pages() {
        let (mut memory, mut code) = (Memory::without_reservation(), CodeCache::default());
        for page in 0..MAX_PAGES as u64 + 10 {
            let pc = page << PAGE_SHIFT;
            code.fetch(&mut memory, pc);
            assert!(code.at_hand(pc).is_some());
        }
        assert_eq!(code.pages.len(), 10);
        assert!(code.at_hand(0).is_none());
        assert_eq!(memory.page_count(), 0, "executing makes no page exist");
    }
}
