//! Going on when the store has lost what the machine went on from.
//!
//! A page of a checkpoint is read when it is touched, in the middle of a run. If it is
//! damaged, its object is set aside, the machine goes back to a checkpoint that does not
//! need it, or to the first state, and comes again to where it was, writing on its way what
//! was lost.

use crate::error::TraceError;
use crate::saved::Counted;
use crate::stand::Stand;
use crate::trace::Trace;
use carronade_checkpoint::Error as StoreError;
use carronade_emulator::memory::Memory;
use carronade_emulator::oracle::OracleError;
use carronade_emulator::state::{State, state_hash};

/// How often damage is mended for one question: each time, an object at least is set aside.
pub const PATIENCE: u32 = 64;

/// Where a trace's first state is read once more: keeping it would take as much memory again.
pub type Beginning = Box<dyn Fn() -> Result<(State, Memory), OracleError> + Send>;

impl Trace {
    /// Tells where the first state is to be had once more, if the store has lost it.
    pub fn begin_again_with(
        &mut self,
        read: impl Fn() -> Result<(State, Memory), OracleError> + Send + 'static,
    ) {
        self.beginning = Some(Box::new(read));
    }

    /// Goes back to a checkpoint, or to the first state, after an error that may have left
    /// the machine or what was noted for the next checkpoint half-way.
    ///
    /// # Errors
    /// When neither can be had.
    pub fn recover(&mut self) -> Result<(), TraceError> {
        // What could not be written has been told.
        let _ = self.stand.complete(&mut self.shelf);
        let _ = self.shelf.flush();
        self.store().set_damaged_aside();
        let gone_back = self.go_back();
        self.world.come_back();
        gone_back
    }

    /// Does something where the machine is; once more if the store has damage that can be
    /// mended. Until then nothing of it is shown.
    pub(crate) fn mending<T>(
        &mut self,
        act: impl Fn(&mut Self) -> Result<T, TraceError>,
    ) -> Result<T, TraceError> {
        let here = self.stand.step();
        let mut outcome = act(self);
        while outcome.as_ref().is_err_and(TraceError::is_damage) {
            if self.mended == PATIENCE || !self.store().set_damaged_aside() {
                break;
            }
            self.mended += 1;
            outcome = self.come_again(here).and_then(|()| act(self));
        }
        self.world.show();
        outcome
    }

    /// Comes to a step once more, from before what is damaged.
    fn come_again(&mut self, step: u64) -> Result<(), TraceError> {
        let came = self.go_back().and_then(|()| {
            while !self.step_towards(step, u64::MAX)? {}
            Ok(())
        });
        self.world.come_back();
        came
    }

    /// To the first state, if all steps from there count; else to the last checkpoint.
    fn go_back(&mut self) -> Result<(), TraceError> {
        self.world.go_back();
        self.before = Counted::default();
        self.shelf.refresh()?;
        if !self.options.faithful {
            return self.open_checkpoint(self.stand.step());
        }
        if self.shelf.state_hash(self.first).is_some() {
            self.open_checkpoint(self.first)?;
        }
        match self.stand.base().map(|base| base.step) == Some(self.first)
            && self.stand.step() == self.first
        {
            true => Ok(()),
            false => self.begin_again(),
        }
    }

    /// Goes on from the last checkpoint at or before a step, or from the first state.
    pub(crate) fn open_checkpoint(&mut self, step: u64) -> Result<(), TraceError> {
        let Some(checkpoint) = self.shelf.open(step)? else {
            return self.begin_again();
        };
        self.change_stand(Stand::at(&checkpoint, &self.world, &self.engine)?);
        Ok(())
    }

    /// Goes to the first state, without the store.
    fn begin_again(&mut self) -> Result<(), TraceError> {
        let lost = StoreError::NoCheckpoint { step: self.first };
        let read = self.beginning.as_ref().ok_or(lost)?;
        let (state, mut memory) = read().map_err(TraceError::Beginning)?;
        // The file may be another one by now.
        if state_hash(&state.witness(&memory.root())) != self.start {
            let reason = "it is another one now".into();
            return Err(TraceError::Beginning(reason));
        }
        self.change_stand(Stand::first(state, memory, &self.world, &self.engine)?);
        self.stand.checkpoint(&mut self.shelf)
    }
}
