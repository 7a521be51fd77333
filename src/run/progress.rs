//! The progress bar of a run: rate and, where the end is known, the expected time. Only
//! on a terminal.

use crate::log::Logger;
use crate::matcher::Matcher;
use carronade_emulator::state::State;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use std::fmt::Write;
use std::io::IsTerminal;

const KNOWN: &str = "{bar:30} {percent}% step {pos} of {len}, {rate}, {eta} to go";
const UNKNOWN: &str = "{spinner} step {pos}, {rate}, {elapsed} so far";

/// A progress bar, or nothing.
pub struct Progress(Option<ProgressBar>);

impl Progress {
    /// Progress from a state on, towards where the run stops.
    pub fn new(state: &State, stop: &Matcher) -> Self {
        if !std::io::stderr().is_terminal() {
            return Self(None);
        }
        let end = match stop {
            // op-challenger's first question is near 2^42, where no run arrives.
            Matcher::At(step) if *step > state.step && *step < 1 << 40 => Some(*step),
            _ => None,
        };
        let bar = ProgressBar::with_draw_target(end, ProgressDrawTarget::stderr_with_hz(4));
        let template = if end.is_some() { KNOWN } else { UNKNOWN };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.with_key("rate", write_rate));
        }
        bar.set_position(state.step);
        bar.reset_eta();
        Self(Some(bar))
    }

    /// The logger to use while the bar is shown.
    pub fn logger(&self, logger: &Logger) -> Logger {
        match &self.0 {
            Some(bar) => logger.above(bar.clone()),
            None => logger.clone(),
        }
    }

    /// Where the run is.
    pub fn set(&self, step: u64) {
        if let Some(bar) = &self.0 {
            bar.set_position(step);
        }
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}

/// indicatif's own rate has four decimals.
fn write_rate(state: &ProgressState, out: &mut dyn Write) {
    let _ = write!(out, "{:.1} million a second", state.per_sec() / 1e6);
}
