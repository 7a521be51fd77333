//! The counters of `--debug-info` (`mipsevm/debug.go`, `multithreaded/stats.go`).

use serde::{Deserialize, Serialize};

/// The contents of a debug-info file, keys in the reference's order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[expect(
    missing_docs,
    reason = "the fields are the reference's, documented there"
)]
pub struct DebugInfo {
    pub pages: usize,
    /// Bytes, as a `0x` string.
    pub memory_used: String,
    pub num_preimage_requests: u64,
    pub total_preimage_size: u64,
    pub total_steps: u64,
    pub instruction_cache_miss_count: u64,
    /// Address, as a `0x` string.
    pub highest_icache_miss_pc: String,
    pub rmw_success_count: u64,
    pub rmw_fail_count: u64,
    pub max_steps_between_ll_and_sc: u64,
    pub reservation_invalidation_count: u64,
    pub forced_preemption_count: u64,
    pub idle_step_count_thread_0: u64,
}

/// Where the reference's eagerly decoded code region ends; it counts every step at or
/// above as an instruction cache miss (`memory/binary_tree.go`, `defaultCodeSize`).
pub const CODE_REGION_END: u64 = 128 << 20;

/// The reference keeps the last load-linked step of this many threads.
const TRACKED_THREADS: usize = 5;

/// What is counted while running.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Stats {
    /// Thread and step of its last load-linked, least recently used first.
    linked: Vec<(u64, u64)>,
    active_thread: u64,
    thread_0_left: u64,
    rmw_success: u64,
    rmw_fail: u64,
    max_steps_between: u64,
    invalidations: u64,
    preemptions: u64,
    idle_steps_thread_0: u64,
    icache_misses: u64,
    highest_miss: u64,
}

impl Stats {
    /// Counters at zero that go on where these stand.
    #[must_use]
    pub fn continued(&self) -> Self {
        Self {
            linked: self.linked.clone(),
            active_thread: self.active_thread,
            thread_0_left: self.thread_0_left,
            ..Self::default()
        }
    }

    /// Adds what was counted later by counters that went on where these stand.
    pub fn join(&mut self, later: &Self) {
        *self = Self {
            rmw_success: self.rmw_success + later.rmw_success,
            rmw_fail: self.rmw_fail + later.rmw_fail,
            max_steps_between: self.max_steps_between.max(later.max_steps_between),
            invalidations: self.invalidations + later.invalidations,
            preemptions: self.preemptions + later.preemptions,
            idle_steps_thread_0: self.idle_steps_thread_0 + later.idle_steps_thread_0,
            icache_misses: self.icache_misses + later.icache_misses,
            highest_miss: self.highest_miss.max(later.highest_miss),
            ..later.continued()
        };
    }

    pub(crate) fn load_linked(&mut self, thread: u64, step: u64) {
        self.linked.retain(|(id, _)| *id != thread);
        if self.linked.len() == TRACKED_THREADS {
            self.linked.remove(0);
        }
        self.linked.push((thread, step));
    }

    pub(crate) fn store_conditional(&mut self, thread: u64, step: u64, success: bool) {
        *(if success {
            &mut self.rmw_success
        } else {
            &mut self.rmw_fail
        }) += 1;
        if let Some(at) = self.linked.iter().position(|(id, _)| *id == thread) {
            let (_, linked) = self.linked.remove(at);
            self.max_steps_between = self.max_steps_between.max(step.wrapping_sub(linked));
        }
    }

    /// The step of a thread's last load-linked, if it is still remembered.
    #[must_use]
    pub fn linked_at(&self, thread: u64) -> Option<u64> {
        let mut linked = self.linked.iter().rev();
        linked.find(|(id, _)| *id == thread).map(|(_, step)| *step)
    }

    /// Counts store-conditionals that stored, whose load-linked nobody remembers.
    pub fn stored_conditionally(&mut self, successes: u64) {
        self.rmw_success += successes;
    }

    /// Counts what a thread has done natively: load-linkeds, if any, of which the one at
    /// step `open` has not been followed by its store-conditional; store-conditionals that
    /// stored, and the most steps that one of them came after its load-linked.
    pub fn linked_natively(
        &mut self,
        thread: u64,
        successes: u64,
        longest: u64,
        open: Option<u64>,
    ) {
        // Making and using a reservation leaves the list as making it does, without the
        // thread itself.
        self.load_linked(thread, open.unwrap_or_default());
        if open.is_none() {
            self.linked.pop();
        }
        self.rmw_success += successes;
        self.max_steps_between = self.max_steps_between.max(longest);
    }

    #[cold]
    pub(crate) fn reservation_invalidated(&mut self) {
        self.invalidations += 1;
    }

    pub(crate) fn forced_preemption(&mut self) {
        self.preemptions += 1;
    }

    pub(crate) fn thread_activated(&mut self, thread: u64, step: u64) {
        match (self.active_thread, thread) {
            (0, 1..) => self.thread_0_left = step,
            (1.., 0) => self.idle_steps_thread_0 += step.wrapping_sub(self.thread_0_left),
            _ => {}
        }
        self.active_thread = thread;
    }

    #[inline(always)]
    pub(crate) fn executed(&mut self, pc: u64, count: u64) {
        if pc >= CODE_REGION_END && count > 0 {
            self.icache_misses += count;
            self.highest_miss = self.highest_miss.max(pc + 4 * (count - 1));
        }
    }

    /// Counts steps at or above [`CODE_REGION_END`], the highest of them at `highest`.
    pub fn missed_icache(&mut self, count: u64, highest: u64) {
        self.icache_misses += count;
        self.highest_miss = self.highest_miss.max(highest);
    }

    /// The debug-info of a machine with these counters.
    #[must_use]
    pub fn debug_info(&self, pages: usize, preimages: (u64, u64), steps: u64) -> DebugInfo {
        DebugInfo {
            pages,
            memory_used: format!("0x{:x}", pages * crate::memory::PAGE_SIZE),
            num_preimage_requests: preimages.0,
            total_preimage_size: preimages.1,
            total_steps: steps,
            instruction_cache_miss_count: self.icache_misses,
            highest_icache_miss_pc: format!("0x{:x}", self.highest_miss),
            rmw_success_count: self.rmw_success,
            rmw_fail_count: self.rmw_fail,
            max_steps_between_ll_and_sc: self.max_steps_between,
            reservation_invalidation_count: self.invalidations,
            forced_preemption_count: self.preemptions,
            idle_step_count_thread_0: self.idle_steps_thread_0,
        }
    }
}
