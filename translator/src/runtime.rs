//! What native code and the rest of the machine share: the context, the way in, and the
//! two helpers that native code calls.

#![allow(
    unsafe_code,
    reason = "enters native code and is called by it; each block has its argument"
)]

use crate::footprint::COUNT;
use carronade_emulator::accelerator::Running;
use carronade_emulator::cpu::Width;
use std::ffi::c_void;

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
    /// The last instruction stored to code.
    CodeWritten,
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
        Exit::CodeWritten,
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
    /// Value of the step counter when the budget is used up.
    pub last_step: u64,
    /// Steps at high addresses, which are counted, and the highest of them.
    pub missed: u64,
    /// See `missed`.
    pub highest_missed: u64,
    /// [`load_linked`].
    pub load_linked: usize,
    /// [`store_conditional`].
    pub store_conditional: usize,
    /// The `Running` of this run.
    pub running: *mut c_void,
}

/// The first bit of what [`store_conditional`] says: it stored.
pub const STORED: u64 = 1;
/// The second: to a page of decoded code.
pub const STORED_CODE: u64 = 2;

/// How much of the native stack guest calls may use; a fraction of any thread's stack.
const STACK_BYTES: usize = 256 << 10;

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
            last_step: 0,
            missed: 0,
            highest_missed: 0,
            load_linked: load_linked as *const () as usize,
            store_conditional: store_conditional as *const () as usize,
            running: std::ptr::null_mut(),
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
            (*context).stack_limit = here.saturating_sub(STACK_BYTES);
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

fn width(bytes: u64) -> Width {
    match bytes {
        8 => Width::Double,
        _ => Width::Word,
    }
}

/// Load-linked on behalf of native code, with `left` steps to go after it.
extern "C" fn load_linked(context: *mut Context, address: u64, bytes: u64, left: u64) -> u64 {
    // SAFETY: native code passes the context it was entered with, whose `running` is
    // valid and used by nobody else until native code comes back.
    let (context, running) = unsafe {
        let context = &*context;
        (context, &mut *context.running.cast::<Running<'_>>())
    };
    unwatch(running);
    let step = context.last_step.wrapping_sub(left);
    let value = running.load_linked(address, width(bytes), step);
    watch(running);
    value
}

/// Store-conditional on behalf of native code, with `left` steps to go after it.
extern "C" fn store_conditional(
    context: *mut Context,
    address: u64,
    bytes: u64,
    value: u64,
    left: u64,
) -> u64 {
    // SAFETY: as in `load_linked`.
    let (context, running) = unsafe {
        let context = &*context;
        (context, &mut *context.running.cast::<Running<'_>>())
    };
    unwatch(running);
    let step = context.last_step.wrapping_sub(left);
    let (stored, code) = running.store_conditional(address, width(bytes), value, step);
    watch(running);
    u64::from(stored) * STORED | u64::from(code) * STORED_CODE
}

/// Addresses below are never stored to natively (see [`crate::emit`]), so a reservation
/// there, such as the one that stands for none, needs no watch.
pub const LOWEST_NATIVE: u64 = 1 << 16;

/// Sees to it that native code does not store to the reserved word.
pub fn watch(running: &mut Running<'_>) {
    if running.reservation.address >= LOWEST_NATIVE {
        running.memory.watch_page(running.reservation.address, true);
    }
}

/// Ends a watch.
pub fn unwatch(running: &mut Running<'_>) {
    if running.reservation.address >= LOWEST_NATIVE {
        running.memory.watch_page(running.reservation.address, false);
    }
}
