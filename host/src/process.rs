//! The VM's side: a host process that is asked for pre-images.

use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use carronade_emulator::oracle::{OracleError, PreimageOracle};
use rustix::process::Signal;

use crate::child::HostChild;
use crate::error::{Asked, HostError};
use crate::exchange::{Fault, Peer};
use crate::pipes::{self, ClientEnds};

/// The greatest pre-image accepted from a host, in bytes: 1 GiB.
///
/// The protocol's length has 64 bits, so a confused host can announce anything. Real pre-images
/// are far below this: the biggest are call data and contract code of some megabytes.
pub const MAX_PREIMAGE: u64 = 1 << 30;

/// How long an interrupt may lag behind the death of a host that got the same signal.
const SIGNAL_LAG: Duration = Duration::from_millis(200);

/// How long a killed host may take to vanish before it is left alone.
const AFTER_KILL: Duration = Duration::from_secs(10);

/// How much time [`ProcessOracle::shutdown`] gives the host at each stage.
///
/// The default is Cannon's 30 s twice (`cannon/cmd/run.go`), and 1 s if interrupted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grace {
    /// From closing the pipes to SIGINT.
    pub after_close: Duration,
    /// From SIGINT to SIGKILL.
    pub after_interrupt: Duration,
    /// From closing the pipes to SIGKILL when the interrupt flag is set.
    pub when_interrupted: Duration,
}

impl Default for Grace {
    fn default() -> Self {
        Self {
            after_close: Duration::from_secs(30),
            after_interrupt: Duration::from_secs(30),
            when_interrupted: Duration::from_secs(1),
        }
    }
}

/// What it took to end the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It ended by itself, at the latest when its pipes were closed.
    ByItself,
    /// It ended after SIGINT.
    Interrupted,
    /// It had to be killed.
    Killed,
    /// Not even SIGKILL ended it within 10 s.
    Stuck,
}

/// The host's end. Cannon ignores a host's exit status but for a line in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HostExit {
    /// The exit status; `None` if the system would not tell.
    pub status: Option<ExitStatus>,
    /// What it took.
    pub ended: Ended,
}

/// An oracle that asks a host process, such as `kona-host` or `op-program`.
///
/// Its methods fail with a [`HostError`], boxed where the trait wants it: `downcast_ref` finds
/// [`HostError::Interrupted`]. After a failure the oracle cannot be used again.
///
/// Dropping it closes the pipes and kills the host without grace; use [`Self::shutdown`].
#[derive(Debug)]
pub struct ProcessOracle {
    /// `None` once shut down.
    ends: Option<ClientEnds>,
    child: HostChild,
    interrupt: Arc<AtomicBool>,
    grace: Grace,
    last_hint: Option<Vec<u8>>,
    replay: Option<Vec<u8>>,
    broken: bool,
}

impl ProcessOracle {
    /// Starts the host `argv[0]`, looked up in `PATH`, with the arguments `argv[1..]`.
    ///
    /// The host gets the pipes as descriptors 3 to 6, `/dev/null` as standard input, our
    /// standard output and error, our environment with `NO_COLOR=1` unless that is set, and
    /// stays in our process group. The kernel kills it (SIGKILL) when our process dies.
    /// Once `interrupt` is set, waiting for the host ends within about 0.1 s. Starting is
    /// a `fork`, whose cost grows with our memory: start the host before loading a big state.
    ///
    /// # Errors
    /// [`HostError::NoCommand`], [`HostError::Prepare`] or [`HostError::Spawn`].
    pub fn spawn(argv: &[OsString], interrupt: Arc<AtomicBool>) -> Result<Self, HostError> {
        let (ends, child_ends) = pipes::create().map_err(HostError::Prepare)?;
        let child = HostChild::start(argv, child_ends)?;
        Ok(Self {
            ends: Some(ends),
            child,
            interrupt,
            grace: Grace::default(),
            last_hint: None,
            replay: None,
            broken: false,
        })
    }

    /// The host's process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.pid()
    }

    /// Sets how long [`Self::shutdown`] waits.
    pub fn set_grace(&mut self, grace: Grace) {
        self.grace = grace;
    }

    /// Takes the last complete hint of an earlier run, without its length prefix.
    ///
    /// A host forgets everything when it ends, and a guest that resumes after its hint does not
    /// repeat it. So this hint is sent once, right before the first pre-image is asked for,
    /// unless the guest has sent a hint itself by then.
    pub fn set_replay_hint(&mut self, hint: Vec<u8>) {
        self.replay = Some(hint);
    }

    /// The last hint that this host acknowledged, without its length prefix.
    #[must_use]
    pub fn last_hint(&self) -> Option<&[u8]> {
        self.last_hint.as_deref()
    }

    /// Closes the pipes, upon which a host ends, and waits for that; a host that does not end
    /// within the time of [`Grace`] gets SIGINT and later SIGKILL. If the interrupt flag is or
    /// gets set, SIGKILL follows after [`Grace::when_interrupted`].
    pub fn shutdown(mut self) -> HostExit {
        self.ends = None;
        let ended = self.end_child();
        HostExit {
            status: self.child.status(),
            ended,
        }
    }

    /// The stages of [`Self::shutdown`] after the pipes are closed.
    fn end_child(&self) -> Ended {
        let interrupted = || self.interrupt.load(Ordering::Relaxed);
        if self.child.wait(self.grace.after_close, interrupted) {
            return Ended::ByItself;
        }
        let mut how = Ended::ByItself;
        if !interrupted() {
            self.child.signal(Signal::INT);
            how = Ended::Interrupted;
            if self.child.wait(self.grace.after_interrupt, interrupted) {
                return how;
            }
        }
        if interrupted() && self.child.wait(self.grace.when_interrupted, || false) {
            return how;
        }
        self.child.signal(Signal::KILL);
        if self.child.wait(AFTER_KILL, || false) {
            Ended::Killed
        } else {
            Ended::Stuck
        }
    }

    /// Sends one hint and waits for its acknowledgement.
    fn send_hint(&mut self, hint: &[u8], replayed: bool) -> Result<(), HostError> {
        let (peer, ends) = self.parts()?;
        let length =
            u32::try_from(hint.len()).map_err(|_| HostError::HintTooLong { length: hint.len() })?;
        let mut message = Vec::with_capacity(4 + hint.len());
        message.extend_from_slice(&length.to_be_bytes());
        message.extend_from_slice(hint);
        let mut ack = [0];
        let outcome = peer
            .write_all(&ends.hint_out, &message)
            .and_then(|()| peer.read_exact(&ends.ack_in, &mut ack));
        match outcome {
            Ok(()) => {
                self.replay = None;
                self.last_hint = Some(hint.to_vec());
                Ok(())
            }
            Err(fault) => Err(self.fail(
                fault,
                Asked::Hint {
                    hint: hint.to_vec(),
                    replayed,
                },
            )),
        }
    }

    /// Asks for one pre-image, after the hint of an earlier run if there is one left.
    fn fetch(&mut self, key: [u8; 32]) -> Result<Vec<u8>, HostError> {
        if let Some(hint) = self.replay.take() {
            self.send_hint(&hint, true)?;
        }
        let (peer, ends) = self.parts()?;
        ask(peer, ends, &key).map_err(|fault| {
            let last_hint = self.last_hint.clone();
            self.fail(fault, Asked::Preimage { key, last_hint })
        })
    }

    /// What an exchange needs, unless an earlier one failed.
    fn parts(&self) -> Result<(Peer<'_>, &ClientEnds), HostError> {
        match &self.ends {
            Some(ends) if !self.broken => Ok((
                Peer {
                    child: &self.child,
                    interrupt: &self.interrupt,
                },
                ends,
            )),
            _ => Err(HostError::Broken),
        }
    }

    /// Turns a fault into the error to show, and allows no further requests.
    fn fail(&mut self, fault: Fault, asked: Asked) -> HostError {
        self.broken = true;
        match fault {
            Fault::Interrupted => HostError::Interrupted { asked },
            Fault::Ended if self.interrupted_with_host() => HostError::Interrupted { asked },
            Fault::Ended => HostError::Exited {
                status: self.child.status(),
                asked,
            },
            Fault::Closed => HostError::Closed { asked },
            Fault::TooLong(length) => HostError::TooLong {
                length,
                limit: MAX_PREIMAGE,
                asked,
            },
            Fault::Io(source) => HostError::Io { asked, source },
        }
    }

    /// Whether the ended host died of the same Ctrl-C or `kill` of the group that we are told
    /// of by the flag. The host may be dead before our own signal handler has run.
    fn interrupted_with_host(&self) -> bool {
        let interrupted = || self.interrupt.load(Ordering::Relaxed);
        let signals = [Signal::INT.as_raw(), Signal::TERM.as_raw()];
        let signal = self.child.status().and_then(|status| status.signal());
        if signal.is_some_and(|signal| signals.contains(&signal)) && !interrupted() {
            std::thread::sleep(SIGNAL_LAG);
        }
        interrupted()
    }
}

/// Sends the key and reads the answer.
fn ask(peer: Peer<'_>, ends: &ClientEnds, key: &[u8; 32]) -> Result<Vec<u8>, Fault> {
    peer.write_all(&ends.key_out, key)?;
    let mut length = [0; 8];
    peer.read_exact(&ends.image_in, &mut length)?;
    let length = u64::from_be_bytes(length);
    if length > MAX_PREIMAGE {
        return Err(Fault::TooLong(length));
    }
    peer.read_vec(&ends.image_in, length)
}

impl PreimageOracle for ProcessOracle {
    fn hint(&mut self, hint: &[u8]) -> Result<(), OracleError> {
        Ok(self.send_hint(hint, false)?)
    }

    fn preimage(&mut self, key: [u8; 32]) -> Result<Vec<u8>, OracleError> {
        Ok(self.fetch(key)?)
    }
}

impl Drop for ProcessOracle {
    fn drop(&mut self) {
        // Closed first, so that the host is not waited for while it waits for us.
        self.ends = None;
    }
}
