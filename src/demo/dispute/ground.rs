//! What games of the demo are about, and the chain that they are played on.

use crate::cli::{self, DemoDispute, GameProgram};
use crate::log::Logger;
use crate::{interrupt, programs, settlement, trace};
use alloy_primitives::B256;
use anyhow::{Context, Result};
use carronade_challenger::{
    Anvil, AnvilOptions, Chain, HostNodes, NodeTraces, Notice, OutputNodes, Program, QuickChain,
    QuickTraces, Rpc, Traces, Unlocked, start_of_elf,
};
use carronade_checkpoint::Store;
use carronade_contracts::deployment::Parameters;
use carronade_devnet::{Devnet, Faults, Served, Spec};
use carronade_dispute::Proposal;
use carronade_host::MemoryStore;
use carronade_program::chain::ChainSpec;
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;

/// The small chain that the verifier judges.
const SMALL_CHAIN: ChainSpec = ChainSpec {
    seed: 1,
    blocks: 16,
    leaves_per_block: 8,
};

/// The id of the small chain, which has none of its own.
const SMALL_CHAIN_ID: u64 = 901;

/// The chain that is disputed.
enum Subject {
    Small(QuickChain),
    Devnet { devnet: Arc<Devnet>, served: Served },
}

/// A local chain, and what games on it are about.
pub struct Ground {
    subject: Subject,
    program: Program,
    anvil: Anvil,
    folder: TempDir,
}

impl Ground {
    pub fn new(args: &DemoDispute, binary: &Path, logger: &Logger) -> Result<Self> {
        let folder = tempfile::tempdir().context("cannot create a temporary folder")?;
        let subject = subject(args.program)?;
        let options = match &subject {
            Subject::Small(_) => AnvilOptions::default(),
            Subject::Devnet { served, .. } => AnvilOptions {
                fork: Some(served.l1()),
                ..AnvilOptions::default()
            },
        };
        let anvil = Anvil::start(binary, &options)?;
        let name = match args.program {
            GameProgram::Verifier => "verifier",
            GameProgram::FaultProof => "fault-proof",
        };
        let (start, prestate) = start_of_elf(programs::elf_of_game(name)?)?;
        let checkpoints = folder.path().join("checkpoints");
        let place = checkpoints.to_str().context("the folder is not UTF-8")?;
        let mut program = Program {
            start,
            prestate,
            engine: trace::maker(cli::Engine::Translator, &args.translation, logger),
            options: carronade_trace::Options::default(),
            checkpoints: Store::open(place, &Default::default())?,
            preimages: Arc::new(MemoryStore::new()),
            nodes: None,
            rollup_config: None,
            l1_config: None,
            interrupted: Arc::new(interrupt::requested),
            notice: settlement::notice("host", logger).of_host(),
        };
        if let Subject::Devnet { devnet, served } = &subject {
            program.nodes = Some(HostNodes {
                l1: anvil.url().to_owned(),
                beacon: served.beacon(),
                l2: served.l2(),
                l1_chain_id: None,
            });
            program.rollup_config = Some(serde_json::to_vec(&devnet.config)?);
        }
        Ok(Self {
            subject,
            program,
            anvil,
            folder,
        })
    }

    pub fn about(&self) -> String {
        let prestate = self.program.prestate;
        match &self.subject {
            Subject::Small(chain) => format!(
                "A chain of {} blocks, judged by the verifier (prestate {prestate}), on anvil.",
                chain.head()
            ),
            Subject::Devnet { devnet, .. } => format!(
                "A devnet of {} L2 blocks, judged by the fault proof program (prestate \
                 {prestate}); anvil goes on with its L1.",
                devnet.l2_head()
            ),
        }
    }

    pub fn anvil(&self) -> &Anvil {
        &self.anvil
    }

    /// Who deploys: anvil's first account.
    pub fn deployer(&self) -> Result<Unlocked> {
        let accounts = self.anvil.accounts()?;
        let first = accounts.first().context("anvil has no accounts")?;
        Ok(Unlocked::new(self.anvil.rpc(), *first))
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The chain that games are played on.
    pub fn chain(&self) -> Result<Chain> {
        Ok(Chain::new(Rpc::new("anvil", self.anvil.url())?))
    }

    /// The right output root of the last block.
    pub fn claim(&self) -> Proposal {
        match &self.subject {
            Subject::Small(chain) => chain.output(chain.head()),
            Subject::Devnet { devnet, .. } => Proposal {
                root: output_root(devnet, devnet.l2_head()),
                l2_block: devnet.l2_head(),
            },
        }
    }

    /// The standard configuration, with the chain's first output root as the anchor.
    pub fn parameters(&self, max_depth: u64) -> Parameters {
        let anchor = match &self.subject {
            Subject::Small(chain) => chain.output(0).root,
            Subject::Devnet { devnet, .. } => output_root(devnet, 0),
        };
        Parameters {
            max_depth,
            anchor: anchor.0,
            anchor_block: 0,
            prestate: self.program.prestate.0,
            chain_id: self.chain_id(),
            ..Parameters::default()
        }
    }

    fn chain_id(&self) -> u64 {
        match &self.subject {
            Subject::Small(_) => SMALL_CHAIN_ID,
            Subject::Devnet { devnet, .. } => devnet.config.l2_chain_id.id(),
        }
    }

    /// The true traces of games.
    pub fn traces(&self, notice: &Notice) -> Result<Box<dyn Traces>> {
        let mut program = self.program.clone();
        program.notice = notice.of_host();
        Ok(match &self.subject {
            Subject::Small(chain) => Box::new(QuickTraces::new(chain.clone(), program)),
            Subject::Devnet { served, .. } => Box::new(NodeTraces {
                outputs: OutputNodes {
                    rollup: Rpc::new("rollup node", &served.rollup())?,
                    l1: Rpc::new("L1 node", self.anvil.url())?,
                    l2: Rpc::new("L2 node", &served.l2())?,
                    // The devnet's own L1 has ended.
                    must_be_past_head: false,
                },
                program,
                l2_chain_id: self.chain_id(),
            }),
        })
    }
}

fn subject(program: GameProgram) -> Result<Subject> {
    Ok(match program {
        GameProgram::Verifier => Subject::Small(QuickChain::new(SMALL_CHAIN)),
        GameProgram::FaultProof => {
            let devnet = Devnet::generate(&spec()).context("cannot make a devnet")?;
            let devnet = Arc::new(devnet);
            let served = Arc::clone(&devnet).serve(Faults::default());
            let served = served.context("cannot serve the devnet")?;
            Subject::Devnet { devnet, served }
        }
    })
}

/// A chain whose sequencing window does not end among the blocks that games add to its L1:
/// derivation would put empty blocks after its last one.
fn spec() -> Spec {
    Spec {
        window: 100_000,
        ..Spec::standard()
    }
}

/// The right output root of a block.
fn output_root(devnet: &Devnet, block: u64) -> B256 {
    devnet.claim(0, block).claimed_l2_output_root
}
