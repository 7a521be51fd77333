//! Watches a chain and plays all games of a factory at once.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use alloy_primitives::Address;

use crate::Severity;
use crate::chain::{Block, is_buried};
use crate::factory::{Factory, Listed};
use crate::heads::{Heads, TICK};
use crate::large::{Oracles, PreimageChallenger};
use crate::metrics::{count, set};
use crate::player::{Player, RoundError, Standing, Table};
use crate::reader::ReadError;
use crate::rpc::RpcError;
use crate::sender::SendError;

/// Games at the end of the factory's list that are looked at each time, since a reorganisation
/// may have put others in their places.
const UNCERTAIN: u64 = 16;

/// Games that are read from the list at one look.
const AT_ONCE: u64 = 1_000;

/// How often it is looked for what games that are over have left behind.
const PRUNING: Duration = Duration::from_secs(86_400);

/// What the agent does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentOptions {
    /// Types of games that are played; the others have other machines.
    pub game_types: Vec<u32>,
    /// Only games that were created so long ago at most, in seconds.
    pub game_window: u64,
    /// How often the chain is looked at.
    pub poll_interval: Duration,
}

/// Plays all games of a factory, and challenges what is put into their oracles.
pub struct Agent {
    table: Arc<Table>,
    factory: Factory,
    options: AgentOptions,
    heads: Arc<Heads>,
    stop: Arc<AtomicBool>,
    /// What games read from.
    oracles: Arc<Oracles>,
    /// Who looks at large pre-images.
    preimages: Option<JoinHandle<()>>,
    games: HashMap<Address, (Listed, JoinHandle<End>)>,
    /// Games in which there is nothing left to do.
    finished: HashSet<Address>,
    /// Where the list was read to.
    read_to: Option<u64>,
    /// Whether the newest block's games have been looked at.
    is_current: bool,
    /// When it was looked for what games have left behind, and who does so.
    pruned: Option<(Instant, JoinHandle<()>)>,
    /// The failure told last.
    told: Option<String>,
}

impl Agent {
    /// An agent that works until `stop` is true.
    #[must_use]
    pub fn new(
        table: Arc<Table>,
        factory: Factory,
        options: AgentOptions,
        stop: Arc<AtomicBool>,
    ) -> Self {
        Self {
            table,
            factory,
            options,
            heads: Arc::new(Heads::new(Arc::clone(&stop))),
            stop,
            oracles: Arc::default(),
            preimages: None,
            games: HashMap::new(),
            finished: HashSet::new(),
            read_to: None,
            is_current: false,
            pruned: None,
            told: None,
        }
    }

    /// Works until it is stopped. Failures are told, and end nothing.
    pub fn run(mut self) {
        while !self.stop.load(Ordering::Relaxed) {
            match self.look() {
                Ok(()) => self.told = None,
                Err(error) => {
                    count(&self.table.metrics.chain_failures);
                    let words = error.to_string();
                    if self.told.as_ref() != Some(&words) {
                        self.table.notice.warn(&format!("{words}; trying on"));
                        self.told = Some(words);
                    }
                }
            }
            pause(self.options.poll_interval, &self.stop);
        }
        // A thread that panicked has said so.
        for (_, (_, game)) in self.games.drain() {
            let _ = game.join();
        }
        if let Some(preimages) = self.preimages {
            let _ = preimages.join();
        }
        if let Some((_, pruning)) = self.pruned {
            let _ = pruning.join();
        }
    }

    /// One look at the chain.
    fn look(&mut self) -> Result<(), SendError> {
        self.reap();
        self.challenge_preimages();
        self.prune();
        let head = self.table.chain.latest()?;
        if self.heads.tell(&head) {
            set(&self.table.metrics.head_block, head.number);
            set(&self.table.metrics.head_timestamp, head.timestamp);
            self.is_current = false;
        }
        // Whatever fails, the rest is looked after.
        let tended = self.table.sender.tend(&head);
        if !self.is_current {
            self.find_games(&head)?;
            self.note_balance(&head)?;
            self.is_current = true;
        }
        tended
    }

    /// Has the disk freed of what games that are over have left behind, once a day. Games do not
    /// wait for that.
    fn prune(&mut self) {
        let is_new = |(then, thread): &(Instant, JoinHandle<()>)| {
            then.elapsed() < PRUNING || !thread.is_finished()
        };
        if self.pruned.as_ref().is_some_and(is_new) {
            return;
        }
        let table = Arc::clone(&self.table);
        let thread = thread::Builder::new().name("pruning".to_owned());
        let thread = thread.spawn(move || match table.traces.prune() {
            Ok(0) => {}
            Ok(count) => {
                let words = format!("checkpoints of {count} old executions removed");
                table.notice.info(&words);
            }
            Err(words) => {
                let words = format!("old checkpoints cannot be removed: {words}");
                table.notice.warn(&words);
            }
        });
        // Without a thread it is tried again at the next look.
        self.pruned = thread.ok().map(|thread| (Instant::now(), thread));
    }

    fn note_balance(&self, head: &Block) -> Result<(), RpcError> {
        let account = self.table.sender.account();
        let balance = self.table.chain.balance(account, head)?;
        let gwei = balance / alloy_primitives::U256::from(1_000_000_000);
        set(&self.table.metrics.balance_gwei, gwei.saturating_to());
        Ok(())
    }

    /// Begins to play games that are new.
    fn find_games(&mut self, head: &Block) -> Result<(), RpcError> {
        let total = self.factory.count(head)?;
        let from = match self.read_to {
            Some(to) => to.saturating_sub(UNCERTAIN),
            None => self.first_in_window(head, total)?,
        };
        let from = from.min(total);
        let to = total.min(from.saturating_add(AT_ONCE));
        for game in self.factory.games(head, from..to)? {
            let is_ours = self.options.game_types.contains(&game.game_type);
            if is_ours && !self.knows(game.address) && !self.begin(game) {
                self.read_to = Some(game.index);
                return Ok(());
            }
        }
        self.read_to = Some(to);
        set(&self.table.metrics.games_followed, self.games.len() as u64);
        Ok(())
    }

    fn knows(&self, game: Address) -> bool {
        self.games.contains_key(&game) || self.finished.contains(&game)
    }

    /// The first game that is not too old: the list is in order of time.
    fn first_in_window(&self, head: &Block, total: u64) -> Result<u64, RpcError> {
        let oldest = head.timestamp.saturating_sub(self.options.game_window);
        let (mut low, mut high) = (0, total);
        while low < high {
            let middle = low + (high - low) / 2;
            let game = self.factory.games(head, middle..middle + 1)?;
            match game.first() {
                Some(game) if game.created_at < oldest => low = middle + 1,
                _ => high = middle,
            }
        }
        Ok(low)
    }

    /// Whether there is a thread for it.
    fn begin(&mut self, game: Listed) -> bool {
        let seat = Seat {
            table: Arc::clone(&self.table),
            heads: Arc::clone(&self.heads),
            oracles: Arc::clone(&self.oracles),
            game: game.address,
        };
        let thread = thread::Builder::new().name(format!("game {}", game.index));
        match thread.spawn(move || seat.play()) {
            Ok(handle) => {
                self.games.insert(game.address, (game, handle));
                true
            }
            Err(error) => {
                let words = format!("no thread: {error}");
                self.table.tell_of(game.address, Severity::Warn, &words);
                false
            }
        }
    }

    /// Sees to it that large pre-images are looked at.
    fn challenge_preimages(&mut self) {
        if let Some(thread) = self.preimages.take_if(|thread| thread.is_finished()) {
            // It ends by a fault of this program only, or when all is to end.
            if thread.join().is_err() {
                let words = "the challenger of large pre-images failed; again";
                self.table.notice.warn(words);
            }
        }
        if self.preimages.is_some() {
            return;
        }
        let challenger = PreimageChallenger::new(
            Arc::clone(&self.table),
            self.factory.clone(),
            self.options.game_types.clone(),
            Arc::clone(&self.oracles),
        );
        let heads = Arc::clone(&self.heads);
        let thread = thread::Builder::new().name("large pre-images".to_owned());
        match thread.spawn(move || challenger.run(&heads)) {
            Ok(handle) => self.preimages = Some(handle),
            Err(error) => {
                let words = format!("large pre-images: no thread: {error}");
                self.table.notice.warn(&words);
            }
        }
    }

    /// Looks after players that have ended, whether there is a new block or not.
    fn reap(&mut self) {
        let ended: Vec<Address> = self
            .games
            .iter()
            .filter(|(_, (_, game))| game.is_finished())
            .map(|(address, _)| *address)
            .collect();
        for address in ended {
            let Some((game, handle)) = self.games.remove(&address) else {
                continue;
            };
            match handle.join() {
                Ok(End::Finished) => {
                    count(&self.table.metrics.games_finished);
                    self.finished.insert(address);
                }
                Ok(End::Gone | End::Stopped) => {}
                // A fault of this program; a game that nobody plays is lost, so it is played on.
                Err(_) => {
                    let words = "its player failed; again";
                    self.table.tell_of(address, Severity::Warn, words);
                    // Without a thread it is found in the list again.
                    self.begin(game);
                }
            }
        }
    }
}

/// A thread's view of one game.
struct Seat {
    table: Arc<Table>,
    heads: Arc<Heads>,
    oracles: Arc<Oracles>,
    game: Address,
}

/// Why a player ended.
enum End {
    /// Nothing is left to do in the game.
    Finished,
    /// The game is not on the chain any more.
    Gone,
    /// The agent was stopped.
    Stopped,
}

impl Seat {
    fn play(self) -> End {
        let mut player = None;
        let (mut seen, mut told) = (None, None);
        // Since which block there has been nothing to do.
        let mut finished_at = None;
        while let Some(head) = self.heads.next(seen.as_ref(), told.is_some()) {
            match self.round(&mut player, &head) {
                Ok(standing) => {
                    set(&self.table.metrics.round_block, head.number);
                    told = None;
                    // A reorganisation may bring it back.
                    let since = *finished_at.get_or_insert(head.number);
                    if !standing.finished {
                        finished_at = None;
                    } else if is_buried(since, head.number, self.table.sender.confirmations()) {
                        let words = format!("finished, {:?}", standing.status);
                        self.table.tell_of(self.game, Severity::Info, &words);
                        return End::Finished;
                    }
                }
                Err(error) => {
                    if matches!(self.table.chain.has_code(self.game, &head), Ok(false)) {
                        let words = "it is not on the chain any more";
                        self.table.tell_of(self.game, Severity::Warn, words);
                        return End::Gone;
                    }
                    count(&self.table.metrics.rounds_failed);
                    if matches!(error, RoundError::Read(ReadError::Broken(..))) {
                        // Another block may have made it in the meantime.
                        player = None;
                    }
                    let words = error.to_string();
                    if told.as_ref() != Some(&words) {
                        self.table.tell_of(self.game, Severity::Warn, &words);
                    }
                    told = Some(words);
                }
            }
            seen = Some(head);
        }
        End::Stopped
    }

    fn round(&self, player: &mut Option<Player>, head: &Block) -> Result<Standing, RoundError> {
        let player = match player {
            Some(player) => player,
            None => {
                let new = Player::new(Arc::clone(&self.table), self.game, head)?;
                // Not all factories tell of it, and games of before may have others.
                self.oracles.add(new.facts().oracle);
                player.insert(new)
            }
        };
        player.round(head)
    }
}

/// Sleeps, unless it is stopped.
pub fn pause(time: Duration, stop: &AtomicBool) {
    let until = Instant::now() + time;
    while !stop.load(Ordering::Relaxed) {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        thread::sleep(left.min(TICK));
    }
}
