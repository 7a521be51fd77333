//! SIGINT and SIGTERM: they set a flag that long work looks at.

use signal_hook::consts::{SIGINT, SIGTERM, SIGXFSZ};
use std::io::{self, Read, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};

static REQUESTED: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);

/// Makes the two signals set the flag instead of ending the process, and SIGXFSZ nothing:
/// a file that grows past the limit (`ulimit -f`) is then a failed write like others.
///
/// # Errors
/// When the handlers cannot be installed.
pub fn install() -> io::Result<()> {
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, flag())?;
    }
    // A handler without use, not SIG_IGN, which a host would inherit.
    signal_hook::flag::register(SIGXFSZ, Arc::default())?;
    Ok(())
}

/// The flag, for those that wait elsewhere.
#[must_use]
pub fn flag() -> Arc<AtomicBool> {
    Arc::clone(&REQUESTED)
}

/// Whether one of the signals has come.
#[must_use]
pub fn requested() -> bool {
    REQUESTED.load(Ordering::Relaxed)
}

/// Reads or writes until one of the signals comes.
pub struct Interruptible<T>(pub T);

fn check() -> io::Result<()> {
    // Not ErrorKind::Interrupted: the standard library repeats calls that fail so.
    if requested() {
        Err(io::Error::other("interrupted"))
    } else {
        Ok(())
    }
}

impl<T: Read> Read for Interruptible<T> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        check()?;
        self.0.read(bytes)
    }
}

impl<T: Write> Write for Interruptible<T> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        check()?;
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        check()?;
        self.0.flush()
    }
}
