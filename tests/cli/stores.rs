//! Checkpoint stores and commands over them.

use crate::support::*;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

/// The name of the host's data in these tests.
pub const INPUTS: &str = "golden";

/// A command line about a golden guest's trace: words, then the trace, then its host.
pub fn line(words: &[&str], name: &str, with_host: bool) -> Vec<String> {
    let mut line: Vec<_> = words.iter().map(|word| (*word).to_owned()).collect();
    let input = prestate(name);
    line.extend(["--input", &input, "--store", "store", "--inputs", INPUTS].map(str::to_owned));
    if with_host && name == "oracle" {
        line.extend(oracle_host());
    }
    line
}

/// Runs such a command line.
pub fn about(sandbox: &Sandbox, name: &str, words: &[&str]) -> Ran {
    call(sandbox, &line(words, name, true))
}

/// The same without a host.
pub fn alone(sandbox: &Sandbox, name: &str, words: &[&str]) -> Ran {
    call(sandbox, &line(words, name, false))
}

pub fn call(sandbox: &Sandbox, line: &[String]) -> Ran {
    let words: Vec<_> = line.iter().map(String::as_str).collect();
    sandbox.call(&words)
}

/// The steps and state hashes that the reference has come to.
pub fn marks(name: &str) -> Vec<(u64, String)> {
    let marks = golden(name)["marks"].as_array().unwrap().clone();
    let mark = |mark: &Value| {
        let hash = mark["state_hash"].as_str().unwrap();
        (mark["step"].as_u64().unwrap(), hash.to_owned())
    };
    marks.iter().map(mark).collect()
}

/// The steps of marks, with commas between them.
pub fn steps(marks: &[(u64, String)]) -> String {
    let steps: Vec<_> = marks.iter().map(|(step, _)| step.to_string()).collect();
    steps.join(",")
}

/// Marks as `trace hash` prints them.
pub fn lines(marks: &[(u64, String)]) -> String {
    let line = |(step, hash): &(u64, String)| format!("{step} {hash}\n");
    marks.iter().map(line).collect()
}

/// The last step of a golden guest.
pub fn last(name: &str) -> u64 {
    golden(name)["final_step"].as_u64().unwrap()
}

/// All files below a folder.
pub fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(files_below(&path)),
            false => found.push(path),
        }
    }
    found.sort();
    found
}

/// Copies a store.
pub fn copy(from: &Path, to: &Path) {
    for file in files_below(from) {
        let copy = to.join(file.strip_prefix(from).unwrap());
        fs::create_dir_all(copy.parent().unwrap()).unwrap();
        fs::copy(file, copy).unwrap();
    }
}

/// Random numbers, the same in every run.
pub fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed ^ (mixed >> 27)
}
