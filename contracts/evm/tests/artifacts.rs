//! The committed artifacts are what the sources compile to.

use std::path::Path;
use std::process::Command;

/// Needs node and the pinned compiler, which `npm ci` in contracts/ installs; without it there
/// is nothing to compare with.
#[test]
fn sources_compile_to_the_committed_artifacts() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    if !root.join("contracts/node_modules").is_dir() {
        eprintln!("skipped: no compiler; `npm ci` in contracts/ installs it");
        return;
    }
    let script = root.join("scripts/build-contracts.sh");
    let done = Command::new(script).arg("--check").output().unwrap();
    let text = [done.stdout, done.stderr].concat();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&text));
}
