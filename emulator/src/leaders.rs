//! Where control arrives, how often, and where the native code for it is.
//!
//! A leader is an instruction that control reaches by a jump, a branch or a return. The
//! interpreter counts arrivals; an [accelerator](crate::accelerator) puts the address of
//! native code in a leader's place once it has made some, and native code looks it up
//! there to go on.

use memmap2::{MmapMut, MmapOptions};

/// log2 of the bytes of code that a table covers.
const SPAN_SHIFT: u32 = 30;
const ENTRIES: usize = 1 << (SPAN_SHIFT - 2);
const ENTRY_BYTES: usize = 8;

/// Entries below are counts, others are addresses of native code: no system maps the
/// lowest pages.
pub const FIRST_CODE: u64 = 1 << 16;
/// The entry of a leader that is not to be asked about again.
const NEVER: u64 = FIRST_CODE - 1;
/// The entry of a leader in the middle of native code: control comes past it natively, and
/// arrives here only when native code was left before.
const INNER: u64 = NEVER - 1;
/// Counts of leaders that head a loop in the middle of native code begin here. Such a loop
/// goes on being interpreted once native code was left in it.
const LOOP: u64 = 1 << 15;

/// Whether it is time to make native code for a leader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heat {
    /// Not yet, or no longer.
    Cold,
    /// Yes.
    Hot,
    /// Yes, for the loop that it heads in the middle of other native code.
    HotLoop,
}

/// One entry for every instruction of 1 GiB of the guest's space, the one that the program
/// began in. Elsewhere nothing is counted, and code is interpreted.
pub struct Leaders {
    entries: Option<MmapMut>,
    base: u64,
    hot: u64,
}

impl Leaders {
    /// A table that calls a leader hot at so many arrivals, at least 1.
    #[must_use]
    pub fn new(hot: u16) -> Self {
        Self {
            entries: None,
            base: 0,
            hot: u64::from(hot).clamp(1, LOOP / 2),
        }
    }

    /// Makes the table cover an address, if it does not cover anything yet. Says whether
    /// there is a table; a system may have no room for one.
    pub fn cover(&mut self, pc: u64) -> bool {
        if self.entries.is_none() {
            self.base = pc >> SPAN_SHIFT << SPAN_SHIFT;
            let mut options = MmapOptions::new();
            let table = options.len(ENTRIES * ENTRY_BYTES).no_reserve_swap();
            self.entries = table.map_anon().ok();
        }
        self.entries.is_some()
    }

    /// First address that the table covers.
    #[must_use]
    pub fn base(&self) -> u64 {
        self.base
    }

    /// log2 of the bytes of code that the table covers.
    pub const SPAN_SHIFT: u32 = SPAN_SHIFT;

    /// Where native code finds the entries, 8 bytes each; null before [`Leaders::cover`].
    #[must_use]
    pub fn entries(&self) -> *const u8 {
        let entries = self.entries.as_ref();
        entries.map_or(std::ptr::null(), |entries| entries.as_ptr())
    }

    #[inline(always)]
    fn entry(&mut self, pc: u64) -> Option<&mut [u8; ENTRY_BYTES]> {
        // Rotating brings the bits that an aligned address does not have to the top.
        let index = pc.wrapping_sub(self.base).rotate_right(2);
        let entries = self.entries.as_mut()?;
        entries.as_chunks_mut().0.get_mut(index as usize)
    }

    /// Whether the table covers an address.
    #[must_use]
    pub fn covers(&self, pc: u64) -> bool {
        self.entries.is_some() && pc.wrapping_sub(self.base).rotate_right(2) < ENTRIES as u64
    }

    #[inline(always)]
    fn get(&mut self, pc: u64) -> u64 {
        self.entry(pc)
            .map_or(NEVER, |entry| u64::from_ne_bytes(*entry))
    }

    fn set(&mut self, pc: u64, value: u64) {
        if let Some(entry) = self.entry(pc) {
            *entry = value.to_ne_bytes();
        }
    }

    /// Counts an arrival: says whether there is native code, or it is time to make some.
    #[inline(always)]
    pub fn arrive(&mut self, pc: u64) -> bool {
        let hot = self.hot;
        let Some(entry) = self.entry(pc) else {
            return false;
        };
        let value = u64::from_ne_bytes(*entry);
        if value >= INNER {
            return value > NEVER;
        }
        *entry = (value + 1).to_ne_bytes();
        // A leader that was passed when it was hot, by a proof say, is so the next time.
        (value + 1) % LOOP >= hot
    }

    /// The address of the native code of a leader.
    #[must_use]
    #[inline]
    pub fn code(&mut self, pc: u64) -> Option<u64> {
        let value = self.get(pc);
        (value >= FIRST_CODE).then_some(value)
    }

    /// Whether a leader is in the middle of native code that cannot be entered there.
    #[must_use]
    pub fn is_inner(&mut self, pc: u64) -> bool {
        self.get(pc) == INNER
    }

    /// Whether control has ever arrived at a leader.
    #[must_use]
    pub fn visited(&mut self, pc: u64) -> bool {
        !matches!(self.get(pc), 0 | NEVER)
    }

    /// Whether a leader is as hot as it must be to be worth native code of its own.
    #[must_use]
    pub fn heat_of(&mut self, pc: u64) -> Heat {
        match self.get(pc) {
            INNER.. => Heat::Cold,
            value if value % LOOP < self.hot => Heat::Cold,
            LOOP.. => Heat::HotLoop,
            _ => Heat::Hot,
        }
    }

    /// Says that a leader is in the middle of native code, and whether it heads a loop.
    pub fn set_inner(&mut self, pc: u64, heads_loop: bool) {
        if self.get(pc) < LOOP {
            self.set(pc, if heads_loop { LOOP } else { INNER });
        }
    }

    /// Says where the native code of a leader is.
    pub fn set_code(&mut self, pc: u64, address: u64) {
        debug_assert!(address >= FIRST_CODE);
        self.set(pc, address);
    }

    /// Forgets the native code of a leader and counts anew.
    pub fn clear(&mut self, pc: u64) {
        self.set(pc, 0);
    }

    /// Makes the next arrival at a leader the one that is hot.
    pub fn heat(&mut self, pc: u64) {
        self.set(pc, self.hot - 1);
    }

    /// Says that a leader is never to have native code.
    pub fn give_up(&mut self, pc: u64) {
        self.set(pc, NEVER);
    }
}
