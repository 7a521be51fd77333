//! A deterministic OP Stack chain.
