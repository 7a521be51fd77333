//! The contracts as they are deployed, and an EVM in memory to execute them in.
//!
//! [`artifact`] holds what `scripts/build-contracts.sh` compiled. [`chain`] is a chain without
//! blocks, on which [`stepper`] executes steps of the machine; [`cases`] makes random steps, on
//! which emulator and contract must agree.

pub mod artifact;
#[cfg(feature = "evm")]
pub mod cases;
#[cfg(feature = "evm")]
pub mod chain;
#[cfg(feature = "evm")]
pub mod dice;
#[cfg(feature = "evm")]
pub mod stepper;
