//! A game between two agents, one of which has a trace that is wrong.

use super::ground::Ground;
use crate::create_game::create;
use crate::failure::{Failure, Outcome};
use crate::log::Logger;
use crate::{interrupt, say};
use alloy_primitives::{Address, U256};
use anyhow::{Context, Result, anyhow};
use carronade_challenger::{
    Agent, AgentOptions, Block, Chain, Factory, GameTrace, Journal, Metrics, Notice, Reader, Room,
    SendOptions, Sender, Table, Traces, Wallet,
};
use carronade_contracts::abi::DelayedWETH;
use carronade_contracts::deployment::{CANNON, Deployment};
use carronade_dispute::draw::{self, View};
use carronade_dispute::provider::Lying;
use carronade_dispute::upload::PreimageSource;
use carronade_dispute::{Claim, Game, GameStatus, Proposal};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Keys of anvil's second and third account, which everybody knows.
const HONEST_KEY: &str = "59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d";
const LIAR_KEY: &str = "5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a";

/// Between looks at the chain.
const POLL: Duration = Duration::from_millis(20);

/// How often time is moved on before it is concluded that a game does not end.
const MOST_WAITS: u32 = 8;

/// How often the game is read again when it cannot be what is told.
const MOST_TRIES: u32 = 50;

/// How long nothing may happen: longer than the first run of a trace takes.
const PATIENCE: Duration = Duration::from_secs(1_200);

/// How it went.
pub struct Played {
    pub status: GameStatus,
    pub claims: usize,
    /// The depth of the deepest claim.
    pub deepest: u32,
    /// Whether the honest side has proven a step.
    pub stepped: bool,
    /// What was paid in, in ether.
    pub bonds: f64,
    /// What the honest side has more than before, in ether.
    pub honest_gain: f64,
    /// What the liar has more than before, in ether.
    pub liar_gain: f64,
    /// Wei of bonds that nobody has got.
    pub left_in_game: u128,
    /// The game as a page.
    pub page: String,
}

/// One of the two.
struct Side {
    table: Arc<Table>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    /// The balance before the game.
    before: U256,
}

/// A game between two agents.
pub struct Contest<'a> {
    ground: &'a Ground,
    chain: Chain,
    honest: Side,
    liar: Side,
    reader: Reader,
    weth: Address,
}

/// The traces of the liar.
struct LyingTraces {
    truth: Box<dyn Traces>,
    lie: Lying<()>,
}

impl Traces for LyingTraces {
    fn open(&self, game: &Game) -> Result<GameTrace, String> {
        let truth = self.truth.open(game)?;
        let Lying {
            block,
            instruction,
            salt,
            truth: (),
        } = self.lie;
        Ok(Box::new(Lying {
            truth,
            block,
            instruction,
            salt,
        }))
    }

    fn preimages(&self) -> Box<dyn PreimageSource + Send> {
        self.truth.preimages()
    }
}

impl<'a> Contest<'a> {
    /// Creates the game, and lets both sides begin.
    pub fn new(
        ground: &'a Ground,
        deployment: &Deployment,
        liar_proposes: bool,
        instruction: u64,
        logger: &Logger,
    ) -> Outcome<Self> {
        let chain = ground.chain()?;
        let right = ground.claim();
        let lie = Lying {
            truth: (),
            // In the middle, so that the block must be found too.
            block: right.l2_block / 2 + 1,
            instruction,
            salt: 1,
        };
        let folder = match liar_proposes {
            true => ground.folder().join("dishonest-proposer"),
            false => ground.folder().join("dishonest-challenger"),
        };
        let truth = |name: &'static str| {
            let notice = crate::settlement::notice(name, logger);
            Ok::<_, anyhow::Error>((ground.traces(&notice)?, notice))
        };
        let (traces, notice) = truth("honest")?;
        let honest = Side::new(&chain, HONEST_KEY, &folder.join("honest"), traces, notice)?;
        let (truth, notice) = truth("liar")?;
        let traces = Box::new(LyingTraces {
            truth,
            lie: lie.clone(),
        });
        let liar = Side::new(&chain, LIAR_KEY, &folder.join("liar"), traces, notice)?;
        let factory = Factory::new(chain.clone(), deployment.factory);
        let (proposer, root) = match liar_proposes {
            true => (&liar, lie.output(right.l2_block, right.root)),
            false => (&honest, right.root),
        };
        let claimed = Proposal { root, ..right };
        let sender = &proposer.table.sender;
        let game = create(&chain, &factory, sender, CANNON, claimed, POLL)?;
        let game = game.context("the game was not created")?;
        let head = chain.latest()?;
        let reader = Reader::new(chain.clone(), game, &head)?;
        let mut contest = Self {
            ground,
            chain,
            honest,
            liar,
            reader,
            weth: deployment.weth,
        };
        contest.honest.begin(&factory);
        contest.liar.begin(&factory);
        Ok(contest)
    }

    /// Lets time pass whenever both wait, until the game is over and everybody is paid.
    pub fn play(mut self) -> Outcome<Played> {
        say!("  game {}", self.reader.facts().address);
        let (mut told, mut waits, mut stepped) = (0, 0, false);
        let mut newest = (self.chain.latest()?, Instant::now());
        loop {
            if interrupt::requested() {
                return Err(Failure::Interrupted);
            }
            let (head, game) = self.look()?;
            if head != newest.0 {
                newest = (head.clone(), Instant::now());
            } else if newest.1.elapsed() > PATIENCE {
                return Err(anyhow!("neither side does anything, and neither has ended").into());
            }
            for (index, claim) in game.claims().iter().enumerate().skip(told) {
                self.show(&game, index, claim)?;
            }
            told = game.claims().len();
            if let Some(index) = self.stepped_against(&game).filter(|_| !stepped) {
                say!("  honest proves on chain what the instruction does: claim {index} falls");
                stepped = true;
            }
            let left = self.left_in_game(&head)?;
            if game.status() != GameStatus::InProgress && left == 0 {
                return Ok(self.played(&game, left)?);
            }
            if !self.is_idle(&head)? {
                std::thread::sleep(POLL);
                continue;
            }
            if waits == MOST_WAITS {
                return Ok(self.played(&game, left)?);
            }
            waits += 1;
            say!(
                "  both wait; {} pass",
                days(game.parameters().max_clock_duration)
            );
            self.ground
                .anvil()
                .increase_time(game.parameters().max_clock_duration + 1)?;
        }
    }

    /// The game at the newest block. While anvil makes a block, it may answer partly for the next
    /// one; then the question is put again.
    fn look(&self) -> Result<(Block, Game)> {
        let mut tries = 0;
        loop {
            let head = self.chain.latest()?;
            match self.reader.read(&head, Address::ZERO) {
                Ok(seen) => return Ok((head, seen.game)),
                Err(error) if tries == MOST_TRIES => return Err(error.into()),
                Err(_) => tries += 1,
            }
            std::thread::sleep(POLL);
        }
    }

    fn show(&self, game: &Game, index: usize, claim: &Claim) -> Outcome {
        let who = self.name(claim.claimant);
        let depth = claim.position.depth();
        let about = match depth <= game.parameters().split_depth {
            true => format!("block {}", game.claimed_block(claim.position)),
            false => {
                let below = claim
                    .position
                    .relative_to(game.parameters().execution_depth());
                let index = below.trace_index(game.parameters().execution_levels());
                format!("state after step {index}")
            }
        };
        let how = match claim.parent {
            None => "claims".to_owned(),
            Some(parent) => {
                let above = game.claims()[parent].position;
                let verb = match claim.position == above.attack() {
                    true => "attacks",
                    false => "defends",
                };
                format!("{verb} {parent}:")
            }
        };
        say!("  {index:>3} {who:<6} {how} {about}, depth {depth}");
        Ok(())
    }

    /// The claim at the bottom that the honest side has countered: nothing but a step does that.
    fn stepped_against(&self, game: &Game) -> Option<usize> {
        let max_depth = game.parameters().max_depth;
        let honest = Some(self.honest.account());
        let mut claims = game.claims().iter();
        claims.position(|claim| claim.position.depth() == max_depth && claim.countered_by == honest)
    }

    fn name(&self, who: Address) -> &'static str {
        match who == self.honest.account() {
            true => "honest",
            false => "liar",
        }
    }

    /// Whether both have looked at the newest block and had nothing to do, and nothing is on its
    /// way into a block.
    fn is_idle(&self, head: &Block) -> Result<bool> {
        let sides = [&self.honest, &self.liar];
        let seen = sides.iter().all(|side| side.has_seen(head));
        Ok(seen && self.chain.latest()? == *head)
    }

    fn left_in_game(&self, head: &Block) -> Result<u128> {
        let call = DelayedWETH::balanceOfCall {
            account: self.reader.facts().address,
        };
        let left = self.chain.view(head, self.weth, &call)?;
        Ok(left.saturating_to())
    }

    fn played(&mut self, game: &Game, left_in_game: u128) -> Result<Played> {
        self.honest.end();
        self.liar.end();
        let head = self.chain.latest()?;
        let honest = self.honest.account();
        let claims = game.claims();
        let depths = claims.iter().map(|claim| claim.position.depth());
        let view = View {
            now: head.timestamp,
            title: format!("Game {}", self.reader.facts().address),
            names: [
                (honest, "honest".to_owned()),
                (self.liar.account(), "liar".to_owned()),
            ]
            .into(),
        };
        Ok(Played {
            status: game.status(),
            claims: claims.len(),
            deepest: depths.max().unwrap_or(0),
            stepped: self.stepped_against(game).is_some(),
            bonds: ether(claims.iter().map(|claim| claim.bond as f64).sum()),
            honest_gain: self.honest.gain(&self.chain, &head)?,
            liar_gain: self.liar.gain(&self.chain, &head)?,
            left_in_game,
            page: draw::html(game, &view),
        })
    }
}

impl Side {
    fn new(
        chain: &Chain,
        key: &str,
        folder: &Path,
        traces: Box<dyn Traces>,
        notice: Notice,
    ) -> Result<Self> {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot create {}", folder.display()))?;
        let wallet = Wallet::from_hex(key).context("no key")?;
        let id = chain.id()?;
        let journal = Journal::open(&folder.join("journal.redb"), id, wallet.address())?;
        let options = SendOptions {
            confirmations: 1,
            ..SendOptions::default()
        };
        let metrics = Arc::new(Metrics::default());
        let sender = Sender::new(
            chain.clone(),
            id,
            wallet,
            journal,
            options,
            Arc::clone(&metrics),
            // Each claim is told when it is on the chain.
            Notice::new(|_, _| {}),
        )?;
        let head = chain.latest()?;
        let before = chain.balance(sender.account(), &head)?;
        Ok(Self {
            table: Arc::new(Table {
                chain: chain.clone(),
                sender,
                traces,
                room: Room::new(1),
                metrics,
                notice,
            }),
            stop: Arc::default(),
            thread: None,
            before,
        })
    }

    fn begin(&mut self, factory: &Factory) {
        let options = AgentOptions {
            game_types: vec![CANNON],
            game_window: u64::MAX,
            poll_interval: POLL,
        };
        let (table, stop) = (Arc::clone(&self.table), Arc::clone(&self.stop));
        let agent = Agent::new(table, factory.clone(), options, stop);
        self.thread = Some(std::thread::spawn(move || agent.run()));
    }

    fn end(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has said so.
            let _ = thread.join();
        }
    }

    fn account(&self) -> Address {
        self.table.sender.account()
    }

    fn has_seen(&self, head: &Block) -> bool {
        let metrics = &self.table.metrics;
        let is_done = metrics.games_finished.load(Ordering::Relaxed) > 0;
        let is_seen = is_done || metrics.round_block.load(Ordering::Relaxed) >= head.number;
        is_seen && self.table.sender.pending() == 0
    }

    fn gain(&self, chain: &Chain, head: &Block) -> Result<f64> {
        let now = chain.balance(self.account(), head)?;
        let wei = |value: U256| value.saturating_to::<u128>() as f64;
        Ok(ether(wei(now) - wei(self.before)))
    }
}

impl Drop for Side {
    fn drop(&mut self) {
        self.end();
    }
}

fn ether(wei: f64) -> f64 {
    wei / 1e18
}

fn days(seconds: u64) -> String {
    format!("{:.1} days", seconds as f64 / 86_400.0)
}
