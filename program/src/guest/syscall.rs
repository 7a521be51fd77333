//! System calls of the n64 ABI: number in `$2`, arguments in `$4` to `$9`, result in `$2`, error
//! flag in `$7`.
//!
//! Source: Optimism specification, `fault-proof/cannon-fault-proof-vm.md`, "Syscalls".

use core::arch::global_asm;
use core::ptr::{self, NonNull};

use crate::heap::PageSource;
use crate::io::{Errno, FileIo};

const READ: u64 = 5000;
const WRITE: u64 = 5001;
const MMAP: u64 = 5009;
const EXIT_GROUP: u64 = 5205;

const PROT_READ_WRITE: u64 = 1 | 2;
/// Private and anonymous, with MIPS Linux's numbers. The VM looks at neither.
const MAP_FLAGS: u64 = 0x2 | 0x800;
const NO_FILE: u64 = u64::MAX;

// A function of its own, so that by the calling convention the compiler expects nothing of the
// registers that Linux destroys in a system call. The number is the seventh argument.
global_asm!(
    ".set push",
    ".set noreorder",
    ".globl carronade_syscall",
    ".type carronade_syscall, @function",
    "carronade_syscall:",
    "move $2, $10",
    "syscall",
    "beqz $7, 1f",
    "nop",
    "dnegu $2, $2",
    "1:",
    "jr $ra",
    "nop",
    ".size carronade_syscall, . - carronade_syscall",
    ".set pop",
);

unsafe extern "C" {
    /// The result, or the negated error number. No result has the sign bit set otherwise:
    /// counts and addresses are below 2⁶³.
    fn carronade_syscall(a0: u64, a1: u64, a2: u64, a3: u64, a4: u64, a5: u64, number: u64) -> i64;
}

fn check(result: i64) -> Result<usize, Errno> {
    usize::try_from(result).map_err(|_| Errno(result.unsigned_abs()))
}

/// The system's own file descriptors.
pub struct GuestIo;

impl FileIo for GuestIo {
    fn read(&mut self, fd: u32, buffer: &mut [u8]) -> Result<usize, Errno> {
        let (address, size) = (
            buffer.as_mut_ptr().expose_provenance() as u64,
            buffer.len() as u64,
        );
        // SAFETY: the system writes at most `size` bytes at `address`, all inside `buffer`. The
        // VM rewrites the whole 8-byte word around them, with the other bytes as they were.
        check(unsafe { carronade_syscall(fd.into(), address, size, 0, 0, 0, READ) })
    }

    fn write(&mut self, fd: u32, data: &[u8]) -> Result<usize, Errno> {
        let (address, size) = (data.as_ptr().expose_provenance() as u64, data.len() as u64);
        // SAFETY: the system only reads, from inside `data`.
        check(unsafe { carronade_syscall(fd.into(), address, size, 0, 0, 0, WRITE) })
    }
}

/// Memory from the system.
pub(super) struct Mmap;

impl PageSource for Mmap {
    fn map(&mut self, size: usize) -> Option<NonNull<u8>> {
        let size = size as u64;
        // SAFETY: a new anonymous mapping touches nothing that the program knows.
        let result =
            unsafe { carronade_syscall(0, size, PROT_READ_WRITE, MAP_FLAGS, NO_FILE, 0, MMAP) };
        NonNull::new(ptr::with_exposed_provenance_mut(check(result).ok()?))
    }
}

/// Ends the program. The VM keeps the low eight bits of `code`.
pub fn exit_group(code: i32) -> ! {
    // SAFETY: the call ends the program and touches no memory.
    unsafe { carronade_syscall(code as u64, 0, 0, 0, 0, 0, EXIT_GROUP) };
    loop {
        core::hint::spin_loop();
    }
}
