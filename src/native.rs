//! The fault proof program as native code in this process.

use crate::{interrupt, out};
use carronade_fault_proof::{Error, Oracle, OracleError};
use carronade_host::catch;
use carronade_online::Single;
use carronade_program::key::PreimageKey;
use std::sync::Arc;

/// The exit code of a program that cannot tell.
const FAILED: u8 = 2;

/// The host as the program asks it.
struct InProcess(Arc<Single>);

impl Oracle for InProcess {
    fn get(&self, key: PreimageKey) -> Result<Vec<u8>, OracleError> {
        let found = self.0.get(key.as_bytes());
        found.map_err(|error| OracleError(error.to_string()))
    }

    fn hint(&self, hint: &str) -> Result<(), OracleError> {
        self.0.hint(hint.as_bytes());
        Ok(())
    }
}

/// Runs the program: it says its verdict on stderr, and this is its exit code.
pub fn run(single: &Arc<Single>) -> u8 {
    let oracle = Arc::new(InProcess(Arc::clone(single)));
    // A configuration that makes no sense can make the program panic, which in the VM is exit
    // code 2 too; nothing of it is used afterwards.
    let result = match catch(|| carronade_fault_proof::run(oracle)) {
        Ok(result) => result,
        Err(words) => {
            out::complain(&format!("error: the program failed: {words}"));
            return FAILED;
        }
    };
    match result {
        Ok(verdict) => {
            out::complain(&verdict.to_string());
            u8::try_from(verdict.exit_code()).unwrap_or(FAILED)
        }
        Err(error) => {
            // Who has stopped the host says so.
            if !interrupt::requested() {
                out::complain(&words(&error));
            }
            FAILED
        }
    }
}

/// An error's words in one line: pre-images may be named in them, and hints, which hold anything.
fn words(error: &Error) -> String {
    out::one_line(&format!("error: {error}"))
}
