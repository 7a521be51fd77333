//! Large pre-images in the oracle, whoever proposes them.

mod challenger;
mod leaves;
mod oracle;
mod watched;

pub(crate) use challenger::{Oracles, PreimageChallenger};
pub(crate) use oracle::{Progress, leaf};
