//! The agent and its parts on a real EVM chain: what contracts refuse, and what chains and nodes
//! do to those who play.

mod arena;
mod preimages;
mod proxy;
mod refusals;
mod trouble;
mod uploads;
