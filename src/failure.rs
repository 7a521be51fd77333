//! How a command ends when it does not succeed, and with which exit code
//! (`cannon/main.go`, `cannon/cmd/run.go`).

use std::fmt;

/// A command that did not succeed.
#[derive(Debug)]
pub enum Failure {
    /// A wrong flag, a bad file, a failed write: exit code 1.
    Error(anyhow::Error),
    /// The VM cannot go on, for the guest's or the host's sake: exit code 2, by which
    /// op-challenger knows it.
    VmPanic(String),
    /// SIGINT or SIGTERM: exit code 130.
    Interrupted,
    /// The answer is no, and has been printed: exit code 1.
    No,
}

/// The result of a command.
pub type Outcome<T = ()> = Result<T, Failure>;

impl Failure {
    /// The process's exit code.
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        match self {
            Failure::Error(_) | Failure::No => 1,
            Failure::VmPanic(_) => 2,
            Failure::Interrupted => 130,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Error(error) => write!(f, "error: {error:#}"),
            Failure::VmPanic(words) => write!(f, "error: {words}"),
            Failure::Interrupted => f.write_str("command interrupted"),
            Failure::No => Ok(()),
        }
    }
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        if crate::interrupt::requested() {
            Failure::Interrupted
        } else {
            Failure::Error(error.into())
        }
    }
}
