//! The command line of Carronade: Cannon's commands, and a few more.

pub mod backtrace;
pub mod bench;
pub mod cache;
pub mod cli;
pub mod clock;
pub mod compile;
pub mod crosscheck;
pub mod demo;
pub mod diff;
pub mod disassemble;
pub mod engine;
pub mod failure;
pub mod files;
pub mod host;
pub mod inspect;
pub mod interrupt;
pub mod load_elf;
pub mod log;
pub mod matcher;
pub mod out;
pub mod proof;
pub mod run;
pub mod statistics;
pub mod version;
pub mod witness;
