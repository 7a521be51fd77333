//! No room.

use super::children::{output, start_by};
use crate::suite::world::World;
use carronade_checkpoint::{Error, Options, Store};
use std::path::Path;
use std::process::Command;

/// Files anywhere below a folder.
fn files(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => found.push(path.display().to_string()),
        }
    }
    found
}

/// A file system of its own, which only root can have.
struct Small(tempfile::TempDir);

impl Small {
    fn mount() -> Option<Self> {
        let folder = tempfile::TempDir::new().unwrap();
        let mut mount = Command::new("mount");
        mount
            .args(["-t", "tmpfs", "-o", "size=192k", "none"])
            .arg(folder.path());
        let mounted = mount.stderr(std::process::Stdio::null()).status();
        mounted
            .is_ok_and(|status| status.success())
            .then_some(Self(folder))
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).status();
    }
}

#[test]
fn a_full_disk_is_an_error_and_nothing_else() {
    let Some(small) = Small::mount() else {
        println!("not root: only the limit on file sizes is tested");
        return;
    };
    let (world, path) = (World(25), small.0.path());
    let store = Store::open(path.to_str().unwrap(), &Options::default()).unwrap();
    let trace = world.trace(&store);
    world.put(&trace, None, 0).unwrap();
    let mut last = 0;
    let error = loop {
        match world.put(&trace, Some(last), last + 1000) {
            Ok(()) => last += 1000,
            Err(error) => break error,
        }
    };
    assert!(matches!(error, Error::Full { .. }), "{error}");
    assert!(error.to_string().contains("no space left"), "{error}");
    let there = world.check_all(&world.trace(&store));
    assert_eq!(there.last(), Some(&last));
    assert_eq!(files(path).len(), there.len(), "nothing is left behind");
    assert!(last > 0);
}

#[test]
fn a_file_that_may_not_grow_is_an_error_and_nothing_else() {
    let folder = tempfile::TempDir::new().unwrap();
    let this = std::env::current_exe().unwrap();
    let script = format!("trap '' XFSZ; ulimit -f 8; exec {} \"$@\"", this.display());
    let mut command = Command::new("sh");
    command.args(["-c", &script, "sh"]);
    let mut child = start_by(&mut command, "one-put", folder.path().to_str().unwrap());
    let said = output(&mut child);
    child.wait().unwrap();
    assert!(
        said.contains("Full") && said.contains("no space left"),
        "{said}"
    );
    assert_eq!(files(folder.path()), Vec::<String>::new());
}
