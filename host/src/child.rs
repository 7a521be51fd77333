//! The host as a child process: started, watched, signalled and reaped.

use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, getppid};

use crate::error::HostError;
use crate::pipes::{self, ChildEnds};

/// Longest wait in milliseconds before flags that nothing wakes us for are looked at again.
pub(crate) const TICK_MILLIS: u32 = 100;

/// Where the child is in its life.
#[derive(Debug, Clone, Copy)]
enum Life {
    /// It runs or has not been reaped, so its process id is its own.
    Running,
    /// It has been reaped; its process id may already be another's.
    Ended(Option<ExitStatus>),
}

/// A running or ended host process. Dropping it kills and reaps the process.
#[derive(Debug)]
pub(crate) struct HostChild {
    pid: Pid,
    life: Arc<Mutex<Life>>,
    /// Hangs up when the child has ended and `life` says so.
    notice: OwnedFd,
    keeper: Option<JoinHandle<()>>,
}

impl HostChild {
    /// Starts the program `argv[0]`, looked up in `PATH`, with the pipes as descriptors 3 to 6.
    ///
    /// A thread of its own starts the child and waits for it: the kernel sends the
    /// parent-death signal when the *thread* that started a child ends, so this must not be
    /// a thread that may end before the child.
    pub(crate) fn start(argv: &[OsString], ends: ChildEnds) -> Result<Self, HostError> {
        let (program, args) = argv.split_first().ok_or(HostError::NoCommand)?;
        let command = host_command(program.clone(), args, ends);
        let (notice, ended) = pipes::notice().map_err(HostError::Prepare)?;
        let life = Arc::new(Mutex::new(Life::Running));
        let (report, started) = mpsc::sync_channel(1);
        let keeper_life = Arc::clone(&life);
        let keeper = std::thread::Builder::new()
            .name("host-keeper".to_owned())
            .spawn(move || keep(command, &keeper_life, &report, ended))
            .map_err(HostError::Prepare)?;
        let spawned = started
            .recv()
            .unwrap_or_else(|_| Err(io::Error::other("no answer")));
        match spawned {
            Ok(pid) => Ok(Self {
                pid,
                life,
                notice,
                keeper: Some(keeper),
            }),
            Err(source) => {
                let program = program.to_string_lossy().into_owned();
                Err(HostError::Spawn { program, source })
            }
        }
    }

    /// The process id; another process may have it once [`Self::ended`] is true.
    pub(crate) fn pid(&self) -> u32 {
        self.pid.as_raw_pid().unsigned_abs()
    }

    /// Whether the child has ended; anything it wrote is in the pipes by then.
    pub(crate) fn ended(&self) -> bool {
        matches!(*lock(&self.life), Life::Ended(_))
    }

    /// How the child ended; `None` while it runs or if the system would not tell.
    pub(crate) fn status(&self) -> Option<ExitStatus> {
        match *lock(&self.life) {
            Life::Running => None,
            Life::Ended(status) => status,
        }
    }

    /// What `poll` hangs up on when the child has ended.
    pub(crate) fn notice(&self) -> &OwnedFd {
        &self.notice
    }

    /// Sends `signal` unless the child has ended.
    pub(crate) fn signal(&self, signal: Signal) {
        // The lock keeps the child from being reaped meanwhile, so `pid` cannot have become
        // another process's.
        let life = lock(&self.life);
        if matches!(*life, Life::Running) {
            // It can fail for a child that changed its user id; the caller's next step is a
            // stronger signal or giving up, whichever this returns.
            let _ = rustix::process::kill_process(self.pid, signal);
        }
    }

    /// Waits until the child has ended or `limit` has passed, or `give_up` says so (asked about
    /// ten times a second); returns whether the child has ended.
    pub(crate) fn wait(&self, limit: Duration, give_up: impl Fn() -> bool) -> bool {
        let start = Instant::now();
        loop {
            if self.ended() {
                return true;
            }
            let left = limit.saturating_sub(start.elapsed());
            if left.is_zero() || give_up() {
                return false;
            }
            // Rounded up, or the last millisecond would be spent spinning.
            let millis = left.as_millis().min(u128::from(TICK_MILLIS - 1)) as u32 + 1;
            if pipes::wait_ready([pipes::hang_up(&self.notice)], millis).is_err() {
                // Without a working `poll` the wait is coarse but still bounded.
                std::thread::sleep(Duration::from_millis(u64::from(millis)));
            }
        }
    }
}

impl Drop for HostChild {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
        // A killed process ends at once unless the kernel itself is stuck, say on a dead
        // network disk; then the keeper is left to wait alone.
        if self.wait(Duration::from_secs(10), || false)
            && let Some(keeper) = self.keeper.take()
        {
            // The keeper does not panic, and if it did, there would be nothing left to do.
            let _ = keeper.join();
        }
    }
}

/// The command that starts the host as Cannon does (`cannon/cmd/run.go`): no standard input,
/// our standard output and error, no colours, our process group.
fn host_command(program: OsString, args: &[OsString], ends: ChildEnds) -> Command {
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::null());
    if std::env::var_os("NO_COLOR").is_none() {
        command.env("NO_COLOR", "1");
    }
    let parent = i32::try_from(std::process::id())
        .ok()
        .and_then(Pid::from_raw);
    let prepare = move || {
        rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
        // If the parent had died before that call, no signal would ever come.
        if getppid() != parent {
            return Err(Errno::SRCH.into());
        }
        ends.install()
    };
    // SAFETY: between `fork` and `exec` the closure makes only the system calls `prctl`,
    // `getppid` and `dup2`, without allocating memory, taking locks or touching what other
    // threads may have left half done.
    unsafe { command.pre_exec(prepare) };
    command
}

/// The keeper's life: starts the child, waits for its end, says so by dropping `_ended`.
fn keep(
    mut command: Command,
    life: &Mutex<Life>,
    report: &mpsc::SyncSender<io::Result<Pid>>,
    _ended: OwnedFd,
) {
    let spawned = command.spawn();
    // Our copies of the host's ends must go before anybody waits for an end of file.
    drop(command);
    match spawned {
        Ok(mut child) => {
            let pid = Pid::from_child(&child);
            // The other side waits for this message; it cannot have gone away.
            let _ = report.send(Ok(pid));
            reap(&mut child, pid, life);
        }
        Err(error) => {
            let _ = report.send(Err(error));
        }
    }
}

/// Waits for the child's end and reaps it, recording its status.
fn reap(child: &mut Child, pid: Pid, life: &Mutex<Life>) {
    // Waiting without reaping first keeps the process id valid until the lock is held.
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    while matches!(
        rustix::process::waitid(WaitId::Pid(pid), options),
        Err(Errno::INTR)
    ) {}
    let mut life = lock(life);
    // Fails if our parent made us ignore SIGCHLD: then the kernel keeps no status.
    *life = Life::Ended(child.wait().ok());
}

/// Locks, also after a panic elsewhere: the value is replaced as a whole, never half.
fn lock(life: &Mutex<Life>) -> MutexGuard<'_, Life> {
    life.lock().unwrap_or_else(PoisonError::into_inner)
}
