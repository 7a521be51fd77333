//! Plays dispute games on a chain.
//!
//! What the chain says of a game at a block becomes a [`carronade_dispute::Game`], the honest
//! actor's plan for it becomes transactions, and those are watched until they are buried deep
//! enough. All that has been sent is in a journal before it is sent, so that a process that is
//! killed goes on where it was.
//!
//! Calls block: games are played by threads.

mod agent;
mod calls;
mod chain;
mod errors;
mod factory;
mod journal;
mod metrics;
mod notice;
mod player;
mod reader;
mod rpc;
mod sender;
mod traces;
mod uploads;
mod wallet;

pub use agent::{Agent, AgentOptions};
pub use chain::{Block, Chain};
pub use errors::reason;
pub use factory::{Factory, Listed};
pub use journal::{Journal, JournalError};
pub use metrics::Metrics;
pub use notice::Notice;
pub use player::{Player, RoundError, Standing, Table};
pub use reader::{Facts, ReadError, Reader, Seen};
pub use rpc::{Rpc, RpcError};
pub use sender::{Request, SendError, SendOptions, Sender, Submission};
pub use traces::{GameTrace, Traces};
pub use wallet::{Signed, Wallet, WalletError};
