//! What assembled programs do, on every way of executing them: in one run, over memory
//! without a flat reservation, step by step, and by proofs alone.

mod addresses;
mod cases;
mod delay_slots;
mod differential;
mod harness;
mod linked;
mod lost_pages;
mod random;
mod scheduling;
mod self_modifying;
