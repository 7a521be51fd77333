//! A trace that can be asked.
//!
//! A dispute asks for the state at one step, then at another, some thirty times, while
//! each answer lies a thousand million steps from the last. [`Trace`] answers from
//! checkpoints: those that the first run leaves behind at regular steps, and those that
//! each answer leaves where it was asked, since the next question is half as far away as
//! the last. So a whole bisection executes little more than the trace's length.
//!
//! A trace is the same whoever runs it: the program's first state and the dispute's own
//! data (local keys of the pre-image oracle) determine every step. What the host said is
//! kept too, so that a stored trace can be run again without one.

mod bisect;
mod error;
mod mend;
mod pace;
mod reads;
mod saved;
mod shelf;
mod sound;
mod stand;
mod trace;
mod verify;
mod world;
mod writer;

pub use bisect::{Claims, Found, Unanswered, bisect};
pub use carronade_checkpoint::Point;
pub use error::TraceError;
pub use mend::Beginning;
pub use stand::Engine;
pub use trace::{Options, Progress, Trace, part_of};
pub use verify::{Segment, Verdict, Work, Worker, segments, verify};
