//! Reads a game from a chain.

use alloy_primitives::{Address, U256};
use carronade_contracts::abi::{CannonVM, FaultDisputeGame as Abi, PreimageOracle};
use carronade_dispute::game::{Clock, Snapshot};
use carronade_dispute::{Claim, Creation, Game, GameStatus, Parameters, Position, Proposal};

use crate::chain::{Block, Chain};
use crate::rpc::RpcError;

/// `BondDistributionMode.UNDECIDED`.
const UNDECIDED: u8 = 0;

/// More claims than anybody could pay the bonds of.
const MOST_CLAIMS: u64 = 1 << 20;

/// Why a game cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The node.
    #[error(transparent)]
    Rpc(#[from] RpcError),
    /// What the node tells is no game.
    #[error("game {0} cannot be what the node tells: {1}")]
    Broken(Address, String),
}

/// What a game never changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// The game.
    pub address: Address,
    /// Its type.
    pub game_type: u32,
    /// What it is played with.
    pub parameters: Parameters,
    /// What it was created with.
    pub creation: Creation,
    /// The oracle that it reads from.
    pub oracle: Address,
    /// The smallest pre-image that is uploaded in parts, in bytes.
    pub min_large_preimage: usize,
}

/// Reads one game.
#[derive(Clone)]
pub struct Reader {
    chain: Chain,
    facts: Facts,
}

/// A game at a block.
#[derive(Debug, Clone)]
pub struct Seen {
    /// The game.
    pub game: Game,
    /// What the contract says of an account; nothing while the game is in progress.
    pub credit: Option<Credit>,
}

/// What an account has to get from a game.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Credit {
    /// How much, in wei, as bonds are distributed now.
    pub amount: U256,
    /// Whether it has been unlocked.
    pub is_unlocked: bool,
    /// What the account has paid in, in wei, if it may still get it back: it is not decided how
    /// bonds are distributed.
    pub refund: U256,
}

impl Credit {
    /// Whether there is nothing to get, now or later.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.amount.is_zero() && self.refund.is_zero()
    }
}

impl Reader {
    /// Reads what a game never changes.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn new(chain: Chain, address: Address, at: &Block) -> Result<Self, ReadError> {
        let facts = Facts::read(&chain, address, at)?;
        Ok(Self { chain, facts })
    }

    /// What the game never changes.
    #[must_use]
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// The game at a block, and what an account has to get.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn read(&self, at: &Block, account: Address) -> Result<Seen, ReadError> {
        let snapshot = self.snapshot(at)?;
        let over = snapshot.status != GameStatus::InProgress;
        let (parameters, creation) = (self.facts.parameters, self.facts.creation.clone());
        let game = Game::restore(parameters, creation, snapshot);
        let game = game.map_err(|broken| self.broken(broken))?;
        let credit = match over {
            true => Some(self.credit(at, account)?),
            false => None,
        };
        Ok(Seen { game, credit })
    }

    fn credit(&self, at: &Block, recipient: Address) -> Result<Credit, RpcError> {
        let (chain, address) = (&self.chain, self.facts.address);
        let unlocked = Abi::hasUnlockedCreditCall { recipient };
        let mode = chain.view(at, address, &Abi::bondDistributionModeCall {})?;
        let refund = match mode {
            UNDECIDED => chain.view(at, address, &Abi::refundModeCreditCall { recipient })?,
            _ => U256::ZERO,
        };
        Ok(Credit {
            amount: chain.view(at, address, &Abi::creditCall { recipient })?,
            is_unlocked: chain.view(at, address, &unlocked)?,
            refund,
        })
    }

    fn snapshot(&self, at: &Block) -> Result<Snapshot, ReadError> {
        let (chain, address) = (&self.chain, self.facts.address);
        let count: U256 = chain.view(at, address, &Abi::claimDataLenCall {})?;
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        if count > MOST_CLAIMS {
            return Err(self.broken(format!("it has {count} claims")));
        }
        let indices = || (0..count).map(U256::from);
        let calls = indices().map(|index| Abi::claimDataCall { index });
        let told = chain.view_all(at, address, calls)?;
        let claims: Result<Vec<Claim>, ReadError> = told
            .into_iter()
            .map(|told| claim(told).ok_or_else(|| self.broken("a claim has no place")))
            .collect();
        let calls = indices().map(|claim_index| Abi::resolvedSubgamesCall {
            claimIndex: claim_index,
        });
        let challenger = chain.view(at, address, &Abi::l2BlockNumberChallengerCall {})?;
        let status = chain.view(at, address, &Abi::statusCall {})?;
        let resolved_at = chain.view(at, address, &Abi::resolvedAtCall {})?;
        Ok(Snapshot {
            claims: claims?,
            resolved: chain.view_all(at, address, calls)?,
            status: match status {
                0 => GameStatus::InProgress,
                1 => GameStatus::ChallengerWins,
                2 => GameStatus::DefenderWins,
                other => return Err(self.broken(format!("its status is {other}"))),
            },
            resolved_at: Some(resolved_at).filter(|at| *at != 0),
            block_number_challenger: Some(challenger).filter(|address| !address.is_zero()),
        })
    }

    fn broken(&self, why: impl ToString) -> ReadError {
        ReadError::Broken(self.facts.address, why.to_string())
    }
}

impl Facts {
    fn read(chain: &Chain, address: Address, at: &Block) -> Result<Self, ReadError> {
        let broken = |why: &str| ReadError::Broken(address, why.to_owned());
        let number = |value: U256, what: &str| {
            u64::try_from(value).map_err(|_| broken(&format!("its {what} is {value}")))
        };
        macro_rules! ask {
            ($call:ident) => {
                chain.view(at, address, &Abi::$call {})?
            };
        }
        let vm = ask!(vmCall);
        let oracle = chain.view(at, vm, &CannonVM::oracleCall {})?;
        let period = chain.view(at, oracle, &PreimageOracle::challengePeriodCall {})?;
        let min_size = chain.view(at, oracle, &PreimageOracle::minProposalSizeCall {})?;
        let root = Abi::claimDataCall { index: U256::ZERO };
        let depth = |value: U256, what: &str| {
            u32::try_from(value).map_err(|_| broken(&format!("its {what} is {value}")))
        };
        let parameters = Parameters {
            max_depth: depth(ask!(maxGameDepthCall), "depth")?,
            split_depth: depth(ask!(splitDepthCall), "split depth")?,
            max_clock_duration: ask!(maxClockDurationCall),
            clock_extension: ask!(clockExtensionCall),
            challenge_period: number(period, "oracle's challenge period")?,
        };
        let creation = Creation {
            creator: ask!(gameCreatorCall),
            claimed: Proposal {
                root: ask!(rootClaimCall),
                l2_block: number(ask!(l2BlockNumberCall), "block")?,
            },
            starting: Proposal {
                root: ask!(startingRootHashCall),
                l2_block: number(ask!(startingBlockNumberCall), "starting block")?,
            },
            l1_head: ask!(l1HeadCall),
            l2_chain_id: number(ask!(l2ChainIdCall), "chain")?,
            absolute_prestate: ask!(absolutePrestateCall),
            created_at: ask!(createdAtCall),
            bond: chain.view(at, address, &root)?.bond,
        };
        Ok(Self {
            address,
            game_type: ask!(gameTypeCall),
            parameters,
            creation,
            oracle,
            min_large_preimage: usize::try_from(min_size).unwrap_or(usize::MAX),
        })
    }
}

/// A claim as the contract keeps it (`ClaimData`).
fn claim(told: Abi::claimDataReturn) -> Option<Claim> {
    let parent = Some(told.parentIndex).filter(|parent| *parent != u32::MAX);
    Some(Claim {
        parent: parent.map(|parent| parent as usize),
        countered_by: Some(told.counteredBy).filter(|address| !address.is_zero()),
        claimant: told.claimant,
        bond: told.bond,
        value: told.claim,
        position: Position::from_gindex(told.position)?,
        clock: Clock {
            duration: (told.clock >> 64) as u64,
            timestamp: told.clock as u64,
        },
    })
}
