//! The guests have a lock file of their own: what they share with the rest has one version, so
//! that what is tested natively is what runs in the VM.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Versions of each package, and where they come from.
type Versions = BTreeMap<String, Vec<String>>;

fn versions(lock: &str) -> Versions {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(lock);
    let text = fs::read_to_string(path).unwrap();
    let mut versions = Versions::new();
    for package in text.split("[[package]]").skip(1) {
        let field = |name: &str| {
            let line = package.lines().find(|line| line.starts_with(name))?;
            line.split('"').nth(1)
        };
        // Packages of the repository itself have no checksum.
        if let Some(checksum) = field("checksum = ") {
            let version = format!("{} {checksum}", field("version = ").unwrap());
            let name = field("name = ").unwrap().to_owned();
            versions.entry(name).or_default().push(version);
        }
    }
    versions
}

#[test]
fn guests_have_the_versions_that_are_tested() {
    let (guests, all) = (
        versions("program/guests/Cargo.lock"),
        versions("Cargo.lock"),
    );
    assert!(guests.len() > 100 && guests.contains_key("op-revm"));
    for (name, versions) in guests {
        for version in versions {
            assert!(all[&name].contains(&version), "{name} {version}");
        }
    }
}
