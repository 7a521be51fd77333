//! Where native code is kept from run to run.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

/// The folder that keeps native code, if one does: the one that was named, or the
/// environment's.
#[must_use]
pub fn cache_folder(named: Option<&Path>, none: bool) -> Option<PathBuf> {
    folder(named, none, |name| std::env::var_os(name))
}

/// [`cache_folder`] in an environment. An empty variable counts as none.
fn folder(
    named: Option<&Path>,
    none: bool,
    variable: impl Fn(&str) -> Option<OsString>,
) -> Option<PathBuf> {
    if none {
        return None;
    }
    let of = |name| {
        let value = variable(name).filter(|value| !value.is_empty());
        value.map(PathBuf::from)
    };
    // The XDG specification ignores relative paths.
    let base = || of("XDG_CACHE_HOME").filter(|base| base.is_absolute());
    named
        .map(Path::to_owned)
        .or_else(|| of("CARRONADE_CACHE"))
        .or_else(|| Some(base()?.join("carronade")))
        .or_else(|| Some(of("HOME")?.join(".cache/carronade")))
}

/// Bytes of the files in a cache folder.
#[must_use]
pub fn size(folder: &Path) -> u64 {
    let entries = |folder: &Path| fs::read_dir(folder).into_iter().flatten().flatten();
    let parts = entries(folder).flat_map(|part| entries(&part.path()).collect::<Vec<_>>());
    let sizes = parts.filter_map(|file| Some(file.metadata().ok()?.len()));
    sizes.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_is_the_nearest_that_is_named() {
        let all = [
            ("CARRONADE_CACHE", "/a"),
            ("XDG_CACHE_HOME", "/b"),
            ("HOME", "/c"),
        ];
        let found = |named: Option<&str>, none, all: &[(&str, &str)]| {
            folder(named.map(Path::new), none, |name| {
                let (_, value) = all.iter().find(|(key, _)| *key == name)?;
                Some((*value).into())
            })
        };
        let default = |all| found(None, false, all);
        assert_eq!(found(None, true, &all), None);
        assert_eq!(found(Some("d"), false, &all), Some("d".into()));
        assert_eq!(default(&all), Some("/a".into()));
        assert_eq!(default(&all[1..]), Some("/b/carronade".into()));
        assert_eq!(default(&all[2..]), Some("/c/.cache/carronade".into()));
        assert_eq!(default(&[]), None);
        let odd = [
            ("CARRONADE_CACHE", ""),
            ("XDG_CACHE_HOME", "b"),
            ("HOME", "/c"),
        ];
        assert_eq!(default(&odd), Some("/c/.cache/carronade".into()));
    }
}
