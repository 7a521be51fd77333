//! Standard output, which may be full, or a pipe that nobody reads any more.

use crate::failure::{Failure, Outcome};
use crate::interrupt::Interruptible;
use anyhow::Context;
use std::fmt::Arguments;
use std::io::{self, ErrorKind, Write};

/// Prints a line to standard output, or returns from the function with the failure to.
#[macro_export]
macro_rules! say {
    ($($word:tt)*) => { $crate::out::print_line(format_args!($($word)*))? };
}

/// Prints a line.
///
/// # Errors
/// [`Failure::ReaderGone`] when nobody reads it, an error when it cannot be written.
pub fn print_line(words: Arguments<'_>) -> Outcome {
    print(&format!("{words}\n"))
}

/// Prints text.
///
/// # Errors
/// As [`print_line`].
pub fn print(text: &str) -> Outcome {
    match write(text.as_bytes()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Err(Failure::ReaderGone),
        result => Ok(result.context("cannot write to stdout")?),
    }
}

/// Writes bytes to standard output, all the way.
///
/// # Errors
/// When that fails, or is interrupted.
pub fn write(bytes: &[u8]) -> io::Result<()> {
    let mut stdout = Interruptible(io::stdout().lock());
    stdout.write_all(bytes)?;
    stdout.flush()
}

/// Writes a line to standard error. That nobody hears of a failure is no reason to fail.
pub fn complain(line: &str) {
    // In one piece, so that it does not mix with what the host writes at the same time.
    let _ = io::stderr()
        .lock()
        .write_all(format!("{line}\n").as_bytes());
}

/// Words as one line, whatever they hold: names of files and what nodes say may hold anything.
#[must_use]
pub fn one_line(words: &str) -> String {
    words.replace(char::is_control, " ")
}
