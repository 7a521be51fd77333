//! Executions of programs: hosts that fail, restarts, and the fault proof program on a devnet.

use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, SystemTime};

use alloy_primitives::B256;
use carronade_challenger::{
    HostNodes, NodeTraces, OutputNodes, Program, Rpc, Traces as _, start_of_elf,
};
use carronade_checkpoint::Store as Checkpoints;
use carronade_devnet::{DataKind, Devnet, Faults, L2_CHAIN_ID, Spec};
use carronade_dispute::game::Disputed;
use carronade_dispute::provider::{ExecutionSource as _, ExecutionTrace, Machines};
use carronade_dispute::{GameStatus, Parameters, Position, Proposal, Vm as _};
use carronade_host::{MemoryStore, Store as _};
use carronade_trace::{Options, Trace, TraceError};
use carronade_translator::Translator;
use serde_json::{Value, json};

use crate::play::{HONEST, LIAR, OnChain, game, lying, play, reads};
use crate::quick;
use crate::served::{DOWN, Nodes, rollup};

fn machines(
    program: &Program,
) -> Machines<impl FnMut(&ExecutionTrace) -> Result<Trace, TraceError>> {
    let program = program.clone();
    Machines::new(2, move |of: &ExecutionTrace| program.open(of))
}

#[test]
fn after_a_restart_the_checkpoints_are_found_by_the_local_data() {
    let folder = tempfile::tempdir().expect("a folder");
    let program = quick::program(folder.path());
    let of = quick::execution(6, quick::chain().output(7).root);
    let mut trace = program.open(&of).expect("a trace");
    let end = trace.end().expect("an end");
    let middle = trace.state_hash(end.step / 2).expect("a state");
    trace.flush().expect("a store");
    drop(trace);

    // Another process, which has lost its pre-images.
    let again = Program {
        preimages: Arc::new(MemoryStore::new()),
        ..quick::program(folder.path())
    };
    let mut trace = again.open(&of).expect("a trace");
    assert_eq!(trace.known_end(), Some(end));
    assert_eq!(trace.state_hash(end.step / 2).expect("a state"), middle);
    let other = ExecutionTrace {
        l1_head: B256::repeat_byte(1),
        ..of
    };
    assert_eq!(again.open(&other).expect("a trace").known_end(), None);
}

/// All in a folder, and it, was written so many days ago.
fn age(path: &Path, days: u64) {
    if path.is_dir() {
        for entry in std::fs::read_dir(path).expect("a folder") {
            age(&entry.expect("an entry").path(), days);
        }
    }
    let file = std::fs::File::open(path).expect("a file");
    let then = SystemTime::now() - Duration::from_secs(days * 86_400);
    file.set_modified(then).expect("a time");
}

#[test]
fn checkpoints_of_games_that_must_be_over_are_removed() {
    let folder = tempfile::tempdir().expect("a folder");
    let program = quick::program(folder.path());
    let of = quick::execution(6, quick::chain().output(7).root);
    let end_of = |program: &Program| program.open(&of).expect("a trace").known_end();
    let mut trace = program.open(&of).expect("a trace");
    let end = trace.end().expect("an end");
    trace.flush().expect("a store");
    drop(trace);
    age(folder.path(), 27);
    assert_eq!(program.prune().expect("a store"), 0);
    assert_eq!(end_of(&program), Some(end));
    age(folder.path(), 29);
    assert_eq!(program.prune().expect("a store"), 1);
    assert_eq!(end_of(&program), None);
}

/// A pre-image that is missing or damaged is an error, and nothing else; once it is there, the
/// same trace goes on.
#[test]
fn a_store_without_answers_gives_no_states() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Arc::new(MemoryStore::new());
    let program = Program {
        preimages: store.clone(),
        ..quick::program(folder.path())
    };
    let root = quick::chain().output(7).root;
    let of = quick::execution(6, root);
    let last = u128::from(u64::MAX);
    let mut machines = machines(&program);
    let missing = machines.state_hash(&of, last).expect_err("no pre-images");
    let mut key = quick::chain().output(6).root;
    key[0] = 2;
    assert!(missing.to_string().contains(&key.to_string()), "{missing}");
    store.put(&key, &[7; 72]).expect("memory");
    let damaged = machines.state_hash(&of, last).expect_err("damage");
    assert!(damaged.to_string().contains("hashes to"), "{damaged}");
    assert!(machines.step_data(&of, last).is_err());

    let copied = quick::chain()
        .preimages()
        .each(&mut |key, value| store.put(&key, &value));
    copied.expect("memory");
    let end = machines.state_hash(&of, last).expect("an end");
    assert_eq!(end[0], 0);
    let wrong = quick::execution(6, B256::repeat_byte(5));
    assert_eq!(machines.state_hash(&wrong, last).expect("an end")[0], 1);
}

/// Nodes of which only L2 answers, as a test says.
fn l2_only(block: Value) -> (Nodes, HostNodes) {
    let nodes = Nodes::start(move |role, method, _| match (role, method) {
        ("l2", "eth_getBlockByNumber") => Some(block.clone()),
        ("l2", "eth_chainId") => Some(json!(format!("{L2_CHAIN_ID:#x}"))),
        _ => Some(json!(DOWN)),
    });
    let nobody = "http://127.0.0.1:1".to_owned();
    let host = HostNodes {
        l1: nobody.clone(),
        beacon: nobody,
        l2: nodes.address("l2"),
        l1_chain_id: None,
    };
    (nodes, host)
}

#[test]
fn an_agreed_block_that_is_not_there_is_an_error() {
    let folder = tempfile::tempdir().expect("a folder");
    let (_nodes, host) = l2_only(Value::Null);
    let program = Program {
        nodes: Some(host),
        preimages: Arc::new(MemoryStore::new()),
        notice: Arc::new(|_| {}),
        ..quick::program(folder.path())
    };
    let of = quick::execution(6, quick::chain().output(7).root);
    let mut machines = machines(&program);
    for _ in 0..2 {
        let error = machines
            .state_hash(&of, 1 << 40)
            .expect_err("no such block");
        assert!(error.to_string().contains("it has no block 6"), "{error}");
        assert!(error.to_string().contains("L2 node"), "{error}");
    }
    // Before anything is asked of the host, there are states.
    assert_eq!(machines.state_hash(&of, 3).expect("a state")[0], 3);
}

#[test]
fn waiting_for_nodes_can_be_given_up() {
    let folder = tempfile::tempdir().expect("a folder");
    let (_nodes, host) = l2_only(json!({ "hash": B256::repeat_byte(1) }));
    let stop = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&stop);
    let program = Program {
        nodes: Some(host),
        preimages: Arc::new(MemoryStore::new()),
        interrupted: Arc::new(move || asked.load(Ordering::Relaxed)),
        notice: Arc::new(|_| {}),
        ..fault_proof(folder.path(), &devnet())
    };
    let of = ExecutionTrace {
        l2_chain_id: L2_CHAIN_ID,
        ..quick::execution(6, B256::repeat_byte(5))
    };
    let asker = thread::spawn(move || machines(&program).state_hash(&of, 1 << 40));
    thread::sleep(Duration::from_millis(500));
    if asker.is_finished() {
        panic!("nodes may come back, but {:?}", asker.join());
    }
    stop.store(true, Ordering::Relaxed);
    let error = asker.join().expect("no panic").expect_err("nothing");
    assert!(
        matches!(error, TraceError::Interrupted) || error.to_string().contains("stopped"),
        "{error}"
    );
}

/// The fault proof program for a devnet, translated.
fn fault_proof(folder: &Path, devnet: &Devnet) -> Program {
    let packed = include_bytes!("../../../program/elf/fault-proof.elf.gz");
    let mut elf = Vec::new();
    let unpacked = flate2::read::GzDecoder::new(&packed[..]).read_to_end(&mut elf);
    unpacked.expect("it unpacks");
    let (start, prestate) = start_of_elf(elf).expect("a program");
    let place = folder.to_str().expect("a path");
    let cache = std::env::temp_dir().join("carronade-challenger-tests-cache");
    Program {
        start,
        prestate,
        engine: Arc::new(move |memory| {
            let options = carronade_translator::Options {
                cache: Some(cache.clone()),
                ..Default::default()
            };
            memory.flat().ok_or("no room for a flat reservation")?;
            Ok(Some(Box::new(Translator::new(options)?)))
        }),
        options: Options::default(),
        checkpoints: Checkpoints::open(place, &Default::default()).expect("a folder"),
        preimages: Arc::new(MemoryStore::new()),
        nodes: None,
        rollup_config: Some(serde_json::to_vec(&devnet.config).expect("plain data")),
        l1_config: None,
        interrupted: Arc::new(|| false),
        notice: Arc::new(|words| panic!("{words}")),
    }
}

fn devnet() -> Arc<Devnet> {
    let spec = Spec {
        l1_blocks: 2,
        l2_blocks: 4,
        transactions: 1,
        data: DataKind::Blobs,
        ..Spec::default()
    };
    Arc::new(Devnet::generate(&spec).expect("a devnet"))
}

fn output(devnet: &Devnet, block: u64) -> Proposal {
    Proposal {
        root: devnet.l2[block as usize].output.hash(),
        l2_block: block,
    }
}

fn l1_head(devnet: &Devnet) -> B256 {
    devnet.l1[devnet.l1.len() - 1].header.hash()
}

fn execution(devnet: &Devnet, agreed: u64, root: B256) -> ExecutionTrace {
    ExecutionTrace {
        outputs: Disputed {
            starting: output(devnet, agreed).root,
            starting_position: None,
            disputed: root,
            disputed_position: Position::ROOT,
        },
        agreed: output(devnet, agreed),
        claimed: Proposal {
            root,
            l2_block: agreed + 1,
        },
        l1_head: l1_head(devnet),
        l2_chain_id: L2_CHAIN_ID,
    }
}

/// From nodes, in the machine; steps that read local data, a block's data and a blob are
/// executed by the contract, with what was uploaded from the host's store.
#[test]
fn the_fault_proof_program_judges_a_devnet() {
    let devnet = devnet();
    let served = devnet.serve(Faults::default()).expect("nodes");
    let folder = tempfile::tempdir().expect("a folder");
    let program = Program {
        nodes: Some(HostNodes {
            l1: served.l1(),
            beacon: served.beacon(),
            l2: served.l2(),
            l1_chain_id: None,
        }),
        ..fault_proof(folder.path(), &devnet)
    };
    let mut machines = machines(&program);
    let right = execution(&devnet, 1, output(&devnet, 2).root);
    let last = u128::from(u64::MAX);
    assert_eq!(machines.state_hash(&right, last).expect("an end")[0], 0);
    let wrong = execution(&devnet, 1, B256::repeat_byte(5));
    assert_eq!(machines.state_hash(&wrong, last).expect("an end")[0], 1);

    let mut source = carronade_challenger::StoredPreimages::new(Arc::clone(&program.preimages));
    let mut steps = vec![0];
    for kind in [1, 2, 5] {
        let mut trace = program.open(&right).expect("a trace");
        steps.push(reads(&mut trace, kind));
    }
    for (step, kind) in steps.into_iter().zip([None, Some(1), Some(2), Some(5)]) {
        let data = machines.step_data(&right, step.into()).expect("a step");
        assert_eq!(data.oracle.as_ref().map(|oracle| oracle.key[0]), kind);
        let post = machines.state_hash(&right, step.into()).expect("a state");
        let on_chain = OnChain::new(&data, &mut source);
        let done = on_chain.step(&data.state_data, &data.proof, right.outputs.local_context());
        assert_eq!(done, Ok(post), "step {step}");
    }
}

/// A whole game of output roots from a rollup node and the fault proof program.
#[test]
fn a_game_about_a_devnet_is_played_to_the_instruction() {
    let devnet = devnet();
    let served = devnet.serve(Faults::default()).expect("nodes");
    let chain = Arc::clone(&devnet);
    let nodes = Nodes::start(move |_, method, params| rollup(&chain, method, params));
    let folder = tempfile::tempdir().expect("a folder");
    let traces = NodeTraces {
        outputs: OutputNodes {
            rollup: nodes.node("rollup"),
            l1: Rpc::new("L1 node", &served.l1()).expect("an address"),
            l2: Rpc::new("L2 node", &served.l2()).expect("an address"),
            must_be_past_head: true,
        },
        program: Program {
            nodes: Some(HostNodes {
                l1: served.l1(),
                beacon: served.beacon(),
                l2: served.l2(),
                l1_chain_id: None,
            }),
            ..fault_proof(folder.path(), &devnet)
        },
        l2_chain_id: L2_CHAIN_ID,
    };
    let parameters = Parameters {
        max_depth: 44,
        split_depth: 2,
        ..Parameters::STANDARD
    };
    let head = devnet.l2_head().min(4);
    let right = output(&devnet, head);
    let claimed = Proposal {
        root: lying((), 2, 0).mark(right.root),
        ..right
    };
    let of = |prestate| (l1_head(&devnet), L2_CHAIN_ID, prestate);
    let about = |prestate| game(parameters, LIAR, claimed, output(&devnet, 0), of(prestate));
    let other = traces.open(&about(B256::repeat_byte(6)));
    assert!(other.err().expect("another program").contains("0x0606"));

    let mut game = about(traces.program.prestate);
    let instruction = 3_000_000;
    let data = play(&mut game, &traces, 2, instruction).expect("a step");
    let step = data.state_data[99..107].first_chunk().expect("8 bytes");
    assert_eq!(u64::from_be_bytes(*step), instruction);
    assert_eq!(game.status(), GameStatus::ChallengerWins);
    assert_eq!(game.credit(LIAR), 0);
    assert!(game.credit(HONEST) > 0);
}
