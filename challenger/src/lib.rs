//! Plays dispute games on a chain.
//!
//! What the chain says of a game at a block becomes a [`carronade_dispute::Game`], the honest
//! actor's plan for it becomes transactions, and those are watched until they are buried deep
//! enough. All that has been sent is in a journal before it is sent, so that a process that is
//! killed goes on where it was.
//!
//! Calls block: games are played by threads.

mod agent;
mod anvil;
mod calls;
mod chain;
mod deploy;
mod executions;
mod factory;
mod heads;
mod host;
mod journal;
mod large;
mod lock;
mod metrics;
mod notice;
mod outputs;
mod player;
mod preimages;
mod quick;
mod reader;
mod room;
mod rpc;
mod sender;
mod traces;
mod uploads;
mod wallet;

pub use agent::{Agent, AgentOptions, pause};
pub use anvil::{Anvil, AnvilError, Options as AnvilOptions};
pub use chain::{Block, Chain};
pub use deploy::Unlocked;
pub use executions::{HostNodes, Program, Start, start_of_elf};
pub use factory::{Factory, Listed};
pub use journal::{Journal, JournalError};
pub use metrics::Metrics;
pub use notice::{Notice, Severity};
pub use outputs::{OutputError, OutputNodes, RollupNode};
pub use player::{Player, RoundError, Standing, Table};
pub use preimages::StoredPreimages;
pub use quick::QuickChain;
pub use reader::{Credit, Facts, ReadError, Reader, Seen};
pub use room::Room;
pub use rpc::{Rpc, RpcError};
pub use sender::{Request, SendError, SendOptions, Sender, Submission};
pub use traces::{GameTrace, NodeTraces, QuickTraces, Traces};
pub use uploads::{Next, UploadFault, Uploader};
pub use wallet::{Signed, Wallet, WalletError};
