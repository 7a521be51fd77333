//! Text to the two standard outputs.

use core::fmt::{Arguments, Write};

use super::GuestIo;
use crate::fmt::BufferedFd;

/// Prints a line to file descriptor `fd`. What cannot be printed is lost: there is nobody to tell.
pub fn print_line(fd: u32, text: Arguments<'_>) {
    let mut io = GuestIo;
    let mut out = BufferedFd::new(&mut io, fd);
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

/// Prints a line to standard output.
#[macro_export]
macro_rules! println {
    ($($text:tt)*) => {
        $crate::guest::print_line($crate::io::STDOUT, format_args!($($text)*))
    };
}

/// Prints a line to standard error.
#[macro_export]
macro_rules! eprintln {
    ($($text:tt)*) => {
        $crate::guest::print_line($crate::io::STDERR, format_args!($($text)*))
    };
}
