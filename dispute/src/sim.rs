//! Games between many actors, by chance, and the same again from the same seed.
//!
//! [`toy`] is a chain and a machine small enough for a contract of a few lines; [`actor`]
//! are those who play; [`arena`] lets them play one game and writes it down; [`payouts`] is
//! what follows; [`judge`] says what must hold in the end.

pub mod actor;
pub mod arena;
pub mod chance;
pub mod judge;
pub mod lie;
pub mod mischief;
pub mod payouts;
pub mod toy;
pub mod truth;

pub use arena::{Arena, Played, play};
