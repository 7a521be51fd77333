//! Why there is no devnet.

/// Why a devnet could not be made.
#[derive(Debug, thiserror::Error)]
pub enum DevnetError {
    /// The spec asks for something that cannot be.
    #[error("devnet spec: {0}")]
    Spec(&'static str),
    /// The payload attributes of a block could not be made.
    #[error("payload attributes: {0}")]
    Attributes(String),
    /// A block could not be executed.
    #[error("execution: {0}")]
    Execution(String),
    /// A batch could not be encoded.
    #[error("batch: {0}")]
    Batch(String),
    /// A blob could not be committed to.
    #[error("KZG: {0}")]
    Kzg(String),
}
