//! The contracts as they are deployed, and an EVM in memory to execute them in.
//!
//! [`artifact`] holds what `scripts/build-contracts.sh` compiled, [`abi`] how to call it,
//! [`deployment`] how they are put together on any chain. [`chain`] is a chain without blocks: on
//! one, [`stepper`] executes steps of the machine, and [`system`] plays games, those of the
//! simulator call by call in [`replay`]. [`random`] makes steps on which emulator and contract must
//! agree, and [`cases`] sees to it.

pub mod abi;
pub mod artifact;
#[cfg(feature = "evm")]
pub mod cases;
#[cfg(feature = "evm")]
pub mod chain;
pub mod deployment;
#[cfg(feature = "evm")]
pub mod dice;
#[cfg(feature = "evm")]
pub mod random;
#[cfg(feature = "evm")]
pub mod replay;
pub mod revert;
#[cfg(feature = "evm")]
pub mod stepper;
#[cfg(feature = "evm")]
pub mod system;
