//! A local chain starts, plays along and ends; the system is deployed on it.

use std::io::{BufRead as _, BufReader};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use alloy_primitives::{Address, B256, U64, U256};
use alloy_rpc_types_eth::Block;
use carronade_challenger::{Anvil, AnvilError, AnvilOptions, Unlocked};
use carronade_contracts::abi::{DelayedWETH, DisputeGameFactory, FaultDisputeGame};
use carronade_contracts::deployment::{CANNON, Deployer as _, Parameters};

static BINARY: LazyLock<PathBuf> = LazyLock::new(Anvil::for_tests);

fn start() -> Anvil {
    Anvil::start(&BINARY, &AnvilOptions::default()).expect("a local chain")
}

#[test]
fn a_game_on_the_deployed_system_has_the_parent_block_as_its_l1_head() {
    let anvil = start();
    let account = anvil.accounts().expect("accounts")[0];
    let mut owner = Unlocked::new(anvil.rpc(), account);
    let parameters = Parameters {
        anchor: [7; 32],
        anchor_block: 5,
        ..Parameters::trial()
    };
    let at = owner.deploy(&parameters).expect("everything is deployed");
    let before = anvil.head().expect("a block");
    let root = B256::repeat_byte(9);
    let game = owner
        .create_game(at.factory, root, 12)
        .expect("a game is created");

    let head = anvil.head().expect("a block");
    assert_eq!(head.parent_hash, before.hash);
    let l1_head = owner.view(game, &FaultDisputeGame::l1HeadCall {}).unwrap();
    assert_eq!(l1_head, before.hash);
    let claim = FaultDisputeGame::rootClaimCall {};
    assert_eq!(owner.view(game, &claim).unwrap(), root);
    let bonds = DelayedWETH::balanceOfCall { account: game };
    let init = DisputeGameFactory::initBondsCall { gameType: CANNON };
    let bond = owner.view(at.factory, &init).unwrap();
    assert!(bond > U256::ZERO);
    assert_eq!(owner.view(at.weth, &bonds).unwrap(), bond);

    let again = owner.create_game(at.factory, root, 12).unwrap_err();
    assert!(again.to_string().contains("revert"), "{again}");
}

#[test]
fn blocks_are_as_far_apart_as_was_asked_and_time_can_be_moved() {
    let options = AnvilOptions {
        timestamp: Some(1_000_000),
        chain_id: Some(4242),
        spacing: 7,
        ..AnvilOptions::default()
    };
    let anvil = Anvil::start(&BINARY, &options).expect("a local chain");
    let id: U64 = anvil.rpc().ask("eth_chainId", ()).unwrap();
    assert_eq!(id, U64::from(4242));
    let time = || anvil.head().expect("a block").timestamp;
    assert_eq!(time(), 1_000_000);
    anvil.mine(2).unwrap();
    assert_eq!(time(), 1_000_014);
    anvil.increase_time(302_400).unwrap();
    assert_eq!(time(), 1_302_414);
    anvil.mine(1).unwrap();
    assert_eq!(time(), 1_302_421);
    assert_eq!(anvil.head().unwrap().number, 4);
}

#[test]
fn blocks_come_by_themselves_only_when_asked() {
    let options = AnvilOptions {
        interval: Some(1),
        ..AnvilOptions::default()
    };
    let busy = Anvil::start(&BINARY, &options).expect("a local chain");
    wait_until("there is a block", || busy.head().unwrap().number > 1);
    let idle = start();
    idle.mine(1).unwrap();
    assert_eq!(idle.head().unwrap().number, 1);
}

#[test]
fn accounts_can_be_given_money() {
    let anvil = start();
    let account = Address::repeat_byte(0x42);
    anvil.fund(account, U256::from(12_345)).unwrap();
    let balance: U256 = anvil
        .rpc()
        .ask("eth_getBalance", (account, "latest"))
        .unwrap();
    assert_eq!(balance, U256::from(12_345));
}

#[test]
fn it_ends_when_it_is_dropped() {
    let anvil = start();
    let (pid, url) = (anvil.pid(), anvil.url().to_owned());
    assert!(runs(pid) && listens(&url));
    drop(anvil);
    assert!(!runs(pid));
}

/// Set where this test is run as the process that the test below kills.
const HOLDER: &str = "CARRONADE_ANVIL_HOLDER";

/// The other side of the test below, by which alone it does anything.
#[test]
fn holder() {
    if std::env::var_os(HOLDER).is_none() {
        return;
    }
    let anvil = start();
    println!("anvil {} {}", anvil.pid(), anvil.url());
    loop {
        std::thread::sleep(Duration::from_secs(60));
    }
}

#[test]
fn it_ends_with_the_process_that_started_it() {
    let mut holder = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "holder", "--nocapture"])
        .env(HOLDER, "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let said = BufReader::new(holder.stdout.take().unwrap());
    let mut lines = said.lines().map_while(Result::ok);
    let words = lines
        .find_map(|line| Some(line.split_once("anvil ")?.1.to_owned()))
        .expect("the holder starts an anvil");
    let (pid, url) = words.split_once(' ').unwrap();
    let pid = pid.parse().unwrap();
    assert!(runs(pid) && listens(url));
    // SIGKILL: nothing of ours runs any more that could end it.
    holder.kill().unwrap();
    holder.wait().unwrap();
    // Its port may be another's by then.
    wait_until("anvil has ended", || !runs(pid));
}

#[test]
fn npms_script_is_passed_over_for_the_program() {
    let modules = BINARY
        .ancestors()
        .find(|folder| folder.ends_with("node_modules"))
        .expect("it is among npm's packages");
    let script = modules.join(".bin/anvil");
    assert!(std::fs::read(&script).unwrap().starts_with(b"#!"));
    let found = Anvil::find(Some(&script)).expect("the program");
    assert_eq!(found, BINARY.canonicalize().unwrap());
    assert_eq!(Anvil::find(Some(&BINARY)).unwrap(), found);
}

#[test]
fn what_is_no_anvil_is_said() {
    let nowhere = Anvil::find(Some(Path::new("/nowhere/anvil"))).unwrap_err();
    assert_eq!(nowhere.to_string(), "there is no anvil at /nowhere/anvil");
    let other = Anvil::start(Path::new("/bin/sh"), &AnvilOptions::default());
    assert!(matches!(other, Err(AnvilError::Ended { .. })));
    let none = Anvil::start(Path::new("/nowhere/anvil"), &AnvilOptions::default());
    assert!(matches!(none, Err(AnvilError::Start { .. })));
    let options = AnvilOptions {
        fork: Some("http://127.0.0.1:1".to_owned()),
        ..AnvilOptions::default()
    };
    let error = Anvil::start(&BINARY, &options).err().expect("no fork");
    assert!(
        error.to_string().contains("ended before it listened"),
        "{error}"
    );
    assert!(error.to_string().contains("fork"), "{error}");
}

#[test]
fn past_blocks_can_be_asked_about() {
    let anvil = start();
    anvil.mine(5).unwrap();
    let account = anvil.accounts().unwrap()[1];
    anvil.fund(account, U256::from(1)).unwrap();
    anvil.mine(600).unwrap();
    let asked = (account, U64::from(2));
    let balance: U256 = anvil.rpc().ask("eth_getBalance", asked).unwrap();
    assert_eq!(balance, U256::from(10).pow(U256::from(22)));
    let block: Block = anvil
        .rpc()
        .ask("eth_getBlockByNumber", (U64::from(2), false))
        .unwrap();
    assert_eq!(block.header.number, 2);
}

/// Whether a process is there and no zombie.
fn runs(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat
        .rsplit(')')
        .next()
        .and_then(|rest| rest.trim().chars().next());
    state.is_some_and(|state| state != 'Z')
}

fn listens(url: &str) -> bool {
    TcpStream::connect(url.trim_start_matches("http://")).is_ok()
}

/// Waits, for as long as it may take a busy machine.
fn wait_until(what: &str, done: impl Fn() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(
            start.elapsed() < Duration::from_secs(60),
            "not in a minute: {what}"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}
