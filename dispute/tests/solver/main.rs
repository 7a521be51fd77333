//! What the honest actor does, and what it leaves.

mod answers;
mod depth;
mod play;
mod traces;
