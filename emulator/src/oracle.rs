//! What the VM asks of the outside world: hints out, pre-images in.

use std::collections::HashMap;

/// Why an oracle could not answer; shown to the user as it is.
pub type OracleError = Box<dyn std::error::Error + Send + Sync>;

/// The source of pre-images, in Cannon's words (`mipsevm/iface.go`).
///
/// The VM checks keccak256 and sha256 pre-images against their keys itself, so an
/// implementation need not.
pub trait PreimageOracle {
    /// Forwards one complete hint, without its 4-byte length prefix.
    ///
    /// # Errors
    /// When the hint could not be delivered, for instance because the host has died.
    fn hint(&mut self, hint: &[u8]) -> Result<(), OracleError>;

    /// The pre-image of `key`, without the 8-byte length prefix that the guest sees.
    ///
    /// # Errors
    /// When there is no such pre-image or the host cannot be asked.
    fn preimage(&mut self, key: [u8; 32]) -> Result<Vec<u8>, OracleError>;
}

/// The oracle of a run without a host: drops hints, has no pre-images
/// (`cannon/cmd/run.go`, a `ProcessPreimageOracle` without a command).
#[derive(Debug, Default, Clone, Copy)]
pub struct NoOracle;

impl PreimageOracle for NoOracle {
    fn hint(&mut self, _hint: &[u8]) -> Result<(), OracleError> {
        Ok(())
    }

    fn preimage(&mut self, _key: [u8; 32]) -> Result<Vec<u8>, OracleError> {
        Err("no pre-image host was given (add `-- <host command>`)".into())
    }
}

/// Pre-images held in memory; hints are collected.
#[derive(Debug, Default, Clone)]
pub struct MapOracle {
    /// Pre-image by key.
    pub images: HashMap<[u8; 32], Vec<u8>>,
    /// Every hint received, in order.
    pub hints: Vec<Vec<u8>>,
}

impl PreimageOracle for MapOracle {
    fn hint(&mut self, hint: &[u8]) -> Result<(), OracleError> {
        self.hints.push(hint.to_vec());
        Ok(())
    }

    fn preimage(&mut self, key: [u8; 32]) -> Result<Vec<u8>, OracleError> {
        self.images
            .get(&key)
            .cloned()
            .ok_or_else(|| "not in the map".into())
    }
}
