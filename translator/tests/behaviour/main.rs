//! Native code against the interpreter, where it is easiest to go wrong: addresses that
//! lead anywhere, code that changes while it runs, and stops at any step.

mod budgets;
mod harness;
mod hostile;
mod mapping;
mod self_modifying;
mod threads;
