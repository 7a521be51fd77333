//! The dispute game's commands on a local chain: anvil, which goes on with a devnet's L1.

use crate::support::*;
use carronade_challenger::{Anvil, AnvilOptions, Chain, Reader, Unlocked, start_of_elf};
use carronade_contracts::deployment::{Deployment, Parameters};
use carronade_devnet::{DataKind, Devnet, Faults, L1Ref, Served, Spec};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

static ANVIL: LazyLock<PathBuf> = LazyLock::new(Anvil::for_tests);

/// The key of anvil's second account, and its address.
const KEY: &str = "59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d";
const ACCOUNT: &str = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";

fn demo(program: &str) {
    let sandbox = Sandbox::new();
    let anvil = ANVIL.to_str().expect("a path");
    let flags = ["--program", program, "--anvil", anvil, "--html", "drawn"];
    let ran = sandbox.call(&[&["demo", "dispute", "--no-cache"], &flags[..]].concat());
    let ran = ran.expect(0);
    for page in ["dishonest-proposer.html", "dishonest-challenger.html"] {
        let page = std::fs::read_to_string(sandbox.path("drawn").join(page)).unwrap();
        assert!(page.starts_with("<!doctype html>") && page.contains("liar"));
    }
    let proven = "honest proves on chain what the instruction does";
    assert_eq!(ran.stdout.matches(proven).count(), 2, "{}", ran.stdout);
    for line in [
        "75 claims down to depth 74; the game ends ChallengerWins",
        "74 claims down to depth 73; the game ends DefenderWins",
    ] {
        assert!(ran.stdout.contains(line), "{}", ran.stdout);
    }
}

#[test]
fn a_lie_about_a_small_chain_is_caught_end_to_end() {
    demo("verifier");
}

#[test]
fn a_lie_about_a_rollup_is_caught_end_to_end() {
    demo("fault-proof");
}

/// A devnet, anvil after it, and the system on it.
struct Ground {
    devnet: Arc<Devnet>,
    served: Served,
    anvil: Anvil,
    at: Deployment,
    sandbox: Sandbox,
}

impl Ground {
    fn new() -> Self {
        let spec = Spec {
            l1_blocks: 3,
            l2_blocks: 4,
            data: DataKind::Calldata,
            window: 100_000,
            ..Spec::standard()
        };
        let devnet = Arc::new(Devnet::generate(&spec).unwrap());
        let served = devnet.serve(Faults::default()).unwrap();
        let options = AnvilOptions {
            fork: Some(served.l1()),
            ..AnvilOptions::default()
        };
        let anvil = Anvil::start(&ANVIL, &options).unwrap();
        let elf = carronade::programs::by_name("fault-proof").unwrap().elf();
        let (_, prestate) = start_of_elf(elf.unwrap()).unwrap();
        let parameters = Parameters {
            anchor: devnet.claim(0, 0).claimed_l2_output_root.0,
            prestate: prestate.0,
            chain_id: devnet.config.l2_chain_id.id(),
            ..Parameters::default()
        };
        let deployer = anvil.accounts().unwrap()[0];
        let at = Unlocked::new(anvil.rpc(), deployer).deploy(&parameters);
        let sandbox = Sandbox::new();
        sandbox.write("key", KEY);
        sandbox.write("rollup.json", serde_json::to_vec(&devnet.config).unwrap());
        Self {
            devnet,
            served,
            anvil,
            at: at.unwrap(),
            sandbox,
        }
    }

    /// The flags that all who send have.
    fn sending(&self, datadir: &str) -> Vec<String> {
        let factory = self.at.factory.to_string();
        let flags = [
            ("--l1-eth-rpc", self.anvil.url()),
            ("--game-factory-address", &factory),
            ("--private-key-file", "key"),
            ("--datadir", datadir),
            ("--num-confirmations", "1"),
            ("--http-poll-interval", "0.05"),
        ];
        flags
            .iter()
            .flat_map(|(flag, value)| [flag.to_string(), value.to_string()])
            .collect()
    }

    fn call(&self, command: &[&str], flags: &[String], more: &[&str]) -> Ran {
        let flags = flags.iter().map(String::as_str);
        let words: Vec<&str> = command
            .iter()
            .copied()
            .chain(flags)
            .chain(more.iter().copied())
            .collect();
        self.sandbox.call(&words)
    }

    fn create(&self, root: &str) -> Ran {
        let claim = ["--output-root", root, "--l2-block-num", "4"];
        self.call(&["create-game"], &self.sending("proposer"), &claim)
    }

    fn challenger(&self) -> Child {
        let rollup = self.served.rollup();
        let (l2, beacon) = (self.served.l2(), self.served.beacon());
        let flags = [
            ("--rollup-rpc", rollup.as_str()),
            ("--l2-eth-rpc", &l2),
            ("--l1-beacon", &beacon),
            ("--rollup-config", "rollup.json"),
            ("--metrics-address", "127.0.0.1:0"),
        ];
        let flags = flags.iter().flat_map(|(flag, value)| [*flag, *value]);
        let sending = self.sending("challenger");
        let mut command = self.sandbox.command(["challenger", "--no-cache"]);
        command.args(sending).args(flags);
        command.stderr(Stdio::piped()).stdin(Stdio::null());
        command.spawn().unwrap()
    }

    fn claims(&self, game: &str) -> usize {
        let chain = Chain::new(self.anvil.rpc().clone());
        let head = chain.latest().unwrap();
        let game = game.trim().parse().unwrap();
        let reader = Reader::new(chain, game, &head).unwrap();
        reader.read(&head, game).unwrap().game.claims().len()
    }

    /// Lets the rollup node know of anvil's newest block, as if it had derived it.
    fn follow(&self) {
        let head = self.anvil.head().unwrap();
        self.served.set_l1_head(L1Ref {
            hash: head.hash,
            number: head.number,
            parent_hash: head.parent_hash,
            timestamp: head.timestamp,
        });
    }
}

/// The lines that a process writes, as they come.
fn lines_of(process: &mut Child) -> Receiver<String> {
    let (sender, lines) = std::sync::mpsc::channel();
    let stderr = BufReader::new(process.stderr.take().unwrap());
    std::thread::spawn(move || {
        let lines = stderr.lines().map_while(Result::ok);
        // Who does not read any more has seen enough.
        for line in lines {
            let _ = sender.send(line);
        }
    });
    lines
}

/// Reads lines until one has some words.
#[track_caller]
fn line_with(lines: &Receiver<String>, words: &str) -> String {
    let mut all = String::new();
    // Longer than it takes on the slowest machine.
    while let Ok(line) = lines.recv_timeout(Duration::from_secs(120)) {
        if line.contains(words) {
            return line;
        }
        all += &(line + "\n");
    }
    panic!("no {words:?} in {all}");
}

#[test]
fn a_challenger_process_counters_a_wrong_claim() {
    let ground = Ground::new();
    let wrong = format!("0x{}", "11".repeat(32));
    let game = ground.create(&wrong).expect(0).stdout;
    assert_eq!(ground.claims(&game), 1);
    let again = ground.create(&wrong);
    again.fails(1, &["there is such a game", game.trim()]);
    ground.anvil.mine(2).unwrap();
    ground.follow();

    let mut challenger = ground.challenger();
    let lines = lines_of(&mut challenger);
    let serving = line_with(&lines, "Serving metrics");
    line_with(&lines, "is wrong");
    line_with(&lines, "attack claim 0");
    line_with(&lines, "done in block");
    assert_eq!(ground.claims(&game), 2);

    let address = serving.split("address=").nth(1).unwrap().trim();
    let mut metrics = TcpStream::connect(address).unwrap();
    metrics.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").unwrap();
    let mut text = String::new();
    metrics.read_to_string(&mut text).unwrap();
    assert!(text.contains("carronade_challenger_moves 1\n"), "{text}");
    assert!(text.contains("carronade_challenger_games_disagreed 1\n"));

    // Nobody else uses its journal meanwhile.
    let other = ground.challenger().wait_with_output().unwrap();
    assert_eq!(other.status.code(), Some(1));
    let words = String::from_utf8(other.stderr).unwrap();
    assert!(words.contains("is used by another process"), "{words}");
    terminate(&challenger);
    assert_eq!(challenger.wait().unwrap().code(), Some(130));

    let l1 = ["--l1-eth-rpc", ground.anvil.url()];
    let show = ["game", "show", "--game-address", game.trim()];
    let shown = ground.sandbox.call(&[&show[..], &l1].concat()).expect(0);
    assert!(shown.stdout.contains(game.trim()), "{}", shown.stdout);
    assert!(shown.stdout.contains("countered by #1"), "{}", shown.stdout);
    let factory = ground.at.factory.to_string();
    let list = ["game", "list", "--game-factory-address", &factory];
    let listed = ground.sandbox.call(&[&list[..], &l1].concat()).expect(0);
    assert_eq!(listed.stdout.lines().count(), 1);
    assert!(
        listed.stdout.contains("2 claims InProgress"),
        "{}",
        listed.stdout
    );
    // The key is in no output.
    assert!(!(shown.stdout + &words).contains(&KEY[..16]));
}

fn terminate(process: &Child) {
    let pid = rustix::process::Pid::from_child(process);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
}

#[test]
fn a_proposer_claims_the_newest_block_once() {
    let ground = Ground::new();
    let rollup = ground.served.rollup();
    let more = ["--rollup-rpc", &rollup, "--once"];
    let propose = || ground.call(&["propose"], &ground.sending("proposer"), &more);
    let first = propose().expect(0);
    let claim = ground.devnet.claim(0, ground.devnet.l2_head());
    let root = claim.claimed_l2_output_root.to_string();
    assert!(first.stderr.contains(&root), "{}", first.stderr);
    let second = propose().expect(0);
    assert!(
        second.stderr.contains("has been claimed"),
        "{}",
        second.stderr
    );
}

#[test]
fn what_cannot_work_is_told_in_one_line() {
    let ground = Ground::new();
    let root = format!("0x{}", "11".repeat(32));
    let claim = ["--output-root", &root, "--l2-block-num", "4"];
    let with = |flag: &str, value: &str| {
        let mut flags = ground.sending("other");
        let place = flags.iter().position(|word| word == flag).unwrap();
        flags[place + 1] = value.to_owned();
        ground.call(&["create-game"], &flags, &claim)
    };
    let unused = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = format!("http://{}", unused.local_addr().unwrap());
    drop(unused);
    with("--l1-eth-rpc", &address).fails(1, &["L1 node", "does not answer"]);
    with("--l1-eth-rpc", "ftp://x").fails(1, &["L1 node", "http"]);
    let account = with("--game-factory-address", ACCOUNT);
    account.fails(1, &["there is no contract at", ACCOUNT]);
    let weth = ground.at.weth.to_string();
    with("--game-factory-address", &weth).fails(1, &[&weth, "no DisputeGameFactory"]);
    with("--private-key-file", "nowhere").fails(1, &["cannot read the key", "nowhere"]);
    ground.sandbox.write("bad", "secret");
    let bad = with("--private-key-file", "bad").fails(1, &["holds no private key"]);
    assert!(!bad.stderr.contains("secret"), "{}", bad.stderr);
    ground.sandbox.write("file", "");
    with("--datadir", "file").fails(1, &["file"]);
    let help = ground.sandbox.call(&["challenger", "--help"]).expect(0);
    assert!(!help.stdout.contains("--private-key "), "{}", help.stdout);
}
