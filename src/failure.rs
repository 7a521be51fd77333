//! How a command ends when it does not succeed, and with which exit code
//! (`cannon/main.go`, `cannon/cmd/run.go`).

use crate::out::one_line;
use std::fmt;

/// A command that did not succeed.
#[derive(Debug)]
pub enum Failure {
    /// A wrong flag, a bad file, a failed write: exit code 1.
    Error(anyhow::Error),
    /// A claim could not be judged: exit code 2, since 1 would mean that it is invalid.
    NoVerdict(anyhow::Error),
    /// The VM cannot go on, for the guest's or the host's sake: exit code 2, by which
    /// op-challenger knows it.
    VmPanic(String),
    /// Two engines came to different results: exit code 1. Neither is to be trusted before
    /// somebody has found out which is right.
    EnginesDiffer(String),
    /// SIGINT or SIGTERM: exit code 130.
    Interrupted,
    /// The answer is no, and has been printed: exit code 1.
    No,
    /// A program that ran in this process ended with this exit code and has said why.
    Program(u8),
    /// Whoever read the output, as `head` does, has seen enough: exit code 0.
    ReaderGone,
}

/// The result of a command.
pub type Outcome<T = ()> = Result<T, Failure>;

impl Failure {
    /// The same for a command that judges a claim: what went wrong is no verdict.
    #[must_use]
    pub fn without_verdict(self) -> Self {
        match self {
            Failure::Error(error) => Failure::NoVerdict(error),
            other => other,
        }
    }

    /// The process's exit code.
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        match self {
            Failure::ReaderGone => 0,
            Failure::Error(_) | Failure::EnginesDiffer(_) | Failure::No => 1,
            Failure::NoVerdict(_) | Failure::VmPanic(_) => 2,
            Failure::Program(code) => *code,
            Failure::Interrupted => 130,
        }
    }

    /// What to tell the user on standard error, if anything.
    #[must_use]
    pub fn message(&self) -> Option<String> {
        match self {
            Failure::Error(error) | Failure::NoVerdict(error) => {
                Some(format!("error: {}", Causes(error)))
            }
            Failure::VmPanic(words) | Failure::EnginesDiffer(words) => {
                Some(format!("error: {words}"))
            }
            Failure::Interrupted => Some("command interrupted".into()),
            Failure::No | Failure::Program(_) | Failure::ReaderGone => None,
        }
    }
}

/// An error and its causes in one line. Causes that an error's own words end with, as many
/// libraries write them, are not repeated.
struct Causes<'a>(&'a anyhow::Error);

impl fmt::Display for Causes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut words = String::new();
        for cause in self.0.chain() {
            let cause = cause.to_string();
            if words.is_empty() {
                words = cause;
            } else if !words.ends_with(&cause) {
                words = format!("{words}: {cause}");
            }
        }
        // Names of files and flags may hold anything, but the message is one line.
        f.write_str(&one_line(&words))
    }
}

/// Once the user has asked for an end, an error is taken for its consequence: reading and
/// writing fail then on purpose, and their errors pass through libraries that change them.
/// A true error that comes at the same moment is lost, which the next run will tell.
/// What the guest does wrong ([`Failure::VmPanic`]) does not come this way.
impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        if crate::interrupt::requested() {
            Failure::Interrupted
        } else {
            Failure::Error(error.into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::anyhow;

    #[test]
    fn a_message_is_one_line_without_repetition() {
        let error = anyhow!("no such file")
            .context("cannot open x\n: no such file")
            .context("failed");
        let message = Failure::Error(error).message();
        assert_eq!(
            message.as_deref(),
            Some("error: failed: cannot open x : no such file")
        );
    }
}
