//! A folder to run the binary in, guests to run, and hosts for them.

use carronade_emulator::codec::{Packing, write_state};
use carronade_emulator::memory::Memory;
use carronade_emulator::state::{State, StateVersion};
use flate2::read::MultiGzDecoder;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};
use tempfile::TempDir;

pub const BINARY: &str = env!("CARGO_BIN_EXE_carronade");

/// The address that [`Sandbox::program`] puts its instructions at.
pub const START: u64 = 0x1000;

pub fn vectors() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors")
}

pub fn golden(name: &str) -> Value {
    let path = vectors().join(format!("golden/{name}.json"));
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

pub fn images() -> String {
    let path = vectors().join("golden/oracle.images.json");
    path.to_str().unwrap().to_owned()
}

/// The host of the oracle guest, as the end of a command line.
pub fn oracle_host() -> Vec<String> {
    ["--", BINARY, "host", "--images", &images()]
        .map(str::to_owned)
        .into()
}

/// A golden guest, loaded once: its folder, with `guest.elf`, `pre.bin.gz` and `meta.json`.
pub fn guest(name: &str) -> PathBuf {
    static LOADED: Mutex<BTreeMap<String, PathBuf>> = Mutex::new(BTreeMap::new());
    let mut loaded = LOADED.lock().unwrap();
    if let Some(folder) = loaded.get(name) {
        return folder.clone();
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("guests")
        .join(name);
    fs::create_dir_all(&folder).unwrap();
    let packed = vectors().join(format!("guests/{name}.elf.gz"));
    fs::write(folder.join("guest.elf"), unpack(&packed)).unwrap();
    let mut command = Command::new(BINARY);
    command
        .current_dir(&folder)
        .args(["load-elf", "--type", "multithreaded64-5"]);
    command.args(["--path", "guest.elf", "--out", "pre.bin.gz"]);
    assert!(command.status().unwrap().success());
    loaded.insert(name.to_owned(), folder.clone());
    folder
}

/// The path of a golden guest's first state.
pub fn prestate(name: &str) -> String {
    guest(name).join("pre.bin.gz").to_str().unwrap().to_owned()
}

pub fn unpack(path: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    let file = fs::File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    MultiGzDecoder::new(file).read_to_end(&mut bytes).unwrap();
    bytes
}

pub fn sha256(bytes: &[u8]) -> String {
    const_hex::encode(Sha256::digest(bytes))
}

/// What a command left.
pub struct Ran {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    fn of(output: Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
        for panic in ["panicked at", "stack backtrace"] {
            assert!(!stderr.contains(panic), "{stderr}");
        }
        Self {
            code: output.status.code(),
            stdout,
            stderr,
        }
    }

    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}{}", self.stdout, self.stderr);
        self
    }

    /// Asserts a failure: this code, and a last line on stderr that holds all these words.
    #[track_caller]
    pub fn fails(self, code: i32, words: &[&str]) -> Self {
        let ran = self.expect(code);
        let errors: Vec<_> = ran
            .stderr
            .lines()
            .filter(|line| line.starts_with("error: "))
            .collect();
        assert_eq!(errors.len(), 1, "not one error line: {}", ran.stderr);
        for word in words {
            assert!(
                errors[0].contains(word),
                "{word:?} is not in: {}",
                errors[0]
            );
        }
        ran
    }

    /// The value of a field in the first log line with this message.
    pub fn line(&self, message: &str) -> &str {
        self.stderr
            .lines()
            .find(|line| line.contains(&format!("msg={message}")))
            .unwrap_or_default()
    }
}

/// A folder of its own for a test.
pub struct Sandbox(TempDir);

impl Sandbox {
    pub fn new() -> Self {
        Self(tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap())
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// All files in the folder, hidden ones too.
    pub fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.0.path()).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.path(name), bytes).unwrap();
    }

    pub fn json(&self, name: &str) -> Value {
        let path = self.path(name);
        let bytes = if name.ends_with(".gz") {
            unpack(&path)
        } else {
            fs::read(path).unwrap()
        };
        serde_json::from_slice(&bytes).unwrap()
    }

    pub fn command(&self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Command {
        self.command_of(BINARY, args)
    }

    pub fn command_of(
        &self,
        program: impl AsRef<OsStr>,
        args: impl IntoIterator<Item = impl AsRef<OsStr>>,
    ) -> Command {
        let mut command = Command::new(program);
        command
            .args(args)
            .current_dir(self.0.path())
            .stdin(Stdio::null());
        command.env("RUST_BACKTRACE", "1");
        // All tests share one, as all runs of a user do.
        let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache");
        command.env("CARRONADE_CACHE", cache);
        command
    }

    pub fn call(&self, args: &[&str]) -> Ran {
        Ran::of(self.command(args).output().unwrap())
    }

    /// `run` without metadata on a state, then flags.
    pub fn run(&self, input: &str, flags: &[&str]) -> Ran {
        let start = ["run", "--input", input, "--meta", ""];
        self.call(&[&start[..], flags].concat())
    }

    /// `run` of the oracle guest with its host.
    pub fn run_oracle(&self, flags: &[&str]) -> Ran {
        let host = oracle_host();
        let host: Vec<_> = host.iter().map(String::as_str).collect();
        self.run(&prestate("oracle"), &[flags, &host].concat())
    }

    /// A shell script, `$BIN` being the binary.
    pub fn shell(&self, script: &str) -> Ran {
        let mut command = self.command_of("bash", ["-c", script]);
        Ran::of(
            command
                .env("BIN", BINARY)
                .env("PRE", prestate("hello"))
                .output()
                .unwrap(),
        )
    }

    pub fn witness(&self, state: &str) -> Value {
        let ran = self.call(&["witness", "--input", state]).expect(0);
        serde_json::from_str(&ran.stdout).unwrap()
    }

    /// Writes `program.bin`, a machine about to execute these instructions, and `meta.json`,
    /// which calls the first `main` and a place eight instructions later `helper`.
    pub fn program(&self, words: &[u32], prepare: impl FnOnce(&mut State)) {
        let mut state = State::new(StateVersion::V8, START, 1 << 44);
        let mut memory = Memory::new();
        for (n, word) in (0..).zip(words) {
            memory.write(START + 4 * n, &word.to_be_bytes());
        }
        prepare(&mut state);
        self.state("program.bin", &state, &memory);
        let symbol = |name, start| json!({ "name": name, "start": start, "size": 32 });
        let symbols = [symbol("main", START), symbol("helper", START + 32)];
        self.write("meta.json", json!({ "symbols": symbols }).to_string());
    }

    pub fn state(&self, name: &str, state: &State, memory: &Memory) {
        let mut bytes = Vec::new();
        write_state(&mut bytes, Packing::of_name(name).unwrap(), state, memory).unwrap();
        self.write(name, bytes);
    }

    pub fn spawn(&self, args: &[&str]) -> Running {
        let mut command = self.command(args);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        Running::start(&mut command)
    }
}

/// A process that runs while the test goes on; killed if the test fails.
pub struct Running(Child);

impl Running {
    pub fn start(command: &mut Command) -> Self {
        Self(command.spawn().unwrap())
    }

    pub fn signal(&self, name: &str) {
        send(name, self.0.id());
    }

    pub fn finish(mut self) -> Ran {
        let status = self.wait();
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        self.0
            .stdout
            .take()
            .unwrap()
            .read_to_end(&mut stdout)
            .unwrap();
        self.0
            .stderr
            .take()
            .unwrap()
            .read_to_end(&mut stderr)
            .unwrap();
        Ran::of(Output {
            status,
            stdout,
            stderr,
        })
    }

    pub fn wait(&mut self) -> ExitStatus {
        self.0.wait().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Sends a signal to a process.
pub fn send(name: &str, pid: u32) {
    let _ = Command::new("kill")
        .args([&format!("-{name}"), &pid.to_string()])
        .status();
}

/// Waits until something is so; a minute is for a machine that is busy otherwise.
#[track_caller]
pub fn wait_until(what: &str, so: impl Fn() -> bool) {
    let began = Instant::now();
    while !so() {
        assert!(
            began.elapsed() < Duration::from_secs(60),
            "it never came to be: {what}"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
}
