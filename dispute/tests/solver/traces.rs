//! What is asked of a trace, and what if it does not answer.

use crate::play::{HONEST, LIAR, Play, lie, truth};
use alloy_primitives::B256;
use carronade_dispute::provider::{
    BlockNumberProof, ExecutionSource, ExecutionTrace, OutputSource, Split, SplitError, StepData,
};
use carronade_dispute::sim::toy::output_after;
use carronade_dispute::sim::truth::{Chain, Execution};
use carronade_dispute::{Game, Position, Proposal, Solver, TraceAccessor};
use std::convert::Infallible;

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
