//! Each rule of the game, by what happens when it is broken.

mod clocks;
mod credits;
mod moves;
mod resolution;
mod restored;
mod steps;
mod table;
