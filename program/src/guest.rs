//! The runtime on the VM's own target: entry point, system calls, allocator, panics, printing.
//!
//! A guest names its main function with [`entry!`](crate::entry). Everything works on the VM and
//! under a MIPS64 Linux alike. There is one thread; nothing here can start another.

mod entry;
mod global;
mod panic;
mod print;
mod syscall;

pub use print::print_line;
pub use syscall::{GuestIo, exit_group};

use crate::client::OracleClient;

/// A client of the oracle that the VM connects to file descriptors 3 to 6.
pub const fn oracle() -> OracleClient<GuestIo> {
    OracleClient::new(GuestIo)
}
