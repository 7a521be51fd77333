//! A local chain with the system deployed, the verifier as the program of its games, and who plays.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use alloy_primitives::{Address, B256, U64, address};
use carronade_challenger::{
    Agent, AgentOptions, Anvil, AnvilOptions, Chain, Factory, Journal, Metrics, Notice, Program,
    QuickChain, QuickTraces, Reader, Request, Room, Rpc, SendError, SendOptions, Sender, Severity,
    Submission, Table, Unlocked, Wallet, start_of_elf,
};
use carronade_contracts::deployment::{CANNON, Deployment, Parameters};
use carronade_dispute::Game;
use carronade_program::chain::ChainSpec;
use serde_json::Value;
use tempfile::TempDir;

static BINARY: LazyLock<PathBuf> = LazyLock::new(Anvil::for_tests);

/// The key of anvil's second account.
const KEY: &str = "59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d";

/// Anvil's second account.
pub const ACCOUNT: Address = address!("70997970C51812dc3A010C7d01b50e0d17dc79C8");

/// Longer than anything here takes on the slowest machine; what waits so long has failed.
const LONGEST: Duration = Duration::from_secs(120);

/// A chain, the system on it, and a folder.
pub struct Arena {
    pub anvil: Anvil,
    pub at: Deployment,
    pub parameters: Parameters,
    pub owner: Unlocked,
    pub folder: TempDir,
    told: Arc<Mutex<Vec<(Severity, String)>>>,
}

pub fn small_chain() -> QuickChain {
    QuickChain::new(ChainSpec {
        seed: 3,
        blocks: 16,
        leaves_per_block: 4,
    })
}

/// The verifier before its first step, and that state's hash.
pub fn verifier() -> (carronade_challenger::Start, B256) {
    let elf = include_bytes!("../../../program/elf/verifier.elf");
    start_of_elf(elf.to_vec()).expect("a program")
}

/// What has been counted.
pub fn value(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

/// Waits until something is so.
#[track_caller]
pub fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < LONGEST, "not so: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

impl Arena {
    /// With games of the standard depths about the small chain.
    pub fn new() -> Self {
        Self::with(Parameters {
            prestate: verifier().1.0,
            ..Parameters::default()
        })
    }

    /// With these parameters, but for the anchor.
    pub fn with(parameters: Parameters) -> Self {
        let parameters = Parameters {
            anchor: small_chain().output(0).root.0,
            anchor_block: 0,
            ..parameters
        };
        let anvil = Anvil::start(&BINARY, &AnvilOptions::default()).expect("a local chain");
        let account = anvil.accounts().expect("accounts")[0];
        let mut owner = Unlocked::new(anvil.rpc(), account);
        let at = owner.deploy(&parameters).expect("everything is deployed");
        Self {
            anvil,
            at,
            parameters,
            owner,
            folder: tempfile::tempdir().expect("a folder"),
            told: Arc::default(),
        }
    }

    pub fn chain(&self) -> Chain {
        Chain::new(self.anvil.rpc().clone())
    }

    /// A game about the last block of the small chain, with a wrong root.
    pub fn wrong_game(&mut self) -> Address {
        let created = self
            .owner
            .create_game(self.at.factory, B256::repeat_byte(9), 16);
        created.expect("a game")
    }

    /// The game as it stands.
    pub fn game(&self, address: Address) -> Game {
        let chain = self.chain();
        let head = chain.latest().expect("a block");
        let reader = Reader::new(chain, address, &head).expect("a game");
        reader.read(&head, Address::ZERO).expect("a game").game
    }

    pub fn claims(&self, address: Address) -> usize {
        self.game(address).claims().len()
    }

    fn notice(&self) -> Notice {
        let told = Arc::clone(&self.told);
        Notice::new(move |severity, words| {
            let mut told = told.lock().expect("whole");
            told.push((severity, words.to_owned()));
        })
    }

    /// Whether a line of normal work with all these words was told.
    pub fn has_told(&self, words: &[&str]) -> bool {
        self.has_said(Severity::Info, words)
    }

    /// Whether a warning with all these words was told.
    pub fn has_warned(&self, words: &[&str]) -> bool {
        self.has_said(Severity::Warn, words)
    }

    fn has_said(&self, severity: Severity, words: &[&str]) -> bool {
        let told = self.told.lock().expect("whole");
        told.iter()
            .any(|(of, line)| *of == severity && words.iter().all(|word| line.contains(word)))
    }

    pub fn all_told(&self) -> String {
        format!("{:#?}", self.told.lock().expect("whole"))
    }

    /// Sends for anvil's second account, through a node at an address.
    pub fn sender(&self, url: &str, options: SendOptions, metrics: &Arc<Metrics>) -> Sender {
        let wallet = Wallet::from_hex(KEY).expect("a key");
        let path = self.folder.path().join("journal");
        let journal = Journal::open(&path, 31337, wallet.address()).expect("a journal");
        let chain = Chain::new(Rpc::new("L1 node", url).expect("an address"));
        let (metrics, notice) = (Arc::clone(metrics), self.notice());
        Sender::new(chain, 31337, wallet, journal, options, metrics, notice).expect("a sender")
    }

    /// Sends one request from anvil's second account.
    pub fn send(&self, request: Request) -> Result<Submission, SendError> {
        let metrics = Arc::default();
        let sender = self.sender(self.anvil.url(), SendOptions::default(), &metrics);
        let before = self.nonce(sender.account());
        let sent = sender.submit(request)?;
        until("it is in a block", || self.nonce(sender.account()) > before);
        Ok(sent)
    }

    /// Asks anvil for one of its own methods.
    pub fn ask(&self, method: &'static str, params: Value) -> Value {
        self.anvil.rpc().ask(method, params).expect("anvil can")
    }

    /// Whether anvil makes a block for each transaction.
    pub fn mine_at_once(&self, whether: bool) {
        self.ask("evm_setAutomine", serde_json::json!([whether]));
    }

    /// How many transactions anvil's second account has in blocks.
    pub fn nonce(&self, account: Address) -> u64 {
        let nonce: U64 = self
            .anvil
            .rpc()
            .ask("eth_getTransactionCount", (account, "latest"))
            .expect("a nonce");
        nonce.to()
    }

    /// The verifier, with checkpoints in a folder of the arena's.
    pub fn program(&self, folder: &str, notice: carronade_online::Notice) -> Program {
        let (start, prestate) = verifier();
        let place = self.folder.path().join(folder);
        let place = place.to_str().expect("a path");
        Program {
            start,
            prestate,
            engine: Arc::new(|_| Ok(None)),
            options: carronade_trace::Options::default(),
            checkpoints: carronade_checkpoint::Store::open(place, &Default::default())
                .expect("a folder"),
            preimages: small_chain().preimages(),
            nodes: None,
            rollup_config: None,
            l1_config: None,
            interrupted: Arc::new(|| false),
            notice,
        }
    }

    /// Lets the honest agent play through a node at an address.
    pub fn play(&self, url: &str, options: SendOptions) -> Playing {
        let metrics: Arc<Metrics> = Arc::default();
        let program = self.program("checkpoints", self.notice().of_host());
        let sender = self.sender(url, options, &metrics);
        let chain = Chain::new(Rpc::new("L1 node", url).expect("an address"));
        let table = Table {
            chain: chain.clone(),
            sender,
            traces: Box::new(QuickTraces::new(small_chain(), program)),
            room: Room::new(2),
            metrics: Arc::clone(&metrics),
            notice: self.notice(),
        };
        let options = AgentOptions {
            game_types: vec![CANNON],
            game_window: u64::MAX,
            poll_interval: Duration::from_millis(20),
        };
        let stop: Arc<AtomicBool> = Arc::default();
        let factory = Factory::new(chain, self.at.factory);
        let agent = Agent::new(Arc::new(table), factory, options, Arc::clone(&stop));
        Playing {
            metrics,
            stop,
            thread: Some(std::thread::spawn(move || agent.run())),
        }
    }
}

/// An agent at work; it is stopped when this is dropped.
pub struct Playing {
    pub metrics: Arc<Metrics>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Playing {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().expect("an agent does not panic");
        }
    }
}
