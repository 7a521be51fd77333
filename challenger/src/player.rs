//! Plays one game: at each new block reads it, plans, and sends what is due.

use std::sync::Arc;

use alloy_primitives::{Address, U256};
use carronade_dispute::solver::{Resolution, resolutions};
use carronade_dispute::{Action, Game, GameStatus, Solver};

use crate::calls;
use crate::chain::{Block, Chain};
use crate::metrics::{Metrics, count};
use crate::reader::{Facts, ReadError, Reader};
use crate::sender::{Request, SendError, Sender};
use crate::traces::{GameTrace, Traces};
use crate::uploads::{Next, UploadFault, Uploader};
use crate::{Notice, RpcError};

/// Why a round failed.
#[derive(Debug, thiserror::Error)]
pub enum RoundError {
    /// The game cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Something cannot be sent.
    #[error(transparent)]
    Send(#[from] SendError),
    /// A pre-image cannot be brought into the oracle.
    #[error(transparent)]
    Upload(#[from] UploadFault),
}

/// Where a game stands after a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Its status.
    pub status: GameStatus,
    /// Claims in it.
    pub claims: usize,
    /// Whether there is nothing left to do, now or later.
    pub finished: bool,
}

/// What players share.
pub struct Table {
    /// The chain.
    pub chain: Chain,
    /// Who sends.
    pub sender: Sender,
    /// Who answers for traces.
    pub traces: Box<dyn Traces>,
    /// Counters.
    pub metrics: Arc<Metrics>,
    /// How users are told.
    pub notice: Notice,
}

/// Plays one game.
pub struct Player {
    table: Arc<Table>,
    reader: Reader,
    /// Opened when it is first needed.
    solver: Option<Solver<GameTrace>>,
    /// Whether it was told that the root is wrong, or right.
    judged: Option<bool>,
    /// The failure told last: the same one is not told each round.
    told: Option<String>,
}

impl Player {
    /// A player of the game at an address.
    ///
    /// # Errors
    /// When the game cannot be read.
    pub fn new(table: Arc<Table>, address: Address, head: &Block) -> Result<Self, ReadError> {
        Ok(Self {
            reader: Reader::new(table.chain.clone(), address, head)?,
            table,
            solver: None,
            judged: None,
            told: None,
        })
    }

    /// What the game never changes.
    #[must_use]
    pub fn facts(&self) -> &Facts {
        self.reader.facts()
    }

    /// One round: reads the game at a block and sends what is due.
    ///
    /// # Errors
    /// [`RoundError`]; what could be done has been done all the same.
    pub fn round(&mut self, head: &Block) -> Result<Standing, RoundError> {
        count(&self.table.metrics.rounds);
        let account = self.table.sender.account();
        let seen = self.reader.read(head, account)?;
        let game = &seen.game;
        let mut first_error = None;
        if game.status() == GameStatus::InProgress {
            self.play(game, head, &mut first_error);
        } else {
            // Machines take room.
            self.solver = None;
        }
        let due = match seen.credit {
            None => resolutions(game, head.timestamp, &[], None),
            Some((credit, _)) if !credit.is_zero() => {
                vec![Resolution::ClaimCredit { recipient: account }]
            }
            Some(_) => Vec::new(),
        };
        let unlocked = seen.credit.is_some_and(|(_, unlocked)| unlocked);
        self.end(&due, unlocked, &mut first_error);
        let standing = Standing {
            status: game.status(),
            claims: game.claims().len(),
            finished: seen.credit.is_some_and(|(credit, _)| credit == U256::ZERO),
        };
        first_error.map_or(Ok(standing), Err)
    }

    fn play(&mut self, game: &Game, head: &Block, first_error: &mut Option<RoundError>) {
        let planned = self.plan(game, head);
        let actions = match planned {
            Ok(actions) => actions,
            Err(words) => {
                count(&self.table.metrics.trace_failures);
                return self.tell_new(words);
            }
        };
        for action in actions {
            match self.act(game, head, action) {
                Ok(()) => {}
                // Somebody was faster, or a clock ran out: the next round sees it.
                Err(RoundError::Send(error @ SendError::Reverts { .. })) => {
                    self.tell_new(error.to_string());
                }
                Err(error) => {
                    first_error.get_or_insert(error);
                }
            }
        }
    }

    fn plan(&mut self, game: &Game, head: &Block) -> Result<Vec<Action>, String> {
        let solver = match &mut self.solver {
            Some(solver) => solver,
            None => {
                let trace = self.table.traces.open(game)?;
                self.solver.insert(Solver::new(trace))
            }
        };
        let plan = solver.next_actions(game, head.timestamp);
        if self.judged.is_none()
            && let Ok(agrees) = solver.agrees_with_root(game)
        {
            self.judged = Some(agrees);
            let creation = game.creation();
            let how = match agrees {
                true => "right",
                false => {
                    count(&self.table.metrics.games_disagreed);
                    "wrong"
                }
            };
            (self.table.notice)(&format!(
                "game {}: the root claim {} about block {} is {how}",
                self.reader.facts().address,
                creation.claimed.root,
                creation.claimed.l2_block
            ));
        }
        if let Some(failure) = plan.failure {
            count(&self.table.metrics.trace_failures);
            self.tell_new(failure);
        }
        Ok(plan.actions)
    }

    fn act(&mut self, game: &Game, head: &Block, action: Action) -> Result<(), RoundError> {
        let metrics = Arc::clone(&self.table.metrics);
        let at = self.reader.facts().address;
        match action {
            Action::Move {
                parent,
                is_attack,
                claim,
            } => match calls::make_claim(at, game, parent, is_attack, claim) {
                Ok(request) => self.send(request, &metrics.moves),
                Err(error) => Err(UploadFault::Game(error).into()),
            },
            Action::Step {
                claim,
                is_attack,
                data,
            } => {
                let uploader = Uploader {
                    chain: &self.table.chain,
                    head,
                    facts: self.reader.facts(),
                    account: self.table.sender.account(),
                };
                let source = self.table.traces.preimages();
                let next = match &data.oracle {
                    Some(oracle) => uploader.next(game, claim, oracle, source)?,
                    None => Next::Ready,
                };
                match next {
                    Next::Ready => {
                        let request = calls::step(at, claim, is_attack, &data);
                        self.send(request, &metrics.steps)
                    }
                    Next::Call(request) => self.send(request, &metrics.uploads),
                    Next::Wait(until) => {
                        self.tell_new(format!(
                            "the pre-image for the step against claim {claim} can be finished \
                             after {until}"
                        ));
                        Ok(())
                    }
                }
            }
            Action::ChallengeL2BlockNumber(shown) => {
                let request = calls::challenge_block_number(at, &shown);
                self.send(request, &metrics.moves)
            }
        }
    }

    /// Resolves and claims. What is refused is not due yet, or was done by another.
    fn end(&mut self, due: &[Resolution], unlocked: bool, first_error: &mut Option<RoundError>) {
        let metrics = Arc::clone(&self.table.metrics);
        for resolution in due {
            let counter = match resolution {
                Resolution::ClaimCredit { .. } => &metrics.credit_claims,
                _ => &metrics.resolutions,
            };
            let request = calls::resolution(self.reader.facts().address, *resolution, unlocked);
            match self.send(request, counter) {
                // Those that come after it need it on the chain first.
                Err(RoundError::Send(SendError::Reverts { .. })) => break,
                Err(error) => {
                    first_error.get_or_insert(error);
                    break;
                }
                Ok(()) => {}
            }
        }
    }

    fn send(
        &self,
        request: Request,
        counter: &std::sync::atomic::AtomicU64,
    ) -> Result<(), RoundError> {
        if let crate::Submission::Sent(_) = self.table.sender.submit(request)? {
            count(counter);
        }
        Ok(())
    }

    /// Tells a failure, unless it is the one told last.
    pub(crate) fn tell_new(&mut self, words: String) {
        if self.told.as_ref() != Some(&words) {
            let at = self.reader.facts().address;
            match words.contains(&at.to_string()) {
                true => (self.table.notice)(&words),
                false => (self.table.notice)(&format!("game {at}: {words}")),
            }
            self.told = Some(words);
        }
    }
}

impl RoundError {
    /// The node's part in it, if any.
    #[must_use]
    pub fn rpc(&self) -> Option<&RpcError> {
        match self {
            Self::Read(ReadError::Rpc(error))
            | Self::Send(SendError::Rpc(error))
            | Self::Upload(UploadFault::Rpc(error)) => Some(error),
            _ => None,
        }
    }
}
