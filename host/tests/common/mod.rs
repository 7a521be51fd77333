//! Helpers of the tests with real host processes.
//!
//! A test program starts itself again as a host or as a VM: the test `role_entry` of each such
//! program does nothing unless the environment names a role for it.

#![allow(dead_code, reason = "each test program uses its own part of this")]

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use carronade_emulator::oracle::OracleError;
use carronade_host::{HostError, MemoryStore, ProcessOracle, Store, StoreError, Visit};

/// Names the role for [`role`].
pub const ROLE: &str = "CARRONADE_HOST_TEST_ROLE";

/// The role this program was started again for, if it was.
pub fn role() -> Option<String> {
    std::env::var(ROLE).ok()
}

/// A host command that runs a shell script.
pub fn sh(script: &str) -> Vec<OsString> {
    ["sh", "-c", script].map(OsString::from).to_vec()
}

/// A command that runs this program again in a role. The shell runs `before` first, where
/// redirections of an `exec` stay in force and ENV_FLAGS are options for `env`.
pub fn again(role: &str, before: &str) -> Vec<OsString> {
    let exe = std::env::current_exe().expect("own path");
    let mut argv = sh(&format!(
        "{before}\nexec env $ENV_FLAGS {ROLE}={role} \"$0\" \"$@\""
    ));
    argv.push(exe.into());
    argv.extend(["role_entry", "--exact", "--nocapture"].map(OsString::from));
    argv
}

/// The command of the server role, with its test runner's chatter thrown away.
pub fn server() -> Vec<OsString> {
    again("serve", "exec >/dev/null")
}

/// Starts a host whose interrupt flag nobody sets.
pub fn spawn(argv: &[OsString]) -> ProcessOracle {
    ProcessOracle::spawn(argv, Arc::new(AtomicBool::new(false))).expect("the host starts")
}

/// Runs `test` and fails, instead of hanging, if it takes longer than `seconds`.
pub fn within<T: Send + 'static>(seconds: u64, test: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, finished) = mpsc::channel();
    let runner = std::thread::spawn(move || {
        let value = test();
        // The receiver is gone only if the test has failed already.
        let _ = done.send(());
        value
    });
    if finished.recv_timeout(Duration::from_secs(seconds)) == Err(mpsc::RecvTimeoutError::Timeout) {
        panic!("not done within {seconds} s");
    }
    runner
        .join()
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// The host error inside what an oracle returned.
pub fn host_error<T: std::fmt::Debug>(outcome: Result<T, OracleError>) -> HostError {
    *outcome
        .expect_err("this must fail")
        .downcast()
        .expect("a HostError")
}

/// A key of the given type.
pub fn key(kind: u8, tail: u8) -> [u8; 32] {
    let mut key = [tail; 32];
    key[0] = kind;
    key
}

/// A pre-image of 1 MiB, more than any pipe holds.
pub fn large() -> Vec<u8> {
    (0..1_u32 << 20)
        .map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect()
}

/// The server role's store: fixed pre-images, and under keys of type 3 the hints received.
#[derive(Default)]
pub struct EchoStore {
    /// The fixed pre-images.
    pub images: MemoryStore,
    /// Every hint so far.
    pub hints: Mutex<Vec<Vec<u8>>>,
}

impl EchoStore {
    /// The store with an empty, a small and a large pre-image.
    pub fn filled() -> Self {
        let images = [
            (key(2, 0), Vec::new()),
            (key(2, 1), b"hello".to_vec()),
            (key(2, 2), large()),
        ];
        Self {
            images: images.into_iter().collect(),
            hints: Mutex::default(),
        }
    }
}

impl Store for EchoStore {
    fn get(&self, key: &[u8; 32]) -> Result<Option<Vec<u8>>, StoreError> {
        if key[0] == 3 {
            return Ok(self
                .hints
                .lock()
                .unwrap()
                .get(usize::from(key[31]))
                .cloned());
        }
        self.images.get(key)
    }

    fn put(&self, key: &[u8; 32], value: &[u8]) -> Result<(), StoreError> {
        self.images.put(key, value)
    }

    fn each(&self, visit: Visit<'_>) -> Result<(), StoreError> {
        self.images.each(visit)
    }
}

/// Serves the VM that started this process; never returns.
pub fn serve_and_exit() -> ! {
    let store = EchoStore::filled();
    let mut hints = |hint: &[u8]| store.hints.lock().unwrap().push(hint.to_vec());
    match carronade_host::serve_inherited_fds(&store, &mut hints) {
        Ok(_) => std::process::exit(0),
        Err(error) => {
            eprintln!("host: {error}");
            std::process::exit(3)
        }
    }
}

/// A file of the process `pid` in `/proc`.
pub fn proc_file(pid: u32, name: &str) -> PathBuf {
    PathBuf::from(format!("/proc/{pid}/{name}"))
}

/// The fields of `/proc/<pid>/stat` after the program's name: state, parent, group, …
pub fn stat(pid: u32) -> Option<Vec<String>> {
    let text = std::fs::read_to_string(proc_file(pid, "stat")).ok()?;
    let (_, fields) = text.rsplit_once(") ")?;
    Some(fields.split_whitespace().map(str::to_owned).collect())
}

/// Whether the process runs no more; a zombie that nobody has reaped counts as gone.
pub fn gone(pid: u32) -> bool {
    stat(pid).is_none_or(|fields| fields[0] == "Z" || fields[0] == "X")
}
