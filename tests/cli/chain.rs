//! Small chains with claims about them: written to a store, or served by nodes on loopback.

use crate::support::*;
use carronade_devnet::{BatchKind, Claim, DataKind, Devnet, Faults, Served, Spec};
use carronade_host::{Format, create_store};
use serde_json::Value;
use std::fs::{self, File};
use std::sync::{Arc, LazyLock};

/// A chain and the right claim about all of it.
pub struct Chain {
    pub devnet: Arc<Devnet>,
    pub claim: Claim,
}

/// Two L2 blocks in calldata.
pub static CALLDATA: LazyLock<Chain> =
    LazyLock::new(|| Chain::new(BatchKind::Single, DataKind::Calldata));

/// Two L2 blocks in blobs.
pub static BLOBS: LazyLock<Chain> = LazyLock::new(|| Chain::new(BatchKind::Span, DataKind::Blobs));

impl Chain {
    fn new(batches: BatchKind, data: DataKind) -> Self {
        let spec = Spec {
            l1_blocks: 3,
            l2_blocks: 2,
            batches,
            data,
            ..Spec::default()
        };
        let devnet = Arc::new(Devnet::generate(&spec).unwrap());
        let claim = devnet.claim(0, devnet.l2_head());
        Self { devnet, claim }
    }

    /// The same chain with a claim of another root.
    pub fn with_wrong_root(&self) -> Self {
        let mut claim = self.claim.clone();
        claim.claimed_l2_output_root.0[31] ^= 1;
        let devnet = Arc::clone(&self.devnet);
        Self { devnet, claim }
    }

    /// The flags for the claim; the configuration that they name is written to the sandbox.
    pub fn flags(&self, sandbox: &Sandbox) -> Vec<String> {
        let config = serde_json::to_vec(&self.devnet.config).unwrap();
        sandbox.write("rollup.json", config);
        let claim = &self.claim;
        let flags = [
            ("--l1-head", claim.l1_head.to_string()),
            ("--l2-head", claim.agreed_l2_head_hash.to_string()),
            ("--l2-output-root", claim.agreed_l2_output_root.to_string()),
            ("--l2-claim", claim.claimed_l2_output_root.to_string()),
            (
                "--l2-block-number",
                claim.claimed_l2_block_number.to_string(),
            ),
            ("--rollup-cfg", "rollup.json".to_owned()),
        ];
        words(flags)
    }

    /// The same, and a store of all pre-images.
    pub fn offline(&self, sandbox: &Sandbox) -> Vec<String> {
        let store = create_store(&sandbox.path("all"), Format::Database).unwrap();
        self.devnet.write(&*store, &self.claim).unwrap();
        let store = ("--data-dir", "all".to_owned());
        [self.flags(sandbox), words([store])].concat()
    }

    /// The same with nodes that have the chain and these faults.
    pub fn online(&self, sandbox: &Sandbox, faults: Faults) -> (Vec<String>, Served) {
        let served = self.devnet.serve(faults).unwrap();
        let nodes = words([
            ("--l1", served.l1()),
            ("--beacon", served.beacon()),
            ("--l2", served.l2()),
        ]);
        ([self.flags(sandbox), nodes].concat(), served)
    }

    /// What `prove` says when it has all pre-images at hand.
    pub fn proven(&self) -> Value {
        let sandbox = Sandbox::new();
        report(&prove(&sandbox, &self.offline(&sandbox), &[]))
    }
}

fn words<const N: usize>(flags: [(&str, String); N]) -> Vec<String> {
    let words = flags.map(|(flag, value)| [flag.to_owned(), value]);
    words.concat()
}

/// Whole command lines out of their parts.
pub fn line(start: &[&str], flags: &[String], end: &[&str]) -> Vec<String> {
    let flags = flags.iter().map(String::as_str);
    let all = start
        .iter()
        .copied()
        .chain(flags)
        .chain(end.iter().copied());
    all.map(str::to_owned).collect()
}

pub fn call(sandbox: &Sandbox, line: &[String]) -> Ran {
    let words: Vec<_> = line.iter().map(String::as_str).collect();
    sandbox.call(&words)
}

/// Proves a claim, with a report in JSON.
pub fn prove(sandbox: &Sandbox, flags: &[String], more: &[&str]) -> Ran {
    call(sandbox, &line(&["--json", "prove"], flags, more))
}

pub fn report(ran: &Ran) -> Value {
    serde_json::from_str(&ran.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}{}", ran.stdout, ran.stderr))
}

/// Asserts that two reports tell of the same trace.
#[track_caller]
pub fn assert_same_trace(one: &Value, two: &Value) {
    for what in ["verdict", "exitCode"] {
        assert!(!one[what].is_null(), "{one}");
        assert_eq!(one[what], two[what], "{what}");
    }
    for what in ["prestate", "steps", "finalState"] {
        assert!(!one["vm"][what].is_null(), "{one}");
        assert_eq!(one["vm"][what], two["vm"][what], "{what}");
    }
}

/// How many requests of a run brought nothing, by its report.
pub fn failures(report: &Value) -> u64 {
    let requests = report["host"]["requests"].as_object().unwrap().values();
    requests
        .map(|calls| calls["failed"].as_u64().unwrap())
        .sum()
}

/// How many requests nodes have seen.
pub fn requests(served: &Served) -> u64 {
    served.counts().values().sum()
}

/// A command whose words can be read while it runs.
pub struct Talking<'a> {
    running: Running,
    sandbox: &'a Sandbox,
}

impl<'a> Talking<'a> {
    pub fn spawn(sandbox: &'a Sandbox, line: &[String]) -> Self {
        let file = |name| File::create(sandbox.path(name)).unwrap();
        let mut command = sandbox.command(line);
        command.stdout(file("stdout")).stderr(file("stderr"));
        let running = Running::start(&mut command);
        Self { running, sandbox }
    }

    pub fn stdout(&self) -> String {
        fs::read_to_string(self.sandbox.path("stdout")).unwrap()
    }

    pub fn stderr(&self) -> String {
        fs::read_to_string(self.sandbox.path("stderr")).unwrap()
    }

    /// Waits until it has said this on stderr.
    #[track_caller]
    pub fn wait_for(&self, words: &str) {
        wait_until(words, || self.stderr().contains(words));
    }

    pub fn signal(&self, name: &str) {
        self.running.signal(name);
    }

    pub fn finish(mut self) -> Ran {
        let code = self.running.wait().code();
        let (stdout, stderr) = (self.stdout(), self.stderr());
        assert!(!stderr.contains("panicked at"), "{stderr}");
        Ran {
            code,
            stdout,
            stderr,
        }
    }
}
