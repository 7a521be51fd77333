//! Translation of MIPS64 regions to native code.
//!
//! A [`Translator`] is an [`Accelerator`](carronade_emulator::accelerator::Accelerator) of
//! the machine. Once the interpreter has arrived at a leader often enough, the
//! [region](region) around it is analysed ([`flow`]), written in Cranelift's intermediate
//! code with the very meanings that the interpreter executes (`emit`), compiled, and put
//! into executable memory (`arena`). Native code runs until its budget is used up or
//! something comes that is the interpreter's, and always stops between two instructions
//! with the exact state (`runtime`).

mod arena;
mod cache;
mod compiler;
mod emit;
mod flow;
mod footprint;
mod library;
mod record;
mod region;
mod runtime;
mod statistics;
mod translator;
mod value;

pub use compiler::CompileError;
pub use runtime::Exit;
pub use statistics::Statistics;
pub use translator::{Options, Translator};
