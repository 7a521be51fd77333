//! `serve`: a trace that answers over a socket.

#[path = "serve/answers.rs"]
mod answers;
#[path = "serve/ends.rs"]
mod ends;
#[path = "serve/places.rs"]
mod places;
#[path = "serve/runs.rs"]
mod runs;

use crate::support::*;
use serde_json::Value;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

/// What a server said.
struct Reply {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Reply {
    fn of(answer: &[u8]) -> Option<Self> {
        let end = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
        let head = String::from_utf8(answer[..end].to_vec()).unwrap();
        let status = head.split(' ').nth(1)?.parse().unwrap();
        let (head, body) = (head.to_lowercase(), answer[end + 4..].to_vec());
        Some(Self { status, head, body })
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }
}

/// Sends a request; whoever drops the stream goes away.
fn send_request<S: Write>(mut stream: S, method: &str, target: &str) -> S {
    let head = format!("{method} {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    stream
}

/// What comes back; nothing if the server goes away.
fn receive(mut stream: impl Read) -> Option<Reply> {
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    Reply::of(&answer)
}

/// A server on a socket in its store.
struct Server {
    running: Running,
    socket: PathBuf,
}

impl Server {
    /// Starts one for a state, in `store`.
    fn start(sandbox: &Sandbox, input: &str, flags: &[&str]) -> Self {
        let head = ["serve", "--input", input, "--store", "store"];
        let running = sandbox.spawn(&[&head[..], flags].concat());
        let socket = sandbox.path("store/serve.sock");
        wait_until("the server listens", || is_served(&socket));
        Self { running, socket }
    }

    fn begin(&self, method: &str, target: &str) -> UnixStream {
        send_request(UnixStream::connect(&self.socket).unwrap(), method, target)
    }

    fn get(&self, target: &str) -> Reply {
        receive(self.begin("GET", target)).unwrap()
    }

    fn post(&self, target: &str) -> Reply {
        receive(self.begin("POST", target)).unwrap()
    }

    /// Whether the figures have a line.
    fn counts(&self, line: &str) -> bool {
        let text = self.get("/metrics").text();
        text.lines().any(|found| found == line)
    }

    /// Asks for a step far away, and waits until the machine is on its way there.
    fn keep_busy(&self) -> UnixStream {
        let step = || self.get("/v1/trace").json()["step"].as_u64().unwrap();
        let before = step();
        let stream = self.begin("GET", "/v1/hash?step=0xffffffffffffffff");
        wait_until("the machine runs", || step() > before);
        stream
    }
}

fn is_served(socket: &Path) -> bool {
    let Ok(stream) = UnixStream::connect(socket) else {
        return false;
    };
    receive(send_request(stream, "GET", "/health")).is_some_and(|reply| reply.status == 200)
}

/// Writes a guest that spins for ever.
fn spinner(sandbox: &Sandbox) {
    // j 0x1000; nop
    sandbox.program(&[0x0800_0400, 0], |_| ());
}
