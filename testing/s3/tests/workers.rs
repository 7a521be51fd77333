//! Several `carronade verify` processes that share nothing but an object store.
//!
//! The program is the one in the folder that this test is built in, as
//! `cargo test --workspace` leaves it there, or the one that `CARRONADE_BINARY` names.

use carronade_testing_s3::{BUCKET, Server};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Where the test's trace is. The server makes file names of whole keys, so names are short:
/// this one, and that of the workers' round.
const PREFIX: &str = "g";
/// Steps of checkpoints: ten segments with the last.
const EVERY: u64 = 4_250_000;
const LAST: u64 = 42_653_210;

/// The program under test.
fn binary() -> PathBuf {
    let set = std::env::var_os("CARRONADE_BINARY").map(PathBuf::from);
    let own = std::env::current_exe().unwrap();
    let beside = own.ancestors().nth(2).unwrap().join("carronade");
    let binary = set.unwrap_or(beside);
    let place = binary.display();
    assert!(
        binary.exists(),
        "{place} is missing: test the workspace, or build it first"
    );
    binary
}

/// A program in a folder, its trace in the server's bucket.
struct Game<'a> {
    server: &'a Server,
    folder: TempDir,
}

impl<'a> Game<'a> {
    fn new(server: &'a Server) -> Self {
        let folder = TempDir::new().unwrap();
        let game = Self { server, folder };
        let vectors = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors");
        let packed = vectors.join("guests/sortmap.elf.gz");
        let mut gzip = Command::new("gzip");
        gzip.arg("-dc").arg(packed).current_dir(game.folder.path());
        let elf = gzip.output().unwrap();
        std::fs::write(game.folder.path().join("guest.elf"), elf.stdout).unwrap();
        let words = "load-elf --type multithreaded64-5 --path guest.elf --out pre.bin.gz";
        done(game.command(words).output().unwrap());
        game
    }

    fn command(&self, words: &str) -> Command {
        let mut command = Command::new(binary());
        command
            .args(words.split(' '))
            .current_dir(self.folder.path())
            .env("CARRONADE_CACHE", self.folder.path().join("cache"))
            .envs(self.server.environment())
            .stdin(Stdio::null());
        command
    }

    /// A command about the trace.
    fn about(&self, words: &str) -> Command {
        self.command(&format!(
            "{words} --input pre.bin.gz --store s3://{BUCKET}/{PREFIX}"
        ))
    }

    fn worker(&self, name: &str) -> Running {
        let flags = "--engine interpreter --claim-seconds 2 --round r --worker";
        let mut command = self.about(&format!("verify {flags} {name}"));
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        Running(Some(command.spawn().unwrap()))
    }

    /// Small objects of a kind.
    fn small(&self, kind: &str) -> Vec<Vec<u8>> {
        let traces = std::fs::read_dir(self.server.files().join(PREFIX)).unwrap();
        let folders = traces.map(|trace| trace.unwrap().path().join(kind));
        let files = folders.flat_map(|folder| std::fs::read_dir(folder).into_iter().flatten());
        files
            .map(|file| std::fs::read(file.unwrap().path()).unwrap_or_default())
            .collect()
    }
}

/// A process that does not outlive the test.
struct Running(Option<Child>);

impl Running {
    fn finish(mut self) -> Output {
        self.0.take().unwrap().wait_with_output().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// What a command that succeeded has printed.
#[track_caller]
fn done(output: Output) -> String {
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{told}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn workers_share_the_work_and_one_may_be_killed() {
    let server = Server::start();
    let game = Game::new(&server);
    let at: Vec<_> = (1..10).map(|n| (n * EVERY).to_string()).collect();
    let mut hashes = game.about(&format!("trace hash --at {}", at.join(",")));
    assert_eq!(done(hashes.output().unwrap()).lines().count(), 9);
    let end = done(game.about("trace end").output().unwrap());
    assert!(end.starts_with(&format!("{LAST} 0x")), "{end}");

    let victim = game.worker("victim");
    let began = Instant::now();
    let claimed = |name: &[u8]| {
        let mut claims = game.small("claims").into_iter();
        claims.any(|claim| claim.windows(name.len()).any(|word| word == name))
    };
    while !claimed(b"victim") {
        assert!(began.elapsed() < Duration::from_secs(60));
        std::thread::sleep(Duration::from_millis(5));
    }
    let others = ["second", "third", "fourth"].map(|name| game.worker(name));
    // Dropping it kills it.
    drop(victim);
    for other in others {
        let told = done(other.finish());
        assert_eq!(told, format!("10 segments, {LAST} steps: confirmed\n"));
    }
    assert_eq!(game.small("results").len(), 10);
}
