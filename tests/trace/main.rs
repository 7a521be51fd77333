//! Traces over a checkpoint store, as whole programs of the golden guests and of our own
//! run them.

mod beside;
mod bisect;
mod damage;
mod hashes;
mod prune;
mod support;
mod verify;
