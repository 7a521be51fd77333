//! The process: started, listened to, ended.

use std::io::{BufRead as _, BufReader, PipeReader};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

use rustix::io::Errno;
use rustix::process::{Pid, Signal, getppid, set_parent_process_death_signal};

use super::AnvilError;

/// What anvil says before its address when it is ready.
const LISTENING: &str = "Listening on 127.0.0.1:";

/// A process that listens. It is killed when this is dropped, and by the kernel when our process
/// ends, however that is.
pub(super) struct Process {
    child: Child,
    port: u16,
    keeper: Option<JoinHandle<()>>,
}

impl Process {
    pub(super) fn start(binary: &Path, arguments: &[String]) -> Result<Self, AnvilError> {
        let start = |source| AnvilError::Start {
            binary: binary.to_owned(),
            source,
        };
        let mut command = Command::new(binary);
        command.args(arguments);
        let (report, reported) = sync_channel(1);
        // The kernel sends the parent-death signal when the *thread* that started a child ends, so
        // a thread that lasts as long as the child starts it. It also reads what the child says,
        // or a full pipe would hold it up.
        let keeper = std::thread::Builder::new()
            .name("anvil".to_owned())
            .spawn(move || keep(command, &report))
            .map_err(start)?;
        let ready = reported.recv().expect("the keeper always reports");
        match ready.map_err(start)? {
            Ok((child, port)) => Ok(Self {
                child,
                port,
                keeper: Some(keeper),
            }),
            Err(words) => Err(AnvilError::Ended {
                binary: binary.to_owned(),
                words,
            }),
        }
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail if it has ended and was reaped, which is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(keeper) = self.keeper.take() {
            // It does not panic, and if it did, there would be nothing left to do.
            let _ = keeper.join();
        }
    }
}

/// A child that listens on a port, or what it said instead.
type Ready = Result<(Child, u16), String>;

/// Starts the child, reports, and reads what it says until it ends.
fn keep(command: Command, report: &SyncSender<std::io::Result<Ready>>) {
    // Who waits for the report cannot have gone away.
    let (child, output) = match spawn(command) {
        Ok(started) => started,
        Err(error) => {
            let _ = report.send(Err(error));
            return;
        }
    };
    let mut child = Some(child);
    let mut said = Vec::new();
    for line in BufReader::new(output).split(b'\n').map_while(Result::ok) {
        let Some(starting) = child.take() else {
            continue;
        };
        let line = String::from_utf8_lossy(&line).into_owned();
        match line.strip_prefix(LISTENING).map(str::parse) {
            Some(Ok(port)) => {
                let _ = report.send(Ok(Ok((starting, port))));
            }
            _ => {
                child = Some(starting);
                said.push(line);
            }
        }
    }
    if let Some(mut child) = child {
        // It closed its output without having listened: it has ended, or may as well.
        let _ = child.kill();
        let _ = child.wait();
        let _ = report.send(Ok(Err(said.join(" ").trim().to_owned())));
    }
}

/// The child with what it says on either stream.
fn spawn(mut command: Command) -> std::io::Result<(Child, PipeReader)> {
    let (output, write) = std::io::pipe()?;
    command
        .stdin(Stdio::null())
        .stdout(write.try_clone()?)
        .stderr(write);
    let parent = i32::try_from(std::process::id())
        .ok()
        .and_then(Pid::from_raw);
    let prepare = move || {
        set_parent_process_death_signal(Some(Signal::KILL))?;
        // If the parent had died before that call, no signal would ever come.
        if getppid() != parent {
            return Err(Errno::SRCH.into());
        }
        Ok(())
    };
    // SAFETY: between `fork` and `exec` the closure makes only the system calls `prctl` and
    // `getppid`, without allocating memory, taking locks or touching what other threads may have
    // left half done.
    unsafe { command.pre_exec(prepare) };
    // The command, and with it our end for writing, goes when this returns.
    let child = command.spawn()?;
    Ok((child, output))
}
