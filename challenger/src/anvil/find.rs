//! Where anvil is.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::AnvilError;

/// Where npm puts packages, in a checkout of this repository.
const MODULES: &str = "contracts/node_modules";

/// See [`super::Anvil::find`].
pub(super) fn find(given: Option<&Path>) -> Result<PathBuf, AnvilError> {
    if let Some(path) = given {
        let missing = || AnvilError::NotFound(format!("at {}", path.display()));
        return program(path).ok_or_else(missing);
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let in_path = std::env::split_paths(&path).find_map(|folder| program(&folder.join("anvil")));
    let in_modules = || {
        let here = std::env::current_dir().ok()?;
        let mut above = here.ancestors();
        above.find_map(|folder| in_packages(&folder.join(MODULES)))
    };
    let nowhere = format!("in PATH and {MODULES}: scripts/anvil.sh installs it");
    let found = in_path.or_else(in_modules);
    found.ok_or(AnvilError::NotFound(nowhere))
}

/// See [`super::Anvil::for_tests`].
pub(super) fn install() -> PathBuf {
    let manifest = std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo runs the test");
    let folders = Path::new(&manifest).ancestors();
    let mut scripts = folders.map(|folder| folder.join("scripts/anvil.sh"));
    let script = scripts
        .find(|script| script.is_file())
        .expect("the repository has the script");
    // Tests run at the same time, in one process and in several.
    let lock = File::open(&script).expect("the script can be read");
    lock.lock().expect("files can be locked");
    let ran = Command::new(&script)
        .output()
        .expect("the script can be run");
    let words = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "anvil is not installed: {words}");
    PathBuf::from(String::from_utf8_lossy(&ran.stdout).trim_end())
}

/// The program at a path; npm's script is a process of its own that would leave the program behind
/// when it is killed, so it is passed over for the program itself.
fn program(path: &Path) -> Option<PathBuf> {
    let path = path.canonicalize().ok().filter(|path| path.is_file())?;
    let mut start = [0; 2];
    let read = File::open(&path).and_then(|mut file| file.read_exact(&mut start));
    if read.is_err() || &start != b"#!" {
        return Some(path);
    }
    path.ancestors().find_map(in_packages)
}

/// The program among npm's packages: it is in the one for this machine.
fn in_packages(modules: &Path) -> Option<PathBuf> {
    let packages = modules.join("@foundry-rs").read_dir().ok()?.flatten();
    let mut programs = packages
        .filter(|package| {
            package
                .file_name()
                .as_encoded_bytes()
                .starts_with(b"anvil-")
        })
        .map(|package| package.path().join("bin/anvil"));
    programs.find(|program| program.is_file())
}
