//! A bounded store of pre-images that were asked for once.

use core::mem;

use alloy_primitives::{B256, Bytes, map::B256Map};

/// Keeps what was used lately: two generations, of which the older one is dropped when the
/// younger one is full. That costs one look-up for what is young, two for the rest, and no
/// bookkeeping, every instruction of which would have to be proven.
#[derive(Default)]
pub(crate) struct Cache {
    young: B256Map<Bytes>,
    old: B256Map<Bytes>,
    /// Bytes of the values in `young`.
    size: usize,
}

impl Cache {
    /// Bytes of values in one generation, at most (a single larger value is kept, too).
    const GENERATION: usize = 32 << 20;

    /// The value of `key`, which thereby becomes young again.
    pub(crate) fn get(&mut self, key: &B256) -> Option<Bytes> {
        if let Some(value) = self.young.get(key) {
            return Some(value.clone());
        }
        let value = self.old.remove(key)?;
        self.insert(*key, value.clone());
        Some(value)
    }

    /// Remembers `value`.
    pub(crate) fn insert(&mut self, key: B256, value: Bytes) {
        if self.size + value.len() > Self::GENERATION {
            self.old = mem::take(&mut self.young);
            self.size = 0;
        }
        self.size += value.len();
        self.young.insert(key, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: usize) -> B256 {
        B256::left_padding_from(&n.to_be_bytes())
    }

    #[test]
    fn what_is_used_stays_and_the_rest_goes() {
        let mut cache = Cache::default();
        let megabyte = Bytes::from(alloc::vec![7; 1 << 20]);
        for n in 0..200 {
            cache.insert(key(n), megabyte.clone());
            assert!(cache.get(&key(0)).is_some(), "after {n}");
        }
        assert!(cache.get(&key(1)).is_none());
        assert_eq!(cache.get(&key(199)), Some(megabyte));
        assert!(cache.young.len() + cache.old.len() <= 64);
    }
}
