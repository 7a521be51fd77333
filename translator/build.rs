//! Gives the crate a fingerprint of the sources that native code follows from, so that
//! code on disk that other sources made is never used.

use std::fs;
use std::path::{Path, PathBuf};

fn main() {
    let root = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let mut hasher = blake3::Hasher::new();
    for folder in ["src", "../emulator/src"] {
        hash_folder(&root.join(folder), &mut hasher);
    }
    let fingerprint = hasher.finalize().to_hex();
    println!("cargo::rustc-env=SOURCES={fingerprint}");
}

fn hash_folder(folder: &Path, hasher: &mut blake3::Hasher) {
    println!("cargo::rerun-if-changed={}", folder.display());
    let entries = fs::read_dir(folder).expect("the sources are there");
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            hash_folder(&path, hasher);
        } else {
            hasher.update(&fs::read(&path).expect("a source can be read"));
        }
    }
}
