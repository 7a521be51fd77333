//! Plays dispute games on a chain.
//!
//! What the chain says of a game at a block becomes a [`carronade_dispute::Game`], the honest
//! actor's plan for it becomes transactions, and those are watched until they are buried deep
//! enough. All that has been sent is in a journal before it is sent, so that a process that is
//! killed goes on where it was.
//!
//! Calls block: games are played by threads.

mod anvil;
mod deploy;
mod notice;
mod rpc;
mod traces;

pub use anvil::{Anvil, AnvilError, Options as AnvilOptions};
pub use deploy::Unlocked;
pub use notice::Notice;
pub use rpc::{Rpc, RpcError};
pub use traces::{GameTrace, Traces};
