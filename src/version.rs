//! State versions by the names that flags take, and the `list` command.

use crate::failure::Outcome;
use crate::say;
use anyhow::{Result, bail};
use carronade_emulator::state::{StateVersion, VERSION_NAMES};

/// The version with a name.
///
/// # Errors
/// When this machine does not run it.
pub fn by_name(name: &str) -> Result<StateVersion> {
    if let Some(version) = StateVersion::ALL
        .into_iter()
        .find(|version| version.name() == name)
    {
        return Ok(version);
    }
    let ours = StateVersion::ALL.map(StateVersion::name).join(" and ");
    match VERSION_NAMES.iter().position(|known| *known == name) {
        Some(number) => bail!(
            "unsupported state version {number} ({name}): carronade runs {ours}; \
             an older Go cannon runs it"
        ),
        None => bail!("unknown state version {name:?}: carronade runs {ours}"),
    }
}

/// Prints the versions as `cannon list` does (`cannon/multicannon/list.go`).
///
/// # Errors
/// When they cannot be printed.
pub fn list() -> Outcome {
    say!("Available cannon versions:");
    for version in StateVersion::ALL {
        let number = version.number();
        say!(
            "filename: cannon-{number}\tversion: {} ({number})",
            version.name()
        );
    }
    Ok(())
}
