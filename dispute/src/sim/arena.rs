//! One game, dealt by chance and played to its end.

use super::actor::{Actor, Habits, Player};
use super::chance::Chance;
use super::lie::{Lie, LyingChain, LyingExecution};
use super::mischief::{TRICKS, Troublemaker};
use super::payouts::pay_out;
use super::toy::{State, ToyVm};
use super::truth::{Chain, Execution};
use crate::game::{Game, GameStatus};
use crate::parameters::{Creation, Parameters, Proposal};
use crate::provider::Split;
use crate::script::{Call, End, Script, VERSION};
use alloy_primitives::{Address, B256, keccak256};

/// The trace of the honest.
pub type TrueTrace = Split<Chain, Execution>;
/// The trace of a liar.
pub type LyingTrace = Split<LyingChain, LyingExecution>;

/// A game, the time, and what has happened.
#[derive(Debug, Clone)]
pub struct Arena {
    /// The game.
    pub game: Game,
    /// The machine that it is played over.
    pub vm: ToyVm,
    /// The time, in seconds.
    pub now: u64,
    calls: Vec<Call>,
}

impl Arena {
    /// Makes a call and writes it down. Gives whether the game accepted it.
    pub fn call(&mut self, call: Call) -> bool {
        let call = call.perform(&mut self.game, &self.vm, &mut self.now);
        let accepted = call.error().is_none();
        self.calls.push(call);
        accepted
    }
}

/// A game that has been played.
#[derive(Debug, Clone)]
pub struct Played {
    /// What happened.
    pub script: Script,
    /// The game at its end, before it is paid out.
    pub game: Game,
    /// The honest actors.
    pub honest: Vec<Address>,
    /// How the game has to end, since there is an honest actor.
    pub expected: GameStatus,
}

/// The number of turns after which a game is given up.
const MOST_ROUNDS: usize = 5_000;
/// The number of claims from which on only the honest make more.
const MOST_CLAIMS: usize = 80;

/// What is dealt before a game begins.
struct Deal {
    vm: ToyVm,
    parameters: Parameters,
    truth: TrueTrace,
    lie: Lie,
    root_is_right: bool,
}

/// Deals a game by a seed and plays it: depths 4 to 12, up to six actors, at least one of
/// them honest.
#[must_use]
pub fn play(seed: u64) -> Played {
    let mut chance = Chance::new(seed);
    let parameters = parameters(&mut chance);
    let deal = Deal::new(parameters, &mut chance);
    let (arena, actors, honest) = deal.begin(&mut chance);
    let expected = if deal.root_is_right && deal.vm.safe_head >= deal.vm.claimed_block {
        GameStatus::DefenderWins
    } else {
        GameStatus::ChallengerWins
    };
    finish(arena, actors, honest, expected, &mut chance)
}

fn parameters(chance: &mut Chance) -> Parameters {
    let max_depth = chance.within(4, 12) as u32;
    let clock_extension = chance.within(9, 200);
    let challenge_period = chance.within(0, 300);
    let longest = (2 * clock_extension).max(clock_extension + challenge_period);
    Parameters {
        max_depth,
        split_depth: chance.within(2, u64::from(max_depth) - 2) as u32,
        max_clock_duration: longest + chance.within(0, 1_000),
        clock_extension,
        challenge_period,
    }
}

fn word(chance: &mut Chance) -> B256 {
    keccak256(chance.bits().to_be_bytes())
}

impl Deal {
    fn new(parameters: Parameters, chance: &mut Chance) -> Self {
        let starting = Proposal {
            root: word(chance),
            l2_block: chance.within(1, 1_000),
        };
        let blocks = chance.within(1, 1 << parameters.split_depth);
        let claimed_block = starting.l2_block + blocks;
        let safe_head = match chance.percent(20) {
            true => starting.l2_block + chance.within(1, blocks),
            false => claimed_block + chance.below(3),
        };
        let vm = ToyVm {
            starting,
            claimed_block,
            safe_head,
            split_depth: parameters.split_depth,
            length: chance.within(1, 1 << parameters.execution_levels()),
        };
        let truth = Split {
            outputs: Chain::new(&vm),
            executions: Execution::new(vm),
        };
        let mut lie = lie(&vm, chance);
        // Only a lie about an output can be told at the root.
        lie.block = lie.block.or(Some(claimed_block));
        Self {
            vm,
            parameters,
            truth,
            lie,
            root_is_right: chance.percent(50),
        }
    }

    fn lying(&self, lie: Lie) -> LyingTrace {
        let chain = self.truth.outputs.clone();
        Split {
            outputs: LyingChain {
                chain: chain.clone(),
                lie,
                end: self.vm.claimed_block,
            },
            executions: LyingExecution {
                execution: Execution::new(self.vm),
                chain,
                lie,
            },
        }
    }

    fn creation(&self, creator: Address, chance: &mut Chance) -> Creation {
        let block = self.vm.claimed_block;
        let root = if self.root_is_right {
            self.truth.outputs.root(block)
        } else {
            self.lie.output(&self.truth.outputs, block)
        };
        Creation {
            creator,
            claimed: Proposal {
                root,
                l2_block: block,
            },
            starting: self.vm.starting,
            l1_head: word(chance),
            l2_chain_id: chance.below(1 << 40),
            absolute_prestate: self.vm.hash(&State::FIRST),
            created_at: 1_700_000_000 + chance.below(1_000),
            bond: u128::from(chance.below(1 << 60)),
        }
    }

    /// The game with its root, who plays, and who of them is honest.
    fn begin(&self, chance: &mut Chance) -> (Arena, Vec<Box<dyn Actor>>, Vec<Address>) {
        let count = chance.within(2, 6);
        let honest_count = if count > 2 && chance.percent(30) {
            2
        } else {
            1
        };
        let addresses: Vec<Address> = (1..=count).map(|n| Address::repeat_byte(n as u8)).collect();
        let (honest, others) = addresses.split_at(honest_count);
        let mut actors: Vec<Box<dyn Actor>> = Vec::new();
        for &address in honest {
            let habits = Habits {
                resolves: true,
                waits: 30,
                most_claims: usize::MAX,
            };
            actors.push(Box::new(Player::new(address, self.truth.clone(), habits)));
        }
        // The proposer of a lie defends it, whoever else there is.
        actors.push(self.liar(others[0], self.lie));
        for &address in &others[1..] {
            actors.push(self.other(address, chance));
        }
        // Somebody else may have claimed the right root, too.
        let by_honest = self.root_is_right && chance.percent(70);
        let creator = if by_honest { honest[0] } else { others[0] };
        let creation = self.creation(creator, chance);
        let now = creation.created_at;
        let game = match Game::new(self.parameters, creation) {
            Ok(game) => game,
            Err(error) => unreachable!("only what can be created is dealt: {error}"),
        };
        let arena = Arena {
            game,
            vm: self.vm,
            now,
            calls: Vec::new(),
        };
        (arena, actors, honest.to_vec())
    }

    fn liar(&self, address: Address, lie: Lie) -> Box<dyn Actor> {
        let habits = Habits {
            resolves: false,
            waits: 0,
            most_claims: MOST_CLAIMS,
        };
        Box::new(Player::new(address, self.lying(lie), habits))
    }

    fn other(&self, address: Address, chance: &mut Chance) -> Box<dyn Actor> {
        let lie = lie(&self.vm, chance);
        if chance.percent(30) {
            return self.liar(address, lie);
        }
        let mut tricks = TRICKS.to_vec();
        chance.shuffle(&mut tricks);
        tricks.truncate(chance.within(1, 4) as usize);
        Box::new(Troublemaker {
            address,
            tricks,
            budget: chance.within(1, 20) as usize,
            most_claims: MOST_CLAIMS,
            truth: self.truth.clone(),
            lie: self.lying(lie),
            next_claim: 0,
        })
    }
}

fn lie(vm: &ToyVm, chance: &mut Chance) -> Lie {
    let first = vm.starting.l2_block + 1;
    Lie {
        block: chance
            .percent(70)
            .then(|| chance.within(first, vm.claimed_block)),
        instruction: chance.below(vm.length),
        salt: chance.bits(),
    }
}

/// Turn after turn, until the game is resolved.
fn finish(
    mut arena: Arena,
    mut actors: Vec<Box<dyn Actor>>,
    honest: Vec<Address>,
    expected: GameStatus,
    chance: &mut Chance,
) -> Played {
    let creation = arena.game.creation().clone();
    for _ in 0..MOST_ROUNDS {
        chance.shuffle(&mut actors);
        let mut acted = false;
        for actor in &mut actors {
            acted |= actor.act(&mut arena, chance);
        }
        if arena.game.status() != GameStatus::InProgress {
            break;
        }
        let timestamp = next_time(&arena, acted, chance);
        arena.call(Call::Warp { timestamp });
    }
    let (game, calls) = (arena.game.clone(), std::mem::take(&mut arena.calls));
    pay_out(&mut arena, chance);
    Played {
        script: Script {
            version: VERSION,
            parameters: *game.parameters(),
            creation,
            vm: arena.vm,
            calls,
            end: End::of(&game),
            payouts: arena.calls,
        },
        game,
        honest,
        expected,
    }
}

/// When the next turn is: soon, if there may be something to answer, so that whoever waits
/// for one turn still answers within the extension of a clock; else also just before a
/// clock runs out, or when it does.
fn next_time(arena: &Arena, acted: bool, chance: &mut Chance) -> u64 {
    let soon = arena.now + chance.within(1, arena.game.parameters().clock_extension / 3);
    if acted || chance.percent(20) {
        return soon;
    }
    let game = &arena.game;
    let deadlines: Vec<u64> = (0..game.claims().len())
        .map(|index| game.deadline(index))
        .filter(|&deadline| deadline > arena.now)
        .collect();
    if deadlines.is_empty() {
        return soon;
    }
    let deadline = deadlines[chance.index(deadlines.len())];
    (deadline - chance.below(3).min(deadline - arena.now - 1)).max(arena.now + 1)
}
