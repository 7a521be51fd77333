//! The dispute game, off chain and without I/O.
//!
//! [`Game`] is a complete model of the reference's `FaultDisputeGame`: the same calls, the
//! same refusals, time and senders given by the caller. [`Solver`] is the honest actor over
//! such a game and whatever can answer for the true trace. [`sim`] lets many actors play on
//! the model, and writes what they did as a [`Script`](script::Script) that can be played
//! again elsewhere. [`draw`] shows a game.
//!
//! The authority is the contract, then op-challenger, then the specification's prose.

pub mod anchor;
pub mod bond;
pub mod draw;
mod error;
pub mod game;
pub mod parameters;
mod position;
pub mod provider;
pub mod script;
pub mod sim;
pub mod solver;
pub mod upload;
pub mod vm;
pub mod wad;

pub use error::GameError;
pub use game::{Claim, Game, GameStatus, Message, Move, Step};
pub use parameters::{Creation, Parameters, Proposal};
pub use position::Position;
pub use provider::{Split, TraceAccessor};
pub use solver::{Action, Plan, Solver};
pub use vm::{Vm, VmStatus};
