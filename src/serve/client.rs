//! The other end: one request to a server at a socket file, without a library for it.

use crate::interrupt;
use anyhow::{Context, Result, anyhow, bail};
use serde_json::Value;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// How long a connection may take to be made. A server that has stopped accepts none.
const CONNECTING: Duration = Duration::from_secs(2);

/// How often signals are looked at while an answer is waited for.
const PAUSE: Duration = Duration::from_millis(100);

/// How often a server that works on an answer is asked for a sign of life.
const WATCH: Duration = Duration::from_secs(3);

/// How long it may take to give one, which it can at all times.
const SIGN: Duration = Duration::from_secs(5);

/// Bytes at which an answer is none that was asked for.
const MAX_BYTES: usize = 1 << 20;

/// Asks a server for JSON, and waits for the answer for some time, or as long as the server
/// answers others.
///
/// # Errors
/// When the server cannot be reached, goes away, or refuses.
pub fn ask(socket: &Path, method: &str, target: &str, patience: Option<Duration>) -> Result<Value> {
    let mut stream = connect(socket)?;
    stream.set_read_timeout(Some(PAUSE))?;
    stream.set_write_timeout(Some(CONNECTING))?;
    let head = "Host: localhost\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    write!(stream, "{method} {target} HTTP/1.1\r\n{head}").context("cannot ask")?;
    let answer = read(&mut stream, socket, patience)?;
    parse(&answer)
}

/// A server that was stopped, or whose machine hangs, keeps its connections.
fn expect_life(socket: &Path) -> Result<()> {
    let sign = ask(socket, "GET", "/v1/trace", Some(SIGN));
    sign.map(drop).context("it has stopped answering")
}

/// Connects on a thread of its own, as that cannot be given a time limit.
fn connect(socket: &Path) -> Result<UnixStream> {
    let (sender, receiver) = mpsc::channel();
    let path = socket.to_owned();
    std::thread::spawn(move || sender.send(UnixStream::connect(path)));
    let connected = receiver.recv_timeout(CONNECTING);
    Ok(connected.context("it accepts no connection")??)
}

/// All that the server says until it closes the connection.
fn read(stream: &mut UnixStream, socket: &Path, patience: Option<Duration>) -> Result<Vec<u8>> {
    let (began, mut answer, mut piece) = (Instant::now(), Vec::new(), [0; 4096]);
    let mut looked = began;
    loop {
        match stream.read(&mut piece) {
            Ok(0) => return Ok(answer),
            Ok(count) => answer.extend_from_slice(&piece[..count]),
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted => (),
                _ => return Err(error).context("it has gone away"),
            },
        }
        if interrupt::requested() {
            bail!("interrupted");
        }
        if answer.len() > MAX_BYTES || patience.is_some_and(|limit| began.elapsed() > limit) {
            bail!("it does not come to an end of its answer");
        }
        if patience.is_none() && looked.elapsed() > WATCH {
            expect_life(socket)?;
            looked = Instant::now();
        }
    }
}

/// The JSON of a whole answer that says success.
fn parse(answer: &[u8]) -> Result<Value> {
    let text = std::str::from_utf8(answer).context("its answer is not text")?;
    let (head, body) = text
        .split_once("\r\n\r\n")
        .ok_or_else(|| anyhow!("it has gone away"))?;
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1));
    let length = lines.find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let own = name.eq_ignore_ascii_case("content-length");
        own.then(|| value.trim().parse::<usize>().ok())?
    });
    if length != Some(body.len()) {
        bail!("it has gone away");
    }
    let value: Value = serde_json::from_str(body).context("its answer is not JSON")?;
    match status {
        Some("200") => Ok(value),
        _ => bail!("it says {}", value["error"].as_str().unwrap_or("no")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_answers_count() {
        let whole = b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n{\"a\":1}";
        assert_eq!(parse(whole).unwrap()["a"], 1);
        for length in 0..whole.len() {
            assert!(parse(&whole[..length]).is_err(), "{length}");
        }
    }

    #[test]
    fn a_refusal_says_why() {
        let answer = b"HTTP/1.1 422 X\r\ncontent-length: 15\r\n\r\n{\"error\":\"bad\"}";
        assert_eq!(parse(answer).unwrap_err().to_string(), "it says bad");
    }
}
