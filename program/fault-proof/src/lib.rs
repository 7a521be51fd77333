//! The fault proof program.
#![no_std]
