//! Differential testing of engines: random programs that live long, and a harness that
//! runs each on two engines and compares everything at every stop.
//!
//! [`program`] writes the programs, [`differential`] compares, [`engines`] says what is
//! compared. The binary of this crate runs millions of stops; fuzz targets and tests use
//! the same three modules. Nothing here is part of the product.

mod code;
mod coverage;
pub mod dice;
pub mod differential;
pub mod engines;
pub mod program;
mod statements;

pub use coverage::Coverage;
pub use differential::{Difference, Limits, Summary, run_differential};
