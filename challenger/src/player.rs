//! Plays one game: at each new block reads it, plans, and sends what is due.

use std::collections::HashSet;
use std::sync::Arc;

use alloy_primitives::Address;
use carronade_dispute::solver::{Resolution, resolutions};
use carronade_dispute::{Action, Game, GameStatus, Solver, TraceAccessor as _};

use crate::calls;
use crate::chain::{Block, Chain};
use crate::metrics::{Metrics, count};
use crate::reader::{Credit, Facts, ReadError, Reader};
use crate::room::Room;
use crate::sender::{Request, SendError, Sender};
use crate::traces::{GameTrace, Traces};
use crate::uploads::{Next, UploadFault, Uploader};
use crate::{Notice, Severity};

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
    /// Room for those whose traces work at the same time.
    pub room: Room,
    /// Counters.
    pub metrics: Arc<Metrics>,
    /// How users are told.
    pub notice: Notice,
}

impl Table {
    /// Tells something of a game, by its address unless the words have it.
    pub(crate) fn tell_of(&self, game: Address, severity: Severity, words: &str) {
        match words.contains(&game.to_string()) {
            true => self.notice.tell(severity, words),
            false => self.notice.tell(severity, &format!("game {game}: {words}")),
        }
    }
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
    /// When it is asked again for a credit that was not due, in seconds.
    ask_again: u64,
}

/// How long a credit that was not due is not asked for again, in seconds.
const CREDIT_PAUSE: u64 = 300;

/// Claims that are not to be resolved now: a step is still to be made against them.
type Open = HashSet<usize>;

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
            ask_again: 0,
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
        let result = match seen.credit {
            None => self.play(game, head),
            Some(credit) => {
                // Machines take room.
                self.solver = None;
                self.claim_credit(credit, head)
            }
        };
        result.map(|()| Standing {
            status: game.status(),
            finished: seen.credit.is_some_and(|credit| credit.is_nothing()),
        })
    }

    /// Moves, steps and resolves; what could be done is done in spite of an error, the first one.
    fn play(&mut self, game: &Game, head: &Block) -> Result<(), RoundError> {
        let (actions, mut open) = match self.plan(game, head) {
            Ok((actions, true)) => (actions, Open::new()),
            Ok((actions, false)) => (actions, unjudged(game)),
            Err(words) => {
                count(&self.table.metrics.trace_failures);
                self.tell_new(Severity::Warn, words);
                (Vec::new(), unjudged(game))
            }
        };
        let mut result = Ok(());
        for action in actions {
            if let Action::Step { claim, .. } = action {
                open.insert(claim);
            }
            match self.act(game, head, action) {
                // Somebody was faster, or a clock ran out: the next round sees it.
                Err(RoundError::Send(error @ SendError::Reverts { .. })) => {
                    self.tell_new(Severity::Warn, error.to_string());
                }
                other => result = result.and(other),
            }
        }
        result.and(self.resolve(game, head, &open))
    }

    /// What to do, and whether all claims could be judged.
    fn plan(&mut self, game: &Game, head: &Block) -> Result<(Vec<Action>, bool), String> {
        // Only traces need room: who has nothing to ask them, or sends, is not held up.
        let table = Arc::clone(&self.table);
        let _place = table.room.enter();
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
            let (severity, how) = match agrees {
                true => (Severity::Info, "right"),
                false => {
                    count(&self.table.metrics.games_disagreed);
                    (Severity::Warn, "wrong")
                }
            };
            let (root, block) = (creation.claimed.root, creation.claimed.l2_block);
            let words = format!("the root claim {root} about block {block} is {how}");
            table.tell_of(self.reader.facts().address, severity, &words);
        }
        if plan.actions.is_empty() {
            solver.trace().rest();
        }
        let is_whole = plan.failure.is_none();
        if let Some(failure) = plan.failure {
            count(&self.table.metrics.trace_failures);
            self.tell_new(Severity::Warn, failure);
        }
        Ok((plan.actions, is_whole))
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
                        let words = format!(
                            "the pre-image for the step against claim {claim} can be finished \
                             after {until}"
                        );
                        self.tell_new(Severity::Info, words);
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

    /// Resolves what can be resolved now, but for claims that a step is still to be made against,
    /// and those above them: the contract has no clock for steps, and pays the bond of a claim that
    /// is resolved before to who made it.
    fn resolve(&mut self, game: &Game, head: &Block, open: &Open) -> Result<(), RoundError> {
        let open = with_ancestors(game, open);
        let mut result = Ok(());
        for resolution in resolutions(game, head.timestamp, &[], None) {
            // What it needs must be on the chain.
            let is_due = match resolution {
                Resolution::ResolveClaim { claim, .. } => {
                    let mut below = game.children(claim).iter();
                    !open.contains(&claim) && below.all(|child| game.is_resolved(*child))
                }
                _ => game.is_resolved(0),
            };
            if !is_due {
                continue;
            }
            let request = calls::resolution(self.reader.facts().address, resolution, false);
            match self.send(request, &self.table.metrics.resolutions) {
                // It was done by another.
                Err(RoundError::Send(SendError::Reverts { .. })) => {}
                other => result = result.and(other),
            }
        }
        result
    }

    /// Takes what is due to the account, once the contract gives it.
    fn claim_credit(&mut self, credit: Credit, head: &Block) -> Result<(), RoundError> {
        if credit.is_nothing() || head.timestamp < self.ask_again {
            return Ok(());
        }
        let at = self.reader.facts().address;
        let request = match credit.amount.is_zero() {
            // The account has lost, or the game may turn out not to count.
            true => calls::close(at),
            false => {
                let recipient = self.table.sender.account();
                let claim = Resolution::ClaimCredit { recipient };
                calls::resolution(at, claim, credit.is_unlocked)
            }
        };
        match self.send(request, &self.table.metrics.credit_claims) {
            // It is not due yet.
            Err(RoundError::Send(SendError::Reverts { .. })) => {
                self.ask_again = head.timestamp + CREDIT_PAUSE;
                Ok(())
            }
            other => other,
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

    /// Tells something, unless it is what was told last.
    fn tell_new(&mut self, severity: Severity, words: String) {
        if self.told.as_ref() != Some(&words) {
            self.table
                .tell_of(self.reader.facts().address, severity, &words);
            self.told = Some(words);
        }
    }
}

/// Claims at the bottom that nobody has countered: without an answer from the trace it is not known
/// whether a step is due against them.
fn unjudged(game: &Game) -> Open {
    let max_depth = game.parameters().max_depth;
    let claims = game.claims().iter().enumerate();
    let at_bottom = claims
        .filter(|(_, claim)| claim.position.depth() == max_depth && claim.countered_by.is_none());
    at_bottom.map(|(index, _)| index).collect()
}

fn with_ancestors(game: &Game, claims: &Open) -> Open {
    let mut all = Open::new();
    for claim in claims {
        let mut next = Some(*claim);
        while let Some(index) = next.filter(|index| all.insert(*index)) {
            next = game.claims()[index].parent;
        }
    }
    all
}
