//! Where a guest begins.
//!
//! The stack pointer is all that the loader gives; a static program built without abicalls needs
//! no global pointer. Zero in frame pointer and return address ends back traces.

use core::arch::global_asm;

global_asm!(
    ".set push",
    ".set noreorder",
    ".globl _start",
    ".type _start, @function",
    "_start:",
    "move $fp, $zero",
    "move $ra, $zero",
    "li $8, -16",
    "jal carronade_main",
    "and $sp, $sp, $8",
    // The delay slot hands main's result on.
    "jal carronade_exit",
    "move $4, $2",
    ".size _start, . - _start",
    ".set pop",
);

/// Ends the program with main's result.
#[unsafe(no_mangle)]
extern "C" fn carronade_exit(code: i32) -> ! {
    super::exit_group(code)
}

/// Makes a function `fn() -> i32` the guest's main function; its result is the exit code.
#[macro_export]
macro_rules! entry {
    ($main:path) => {
        #[unsafe(no_mangle)]
        extern "C" fn carronade_main() -> i32 {
            let main: fn() -> i32 = $main;
            main()
        }
    };
}
