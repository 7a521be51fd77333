//! What the honest actor does, and what it leaves.

use alloy_primitives::{Address, B256, keccak256};
use carronade_dispute::provider::{
    BlockNumberProof, ExecutionSource, ExecutionTrace, OutputSource, Split, SplitError, StepData,
};
use carronade_dispute::sim::toy::{State, ToyVm, block_number_proof, output_after};
use carronade_dispute::sim::truth::{Chain, Execution};
use carronade_dispute::{
    Action, Creation, Game, GameError, GameStatus, Message, Move, Parameters, Position, Proposal,
    Solver, Step, TraceAccessor,
};
use std::convert::Infallible;

const HONEST: Address = Address::repeat_byte(1);
const LIAR: Address = Address::repeat_byte(2);
const START: u64 = 1_000_000;

fn lie(number: u64) -> B256 {
    let mut word = keccak256(number.to_be_bytes());
    word[0] = 1;
    word
}

fn vm(split_depth: u32, blocks: u64, length: u64) -> ToyVm {
    ToyVm {
        starting: Proposal {
            root: lie(77),
            l2_block: 10,
        },
        claimed_block: 10 + blocks,
        safe_head: 10 + blocks,
        split_depth,
        length,
    }
}

fn truth(vm: ToyVm) -> Split<Chain, Execution> {
    Split {
        outputs: Chain::new(&vm),
        executions: Execution::new(vm),
    }
}

/// A game and its time.
struct Play {
    game: Game,
    vm: ToyVm,
    now: u64,
}

impl Play {
    fn new(parameters: Parameters, vm: ToyVm, root: B256) -> Self {
        let creation = Creation {
            creator: LIAR,
            claimed: Proposal {
                root,
                l2_block: vm.claimed_block,
            },
            starting: vm.starting,
            l1_head: lie(88),
            l2_chain_id: 901,
            absolute_prestate: vm.hash(&State::FIRST),
            created_at: START,
            bond: 80,
        };
        Self {
            game: Game::new(parameters, creation).expect("a sound game"),
            vm,
            now: START,
        }
    }

    /// Depth 6, split at 2: 4 blocks, and traces of 8 steps.
    fn small(root: impl Fn(&Chain) -> B256) -> Self {
        Self::split_at(2, root)
    }

    /// As many blocks as there is room for above the split, and traces of 8 steps.
    fn split_at(split_depth: u32, root: impl Fn(&Chain) -> B256) -> Self {
        let parameters = Parameters {
            max_depth: split_depth + 4,
            split_depth,
            max_clock_duration: 1_000,
            clock_extension: 100,
            challenge_period: 250,
        };
        let vm = vm(split_depth, 1 << split_depth, 8);
        Self::new(parameters, vm, root(&Chain::new(&vm)))
    }

    fn solver(&self) -> Solver<Split<Chain, Execution>> {
        Solver::new(truth(self.vm))
    }

    fn plan(&self) -> Vec<Action> {
        self.solver().next_actions(&self.game, self.now).actions
    }

    fn play(&mut self, who: Address, parent: usize, is_attack: bool, claim: B256) -> usize {
        let made = self.try_play(who, parent, is_attack, claim);
        made.expect("a sound move")
    }

    fn try_play(
        &mut self,
        who: Address,
        parent: usize,
        is_attack: bool,
        claim: B256,
    ) -> Result<usize, GameError> {
        let disputed = self.game.claims()[parent];
        let depth = disputed.position.after_move(is_attack).depth();
        let message = Message {
            sender: who,
            value: self.game.required_bond(depth).expect("in the game"),
            timestamp: self.now,
        };
        let move_ = Move {
            parent,
            disputed: disputed.value,
            claim,
            is_attack,
        };
        self.game.move_(message, move_)
    }

    /// Does what an honest actor does, and gives what it did.
    fn honest(&mut self) -> Vec<Action> {
        let actions = self.plan();
        for action in &actions {
            self.perform(action);
        }
        actions
    }

    fn perform(&mut self, action: &Action) {
        match action {
            Action::Move {
                parent,
                is_attack,
                claim,
            } => {
                self.play(HONEST, *parent, *is_attack, *claim);
            }
            Action::Step {
                claim,
                is_attack,
                data,
            } => {
                let step = Step {
                    claim: *claim,
                    is_attack: *is_attack,
                    state_data: &data.state_data,
                    proof: &data.proof,
                };
                let message = self.message(HONEST);
                let done = self.game.step(message, step, &self.vm);
                done.expect("a step that counters");
            }
            Action::ChallengeL2BlockNumber(shown) => {
                let message = self.message(HONEST);
                let done =
                    self.game
                        .challenge_root_l2_block(message, &shown.proof, &shown.header_rlp);
                done.expect("another block");
            }
        }
    }

    fn message(&self, sender: Address) -> Message {
        Message {
            sender,
            value: 0,
            timestamp: self.now,
        }
    }

    /// What is true where a move leads to.
    fn truth_after(&self, parent: usize, is_attack: bool) -> B256 {
        let position = self.game.claims()[parent].position.after_move(is_attack);
        let said = truth(self.vm).claim_at(&self.game, parent, position);
        said.expect("the truth is known")
    }
}

fn moves(actions: &[Action]) -> Vec<(usize, bool)> {
    let moves = actions.iter().map(|action| match action {
        Action::Move {
            parent, is_attack, ..
        } => (*parent, *is_attack),
        other => panic!("not a move: {other:?}"),
    });
    moves.collect()
}

#[test]
fn a_right_root_is_left_alone() {
    let mut play = Play::small(|chain| chain.root(14));
    assert_eq!(play.plan(), []);
    play.play(LIAR, 0, true, lie(1));
    assert_eq!(moves(&play.honest()), [(1, true)]);
    assert_eq!(play.plan(), [], "answered");
}

#[test]
fn a_wrong_root_is_attacked_with_the_truth() {
    let mut play = Play::small(|_| lie(0));
    let root = play.truth_after(0, true);
    let expected = Action::Move {
        parent: 0,
        is_attack: true,
        claim: root,
    };
    assert_eq!(play.honest(), [expected]);
    assert_eq!(root, Chain::new(&play.vm).root(12));
}

/// A claim that counters an honest one is attacked if it is wrong, and defended if right.
#[test]
fn counters_of_honest_claims() {
    let mut play = Play::small(|_| lie(0));
    play.honest();
    play.play(LIAR, 1, true, lie(1));
    let right = play.truth_after(1, false);
    play.play(LIAR, 1, false, right);
    assert_eq!(moves(&play.plan()), [(2, true), (3, false)]);
}

/// The freeloader rule: of the claims beside an honest answer, those to the left and those
/// at its place are countered, those to the right are not, nor what is below them.
#[test]
fn freeloaders() {
    let mut play = Play::split_at(5, |_| lie(0));
    play.honest();
    let right = play.truth_after(1, false);
    let disputed = play.play(LIAR, 1, false, right);
    assert_eq!(moves(&play.honest()), [(disputed, false)]);
    let same_place = play.play(LIAR, disputed, false, lie(3));
    let left = play.play(LIAR, disputed, true, lie(4));
    let true_left = play.truth_after(disputed, true);
    let true_left = play.play(LIAR, disputed, true, true_left);
    let expected = [(same_place, true), (left, true), (true_left, false)];
    assert_eq!(moves(&play.plan()), expected);

    let mut play = Play::split_at(5, |_| lie(0));
    play.honest();
    let disputed = play.play(LIAR, 1, true, lie(1));
    assert_eq!(moves(&play.honest()), [(disputed, true)]);
    let right = play.play(LIAR, disputed, false, lie(2));
    play.play(LIAR, right, true, lie(3));
    assert_eq!(play.plan(), [], "to the right of the honest answer");
}

/// An honest claim that somebody else made is not made again, and is stood up for.
#[test]
fn what_others_claimed_honestly() {
    let mut play = Play::small(|_| lie(0));
    let truth = play.truth_after(0, true);
    play.play(LIAR, 0, true, truth);
    assert_eq!(play.plan(), []);
    play.play(LIAR, 1, true, lie(2));
    assert_eq!(moves(&play.plan()), [(2, true)]);
}

#[test]
fn nothing_when_time_is_up() {
    let mut play = Play::small(|_| lie(0));
    play.now += 999;
    assert_eq!(moves(&play.plan()), [(0, true)]);
    play.now += 1;
    assert_eq!(play.plan(), []);
}

#[test]
fn a_right_root_of_another_block() {
    let mut play = Play::small(|chain| chain.root(13));
    play.vm.safe_head = 13;
    let shown = block_number_proof(Chain::new(&play.vm).root(12), 13);
    assert_eq!(play.honest(), [Action::ChallengeL2BlockNumber(shown)]);
    assert_eq!(play.plan(), [], "once");
    // A wrong root of such a block is disputed as any other.
    let mut play = Play::small(|_| lie(0));
    play.vm.safe_head = 13;
    assert_eq!(moves(&play.honest()), [(0, true)]);
}

/// Both ends of a dispute in a trace: the honest actor steps, once.
#[test]
fn steps() {
    for tells_truth in [false, true] {
        let mut play = Play::small(|_| lie(0));
        loop {
            let actions = play.honest();
            if let [Action::Step { is_attack, .. }] = actions[..] {
                assert_eq!(is_attack, !tells_truth);
                break;
            }
            let last = play.game.claims().len() - 1;
            let deep = play.game.claims()[last].position.depth() >= 5;
            let claim = match tells_truth && deep {
                true => play.truth_after(last, true),
                false => lie(100 + last as u64),
            };
            play.play(LIAR, last, true, claim);
        }
        assert_eq!(play.plan(), [], "stepped");
        let leaf = play.game.claims().last().expect("there is one");
        assert_eq!(leaf.countered_by, Some(HONEST));
    }
}

/// The standard game, 73 deep and split at 30, to the bottom and to the end. The trace has
/// more than four million million steps, and the program ends after a thousand. At the
/// bottom are, by parity, the claims of whoever disputes the root.
#[test]
fn full_depth() {
    for wrong_at in [0, 700, 999, 5_000] {
        let (play, steps) = to_the_bottom(|_| lie(0), wrong_at);
        assert_eq!(play.game.status(), GameStatus::ChallengerWins);
        assert_eq!(steps, [], "the last claim is honest");

        let (play, steps) = to_the_bottom(|chain| chain.root(60), wrong_at);
        assert_eq!(play.game.status(), GameStatus::DefenderWins);
        let [Action::Step { data, .. }] = &steps[..] else {
            panic!("not one step: {steps:?}");
        };
        assert_eq!(data.oracle.is_some(), wrong_at == 0, "the first step reads");
    }
}

/// Plays the standard game against a liar who says that the last output is another one, and
/// states from a step on. Gives the game at its end, and the steps of the honest.
fn to_the_bottom(root: impl Fn(&Chain) -> B256, wrong_at: u128) -> (Play, Vec<Action>) {
    let vm = vm(30, 50, 1_000);
    let mut play = Play::new(Parameters::STANDARD, vm, root(&Chain::new(&vm)));
    let mut steps = Vec::new();
    let bottom = play.game.parameters().max_depth as usize;
    loop {
        steps.extend(play.honest());
        steps.retain(|action| matches!(action, Action::Step { .. }));
        if play.game.claims().len() > bottom {
            break;
        }
        play.now += 60;
        deceive(&mut play, wrong_at);
    }
    assert_eq!(play.game.claims().len(), bottom + 1);
    steps.extend(play.honest());
    play.now += 400_000;
    for claim in (0..=bottom).rev() {
        let message = play.message(HONEST);
        let done = play.game.resolve_claim(message, claim, 0);
        done.expect("from the bottom up");
    }
    let message = play.message(HONEST);
    play.game.resolve(message).expect("all is resolved");
    assert!(play.game.credit(HONEST) > play.game.bonds_paid(HONEST));
    (play, steps)
}

/// The liar's answer to the last claim.
fn deceive(play: &mut Play, wrong_at: u128) {
    let last = play.game.claims().len() - 1;
    let parameters = *play.game.parameters();
    let is_wrong = |play: &Play, position: Position| {
        if position.depth() <= parameters.split_depth {
            return play.game.claimed_block(position) >= play.vm.claimed_block;
        }
        let below = position.relative_to(parameters.execution_depth());
        below.trace_index(parameters.execution_levels()) >= wrong_at
    };
    let claim = play.game.claims()[last];
    // A liar takes its own claims for true.
    let is_attack = is_wrong(play, claim.position);
    let position = claim.position.after_move(is_attack);
    if !is_wrong(play, position) {
        let truth = play.truth_after(last, is_attack);
        play.play(LIAR, last, is_attack, truth);
        return;
    }
    // The root of a trace has to end as the side calls for.
    let mut value = lie(1_000 + last as u64);
    let at_root = position.depth() == parameters.execution_depth();
    if at_root && play.try_play(LIAR, last, is_attack, value).is_err() {
        value[0] = 0;
    } else if at_root {
        return;
    }
    play.play(LIAR, last, is_attack, value);
}

/// A source that answers some questions only, and remembers what was asked.
struct Flaky {
    truth: Split<Chain, Execution>,
    answers: usize,
}

impl Flaky {
    fn ask(&mut self) -> Result<(), String> {
        self.answers = self.answers.checked_sub(1).ok_or("gone")?;
        Ok(())
    }
}

impl TraceAccessor for Flaky {
    type Error = String;

    fn claim_at(&mut self, game: &Game, at: usize, position: Position) -> Result<B256, String> {
        self.ask()?;
        let said = self.truth.claim_at(game, at, position);
        said.map_err(|error| error.to_string())
    }

    fn step_data(
        &mut self,
        game: &Game,
        at: usize,
        position: Position,
    ) -> Result<StepData, String> {
        self.ask()?;
        let said = self.truth.step_data(game, at, position);
        said.map_err(|error| error.to_string())
    }

    fn block_number_challenge(&mut self, _: &Game) -> Result<Option<BlockNumberProof>, String> {
        self.ask().map(|()| None)
    }
}

/// However early the trace fails, what is done is the beginning of what is to be done.
#[test]
fn traces_that_fail() {
    let mut play = Play::small(|_| lie(0));
    play.honest();
    for number in 0..4 {
        play.play(LIAR, 1, number % 2 == 0, lie(10 + number));
    }
    let whole = play.plan();
    assert_eq!(whole.len(), 4);
    let mut last = 0;
    for answers in 0.. {
        let truth = truth(play.vm);
        let mut solver = Solver::new(Flaky { truth, answers });
        let plan = solver.next_actions(&play.game, play.now);
        assert_eq!(plan.actions, whole[..plan.actions.len()]);
        assert!(plan.actions.len() >= last);
        last = plan.actions.len();
        if plan.failure.is_none() {
            assert_eq!(last, 4);
            assert!(answers > 8);
            break;
        }
    }
}

/// Notes which traces are asked for.
struct Notes {
    asked: Vec<(ExecutionTrace, u128)>,
}

impl ExecutionSource for Notes {
    type Error = Infallible;

    fn state_hash(&mut self, trace: &ExecutionTrace, index: u128) -> Result<B256, Infallible> {
        self.asked.push((*trace, index));
        Ok(B256::ZERO)
    }

    fn step_data(&mut self, trace: &ExecutionTrace, index: u128) -> Result<StepData, Infallible> {
        self.asked.push((*trace, index));
        Ok(StepData::default())
    }
}

/// Which program with which inputs, for an attack and for a defence of an output root.
#[test]
fn execution_traces() {
    let mut play = Play::small(|_| lie(0));
    let first = play.play(HONEST, 0, true, lie(1));
    let leaf = play.play(LIAR, first, false, lie(2));
    let position = play.game.claims()[leaf].position;
    let mut outputs = Chain::new(&play.vm);
    assert_eq!(outputs.safe_head(), Ok(14));
    let mut split = Split {
        outputs,
        executions: Notes { asked: Vec::new() },
    };
    let asked = split.claim_at(&play.game, leaf, position.attack());
    assert_eq!(asked, Ok(B256::ZERO));
    let asked = split.claim_at(&play.game, leaf, position.defend());
    assert_eq!(asked, Ok(B256::ZERO));
    let below = position.attack().attack().defend().attack();
    let asked = split.step_data(&play.game, leaf, below.next());
    assert_eq!(asked, Ok(StepData::default()));
    let notes = &split.executions.asked;
    let inputs: Vec<_> = notes
        .iter()
        .map(|(trace, index)| (trace.agreed, trace.claimed, *index))
        .collect();
    let at = |root, l2_block| Proposal { root, l2_block };
    assert_eq!(
        inputs,
        [
            (at(lie(1), 12), at(lie(2), 13), 7),
            (at(lie(2), 13), at(lie(0), 14), 7),
            (at(lie(1), 12), at(lie(2), 13), 5),
        ]
    );
    assert_eq!(notes[0].0.l1_head, lie(88));
    assert_eq!(notes[0].0.l2_chain_id, 901);
    let above = split.step_data(&play.game, leaf, position);
    assert_eq!(above, Err(SplitError::StepAboveSplit));
    let nowhere = split.claim_at(&play.game, first, position.attack());
    assert!(matches!(nowhere, Err(SplitError::Game(_))));
}

/// Honest claims are of no block after what L1 leads to, while what is disputed is.
#[test]
fn data_that_end_early() {
    let mut play = Play::small(|_| lie(0));
    play.vm.safe_head = 12;
    let first = play.play(HONEST, 0, true, lie(1));
    let leaf = play.play(LIAR, first, false, lie(2));
    let position = play.game.claims()[leaf].position;
    let chain = Chain::new(&play.vm);
    let last = chain.root(12);
    assert_eq!(last, output_after(chain.root(11), 12));
    let mut split = Split {
        outputs: chain,
        executions: Notes { asked: Vec::new() },
    };
    for position in [Position::ROOT, Position::ROOT.attack(), position] {
        assert_eq!(split.claim_at(&play.game, leaf, position), Ok(last));
    }
    let asked = split.claim_at(&play.game, leaf, position.defend());
    assert_eq!(asked, Ok(B256::ZERO));
    let (trace, _) = split.executions.asked[0];
    assert_eq!((trace.agreed.l2_block, trace.claimed.l2_block), (12, 14));
}
