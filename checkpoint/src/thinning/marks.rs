//! Saying which edges will go, and removing them.

use crate::backend::age;
use crate::error::{Error, Result};
use crate::graph::Mark;
use crate::notes::encode;
use crate::trace::TraceStore;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

pub(super) const MARKS: &str = "marks";
/// A mark younger than this may be that of somebody who is just removing its edges.
const BUSY: Duration = Duration::from_secs(60);

impl TraceStore {
    /// Marks edges, and removes them unless readers have a time of grace. Says whether
    /// they are gone or will be.
    pub(super) fn remove(&self, mark: Mark) -> Result<bool> {
        let name = new_name();
        self.create_small(MARKS, &name, &encode(&mark))?;
        if !self.is_safe()? {
            self.withdraw(&name)?;
            return Ok(false);
        }
        if self.options().grace.is_none_or(|grace| grace.is_zero()) {
            self.carry_out(&name, &mark)?;
        }
        Ok(true)
    }

    /// Goes on with marks whose time has come.
    pub(super) fn finish_abandoned(&self) -> Result<()> {
        let wait = self.options().grace.unwrap_or_default().max(BUSY);
        for (name, (made, mark)) in self.settled()?.marks {
            if age(made) < wait {
                continue;
            }
            match self.is_safe()? {
                true => self.carry_out(&name, &mark)?,
                false => self.withdraw(&name)?,
            }
        }
        Ok(())
    }

    /// Whether, if all marked edges went, no checkpoints would be lost but those that are
    /// meant to be.
    fn is_safe(&self) -> Result<bool> {
        let survey = match self.survey() {
            Err(Error::Missing { .. }) => return Ok(false),
            other => other?,
        };
        let sound = |edge: &_| !survey.bad.contains(edge);
        let (all, rest) = (survey.graph.tree(sound), survey.graph.lasting(&survey.bad));
        let victims = |step| {
            survey
                .graph
                .marks
                .values()
                .any(|(_, mark)| mark.victims.contains(&step))
        };
        Ok(all.steps().all(|step| rest.reaches(step) || victims(step)))
    }

    fn carry_out(&self, name: &str, mark: &Mark) -> Result<()> {
        for edge in &mark.edges {
            self.backend().remove(&self.edge_path(*edge))?;
        }
        self.withdraw(name)
    }

    pub(super) fn withdraw(&self, name: &str) -> Result<()> {
        self.backend().remove(&self.small_path(MARKS, name))
    }
}

/// A name that nobody else gives.
pub(super) fn new_name() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let here = (
        std::process::id(),
        count,
        SystemTime::now(),
        &raw const COUNT,
    );
    let hash = blake3::hash(format!("{here:?}").as_bytes());
    hash.to_hex()[..32].into()
}
