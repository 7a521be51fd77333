//! Cannon's MIPS64 fault proof VM.

pub mod oracle;
