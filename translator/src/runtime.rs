//! What native code and the rest of the machine share: the context and the way in.

#![allow(unsafe_code, reason = "enters native code; the block has its argument")]

use crate::footprint::COUNT;
use carronade_emulator::accelerator::Running;
use carronade_emulator::state::{Reservation, reservation};

/// Why native code came back. The numbers are part of the code that is kept on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u64)]
pub enum Exit {
    /// A return to an address that the caller did not expect; it is in the result.
    Returned = 0,
    /// The next block does not fit into the budget.
    Budget,
    /// The next instruction is the interpreter's.
    Interpret,
    /// There is no native code where control goes on.
    Untranslated,
    /// An address is not in the window that its code was made for.
    Window,
    /// A store to a page that is not ready for it.
    Page,
    /// A meaning raises a fault.
    Fault,
    /// Calls are nested deeper than the native stack allows.
    Depth,
    /// A load-linked while another reservation stands, or a store-conditional that may
    /// fail.
    Reservation,
}

impl Exit {
    /// All reasons, by number.
    pub const ALL: [Exit; 9] = [
        Exit::Returned,
        Exit::Budget,
        Exit::Interpret,
        Exit::Untranslated,
        Exit::Window,
        Exit::Page,
        Exit::Fault,
        Exit::Depth,
        Exit::Reservation,
    ];
}

/// The first result of native code that did not end in a return: no return address, since
/// those are multiples of 4, so that all callers pass it on.
pub const EXITED: u64 = 1;

/// What native code knows of the machine.
#[repr(C)]
pub struct Context {
    /// General registers, HI, LO.
    pub registers: [u64; COUNT],
    /// Address of the next instruction, after an exit.
    pub pc: u64,
    /// Address of the one after it.
    pub next_pc: u64,
    /// An [`Exit`].
    pub reason: u64,
    /// Where the windows lie.
    pub memory: *mut u8,
    /// Where the attribute byte of a page lies, less the page number of `memory`: add the
    /// page number of a native address.
    pub attributes: usize,
    /// The entries of the table of leaders.
    pub entries: *const u8,
    /// The first address that the table covers.
    pub entries_base: u64,
    /// Native code may call as long as its stack pointer is above.
    pub stack_limit: usize,
    /// Steps at high addresses, which are counted, and the highest of them.
    pub missed: u64,
    /// See `missed`.
    pub highest_missed: u64,
    /// The reservation that a store-conditional may use: its kind, as in
    /// [`Reservation::status`], or 0 if it is not the running thread's.
    ///
    /// [`Reservation::status`]: carronade_emulator::state::Reservation
    pub linked: u64,
    /// The full address of the reservation, whosever it is.
    pub linked_address: u64,
    /// How many steps were left after the load-linked.
    pub linked_left: u64,
    /// All ones if `linked_left` is known, else 0.
    pub link_known: u64,
    /// How many reservations were made.
    pub links: u64,
    /// How many store-conditionals stored.
    pub successes: u64,
    /// The most steps between a load-linked and its store-conditional.
    pub longest_link: u64,
}

/// How much of the native stack guest calls may use.
const STACK_BYTES: usize = 256 << 10;

/// What they leave of a stack that has less: enough for one native frame, the largest of
/// which take some pages, and for signal handlers.
const STACK_SPARE: usize = 64 << 10;

thread_local! {
    /// The lowest address of this thread's stack that guest calls may use.
    static STACK_FLOOR: usize = lowest_of_stack().saturating_add(STACK_SPARE);
}

/// The lowest address of this thread's stack; 0 if the system does not tell.
#[cfg(target_os = "linux")]
fn lowest_of_stack() -> usize {
    let mut attributes = std::mem::MaybeUninit::<libc::pthread_attr_t>::uninit();
    let (mut lowest, mut size) = (std::ptr::null_mut(), 0);
    // SAFETY: the first call initialises the attributes if it succeeds, and only then are
    // they used, and destroyed once.
    unsafe {
        if libc::pthread_getattr_np(libc::pthread_self(), attributes.as_mut_ptr()) != 0 {
            return 0;
        }
        let told = libc::pthread_attr_getstack(attributes.as_ptr(), &raw mut lowest, &raw mut size);
        libc::pthread_attr_destroy(attributes.as_mut_ptr());
        if told == 0 { lowest as usize } else { 0 }
    }
}

#[cfg(not(target_os = "linux"))]
fn lowest_of_stack() -> usize {
    0
}

impl Context {
    /// A context of nothing.
    pub fn new() -> Self {
        Self {
            registers: [0; COUNT],
            pc: 0,
            next_pc: 0,
            reason: 0,
            memory: std::ptr::null_mut(),
            attributes: 0,
            entries: std::ptr::null(),
            entries_base: 0,
            stack_limit: 0,
            missed: 0,
            highest_missed: 0,
            linked: 0,
            linked_address: 0,
            linked_left: 0,
            link_known: 0,
            links: 0,
            successes: 0,
            longest_link: 0,
        }
    }

    /// Runs native code: its two results, the first result and what is left of the budget.
    ///
    /// # Safety
    /// `code` is the address of an entry made by [`crate::emit`] for this layout, and the
    /// pointers in the context are those of the running machine, valid for the call and
    /// not used by anyone else during it.
    #[cfg(target_arch = "x86_64")]
    pub unsafe fn enter(&mut self, code: u64, budget: u64) -> (u64, u64) {
        let context: *mut Context = self;
        let (result, left): (u64, u64);
        // SAFETY: entries take the context and the budget in the first two argument
        // registers, give their results in rax and rcx (Cranelift's `tail` convention,
        // whose other registers are the system's), and keep the stack as they found it.
        unsafe {
            let here: usize;
            std::arch::asm!("mov {}, rsp", out(reg) here, options(nomem, nostack));
            let floor = STACK_FLOOR.with(|floor| *floor);
            (*context).stack_limit = here.saturating_sub(STACK_BYTES).max(floor);
            std::arch::asm!(
                "call {code}",
                code = in(reg) code,
                inout("rdi") context => _,
                inout("rsi") budget => _,
                lateout("rax") result,
                lateout("rcx") left,
                clobber_abi("sysv64"),
            );
        }
        (result, left)
    }
}

/// The word below is never accessed natively (see `emit::memory`), so a reservation there,
/// such as the one that stands for none, needs no watch.
pub const LOWEST_NATIVE: u64 = 8;

impl Context {
    /// Before a run with so many steps to go: takes over the reservation, and watches its
    /// page.
    pub fn link(&mut self, running: &mut Running<'_>, left: u64) {
        let reservation = *running.reservation;
        let thread = running.thread.id;
        let at = running.stats.linked_at(thread);
        let own = reservation.owner == thread;
        self.linked = if own {
            u64::from(reservation.status)
        } else {
            0
        };
        self.linked_address = reservation.address;
        let last_step = running.step.wrapping_add(left);
        self.linked_left = last_step.wrapping_sub(at.unwrap_or_default());
        self.link_known = at.map_or(0, |_| u64::MAX);
        (self.links, self.successes, self.longest_link) = (0, 0, 0);
        if reservation.address >= LOWEST_NATIVE {
            running.memory.watch_page(reservation.address, true);
        }
    }

    /// After such a run: ends the watch and gives the reservation back.
    pub fn unlink(&self, running: &mut Running<'_>, left: u64) {
        if self.linked_address >= LOWEST_NATIVE {
            running.memory.watch_page(self.linked_address, false);
        }
        if self.links + self.successes == 0 {
            return;
        }
        let (thread, status) = (running.thread.id, self.linked as u8);
        *running.reservation = match status {
            reservation::NONE => Reservation::default(),
            status => Reservation {
                status,
                address: self.linked_address,
                owner: thread,
            },
        };
        let (successes, longest) = (self.successes, self.longest_link);
        if self.link_known == 0 {
            return running.stats.stored_conditionally(successes);
        }
        let last_step = running.step.wrapping_add(left);
        let open = (self.linked != 0).then(|| last_step.wrapping_sub(self.linked_left));
        running
            .stats
            .linked_natively(thread, successes, longest, open);
    }
}
