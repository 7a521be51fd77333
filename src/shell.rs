//! A command whose output is waited for, and that ends with us.

use crate::interrupt;
use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process_group};
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// How often signals are looked at.
const PAUSE: Duration = Duration::from_millis(10);

/// How long a command may take to end when it is asked to.
const GRACE: Duration = Duration::from_millis(500);

/// Runs a command to its end, and keeps what it prints. It has a process group of its own, so
/// that what it has started ends with it when a signal ends us.
///
/// # Errors
/// When it cannot be started, or a signal has come.
pub fn output(mut command: Command) -> Result<(ExitStatus, Vec<u8>)> {
    command.stdout(Stdio::piped()).process_group(0);
    let mut child = command.spawn().context("cannot start sh")?;
    let output = collect(&mut child);
    match wait(&mut child, &output) {
        Some(ended) => ended,
        None => {
            end(&mut child);
            bail!("interrupted")
        }
    }
}

/// Reads what a command prints on a thread of its own, as that cannot look at signals.
fn collect(child: &mut Child) -> Receiver<std::io::Result<Vec<u8>>> {
    let (sender, receiver) = channel();
    let mut stdout = child.stdout.take().expect("it has a pipe");
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let read = stdout.read_to_end(&mut bytes);
        // Nobody waits any more after a signal.
        let _ = sender.send(read.map(|_| bytes));
    });
    receiver
}

/// Waits for all that a command prints, and for its end; nothing if a signal comes.
fn wait(
    child: &mut Child,
    output: &Receiver<std::io::Result<Vec<u8>>>,
) -> Option<Result<(ExitStatus, Vec<u8>)>> {
    let read = loop {
        match output.recv_timeout(PAUSE) {
            Err(RecvTimeoutError::Timeout) if interrupt::requested() => return None,
            Err(RecvTimeoutError::Timeout) => (),
            Err(RecvTimeoutError::Disconnected) => unreachable!("the thread sends, then ends"),
            Ok(read) => break read,
        }
    };
    loop {
        match child.try_wait().transpose() {
            Some(status) => {
                let ended = status.and_then(|status| Ok((status, read?)));
                return Some(ended.context("cannot wait for sh"));
            }
            None if interrupt::requested() => return None,
            None => std::thread::sleep(PAUSE),
        }
    }
}

/// Ends a command and what it has started. Its group is its own as long as it was not waited
/// for.
fn end(child: &mut Child) {
    let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let Some(group) = group else { return };
    let _ = kill_process_group(group, Signal::TERM);
    let asked = Instant::now();
    while asked.elapsed() < GRACE && matches!(child.try_wait(), Ok(None)) {
        std::thread::sleep(PAUSE);
    }
    if matches!(child.try_wait(), Ok(None)) {
        let _ = kill_process_group(group, Signal::KILL);
    }
    let _ = child.wait();
}
