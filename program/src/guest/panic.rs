//! What happens when a guest panics.

use core::panic::PanicInfo;

use super::exit_group;

/// Exit code of a panic: on chain, neither a valid nor an invalid claim.
const PANICKED: i32 = 2;

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    crate::eprintln!("{info}");
    exit_group(PANICKED)
}
