//! Watches a chain and plays all games of a factory at once.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use alloy_primitives::Address;

use crate::chain::Block;
use crate::factory::{Factory, Listed};
use crate::metrics::{count, set};
use crate::player::{Player, RoundError, Standing, Table};
use crate::rpc::RpcError;
use crate::sender::SendError;

/// The longest wait without a new block before a game is looked at again, should something have
/// failed.
const PATIENCE: Duration = Duration::from_secs(10);

/// The longest sleep before it is looked whether to stop.
const TICK: Duration = Duration::from_millis(100);

/// Games at the end of the factory's list that are looked at each time, since a reorganisation
/// may have put others in their places.
const UNCERTAIN: u64 = 16;

/// What the agent does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentOptions {
    /// Types of games that are played; the others have other machines.
    pub game_types: Vec<u32>,
    /// Only games that were created so long ago at most, in seconds.
    pub game_window: u64,
    /// How often the chain is looked at.
    pub poll_interval: Duration,
    /// Games that are played at the same moment.
    pub max_concurrency: usize,
}

/// The newest block, for all who wait for one.
#[derive(Default)]
struct Watch {
    head: Mutex<Option<Block>>,
    changed: Condvar,
}

/// Room for so many at once.
struct Room {
    left: Mutex<usize>,
    freed: Condvar,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What these guard is whole at any time.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Plays all games of a factory.
pub struct Agent {
    table: Arc<Table>,
    factory: Factory,
    options: AgentOptions,
    watch: Arc<Watch>,
    room: Arc<Room>,
    stop: Arc<AtomicBool>,
    games: HashMap<Address, (Listed, JoinHandle<End>)>,
    /// Games in which there is nothing left to do.
    finished: HashSet<Address>,
    /// Where the list was read to.
    read_to: Option<u64>,
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
        let room = Room {
            left: Mutex::new(options.max_concurrency.max(1)),
            freed: Condvar::new(),
        };
        Self {
            table,
            factory,
            options,
            watch: Arc::default(),
            room: Arc::new(room),
            stop,
            games: HashMap::new(),
            finished: HashSet::new(),
            read_to: None,
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
                        (self.table.notice)(&format!("{words}; trying on"));
                        self.told = Some(words);
                    }
                }
            }
            pause(self.options.poll_interval, &self.stop);
        }
        self.watch.changed.notify_all();
        for (_, (_, game)) in self.games.drain() {
            // A thread that panicked has said so.
            let _ = game.join();
        }
    }

    /// One look at the chain.
    fn look(&mut self) -> Result<(), SendError> {
        let head = self.table.chain.latest()?;
        if lock(&self.watch.head).as_ref() != Some(&head) {
            set(&self.table.metrics.head_block, head.number);
            set(&self.table.metrics.head_timestamp, head.timestamp);
            self.find_games(&head)?;
            *lock(&self.watch.head) = Some(head.clone());
            self.watch.changed.notify_all();
            self.note_balance(&head)?;
        }
        self.table.sender.tend(&head)
    }

    fn note_balance(&self, head: &Block) -> Result<(), RpcError> {
        let account = self.table.sender.account();
        let balance = self.table.chain.balance(account, head)?;
        let gwei = balance / alloy_primitives::U256::from(1_000_000_000);
        set(&self.table.metrics.balance_gwei, gwei.saturating_to());
        Ok(())
    }

    /// Looks after players that have ended, and begins to play games that are new.
    fn find_games(&mut self, head: &Block) -> Result<(), RpcError> {
        self.reap();
        let total = self.factory.count(head)?;
        let from = match self.read_to {
            Some(to) => to.saturating_sub(UNCERTAIN),
            None => self.first_in_window(head, total)?,
        };
        let listed = self.factory.games(head, from.min(total)..total)?;
        for game in listed {
            if self.options.game_types.contains(&game.game_type) && !self.knows(game.address) {
                self.begin(game);
            }
        }
        self.read_to = Some(total);
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

    fn begin(&mut self, game: Listed) {
        let seat = Seat {
            table: Arc::clone(&self.table),
            watch: Arc::clone(&self.watch),
            room: Arc::clone(&self.room),
            stop: Arc::clone(&self.stop),
            game: game.address,
        };
        let thread = thread::Builder::new().name(format!("game {}", game.index));
        match thread.spawn(move || seat.play()) {
            Ok(handle) => {
                self.games.insert(game.address, (game, handle));
            }
            Err(error) => {
                (self.table.notice)(&format!("game {}: no thread: {error}", game.address));
            }
        }
    }

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
                    (self.table.notice)(&format!("game {address}: its player failed; again"));
                    self.begin(game);
                }
            }
        }
    }
}

/// A thread's view of one game.
struct Seat {
    table: Arc<Table>,
    watch: Arc<Watch>,
    room: Arc<Room>,
    stop: Arc<AtomicBool>,
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
        let (mut seen, mut failed) = (None, false);
        while let Some(head) = self.next_block(seen.as_ref(), failed) {
            let _place = self.room.enter();
            let result = self.round(&mut player, &head);
            set(&self.table.metrics.round_block, head.number);
            match result {
                Ok(standing) if standing.finished => {
                    let (game, status) = (self.game, standing.status);
                    (self.table.notice)(&format!("game {game}: finished, {status:?}"));
                    return End::Finished;
                }
                Ok(_) => failed = false,
                Err(error) => {
                    if matches!(self.table.chain.has_code(self.game, &head), Ok(false)) {
                        let words = "it is not on the chain any more";
                        (self.table.notice)(&format!("game {}: {words}", self.game));
                        return End::Gone;
                    }
                    count(&self.table.metrics.rounds_failed);
                    self.tell(&mut player, error.to_string());
                    failed = true;
                }
            }
            seen = Some(head);
        }
        End::Stopped
    }

    fn round(&self, player: &mut Option<Player>, head: &Block) -> Result<Standing, RoundError> {
        let player = match player {
            Some(player) => player,
            None => player.insert(Player::new(Arc::clone(&self.table), self.game, head)?),
        };
        player.round(head)
    }

    fn tell(&self, player: &mut Option<Player>, words: String) {
        match player {
            Some(player) => player.tell_new(words),
            None => (self.table.notice)(&format!("game {}: {words}", self.game)),
        }
    }

    /// The newest block, once it is another one, or, after a failure, once some time has passed;
    /// none when the agent is stopped.
    fn next_block(&self, seen: Option<&Block>, failed: bool) -> Option<Block> {
        let began = Instant::now();
        let mut head = lock(&self.watch.head);
        loop {
            if self.stop.load(Ordering::Relaxed) {
                return None;
            }
            let is_new = head.is_some() && head.as_ref() != seen;
            if is_new || (failed && began.elapsed() > PATIENCE) {
                return head.clone();
            }
            let waited = self.watch.changed.wait_timeout(head, TICK);
            head = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Room {
    /// Waits for a place; it is free again when the result is dropped.
    fn enter(&self) -> Place<'_> {
        let mut left = lock(&self.left);
        while *left == 0 {
            left = self
                .freed
                .wait(left)
                .unwrap_or_else(PoisonError::into_inner);
        }
        *left -= 1;
        Place(self)
    }
}

struct Place<'a>(&'a Room);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        *lock(&self.0.left) += 1;
        self.0.freed.notify_one();
    }
}

/// Sleeps, unless it is stopped.
fn pause(time: Duration, stop: &AtomicBool) {
    let until = Instant::now() + time;
    while !stop.load(Ordering::Relaxed) {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        thread::sleep(left.min(TICK));
    }
}
