//! A trace that can be computed at any step, so that any checkpoint can be checked.

use carronade_checkpoint::{ChangedPage, Checkpoint, Edge, Hash, Output, Page, Point};
use carronade_checkpoint::{Result, TraceStore};

/// Pages of the guest at most.
const PAGES: u64 = 24;
/// Steps between two pre-images that are read.
const READS: u64 = 97;
/// Steps between two lines that are written.
const LINES: u64 = 23;

/// A deterministic trace.
#[derive(Clone, Copy)]
pub struct World(pub u64);

/// Pages and pre-images of an edge, which the edge borrows.
pub struct Parts {
    pages: Vec<(u64, Hash, Box<Page>)>,
    preimages: Vec<(Hash, Vec<u8>)>,
    state: Vec<u8>,
}

impl World {
    fn hash(self, kind: &str, number: u64, version: u64) -> Hash {
        blake3::hash(format!("{} {kind} {number} {version}", self.0).as_bytes()).into()
    }

    pub fn trace(self, store: &carronade_checkpoint::Store) -> TraceStore {
        store.trace(self.hash("prestate", 0, 0), self.hash("inputs", 0, 0))
    }

    pub fn point(self, step: u64) -> Point {
        Point {
            step,
            state_hash: self.hash("state", step, 0),
        }
    }

    pub fn state(self, step: u64) -> Vec<u8> {
        format!("state {step} of {}", self.0)
            .repeat(1 + step as usize % 9)
            .into()
    }

    /// Every page changes with a period of its own; some come later.
    fn version(page: u64, step: u64) -> Option<u64> {
        let period = [1, 3, 10, 100, 1000, u64::MAX][page as usize % 6];
        (step >= page / 6 * 40).then_some(step / period)
    }

    fn page(self, page: u64, step: u64) -> Option<(u64, Hash, Box<Page>)> {
        let version = Self::version(page, step)?;
        let root = self.hash("root", page, version);
        let mut bytes = Box::new([0; 4096]);
        let noise = match page % 3 {
            0 => 4096,
            1 => 500,
            _ => 0,
        };
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.hash("page", page, version));
        hasher.finalize_xof().fill(&mut bytes[..noise]);
        bytes[4000..4032].copy_from_slice(&root);
        // The last one is all zero now and then.
        if page == 23 && version % 2 == 0 {
            bytes.fill(0);
        }
        Some((index(page), root, bytes))
    }

    fn preimage(self, number: u64) -> (Hash, Vec<u8>) {
        let value = self.hash("preimage", number, 0).repeat(number as usize % 5);
        (self.hash("key", number, 0), value)
    }

    fn output(self, step: u64) -> Output {
        let bytes = format!("line at {step} of {}\n", self.0).into();
        Output {
            step,
            fd: 1 + step % 2,
            bytes,
        }
    }

    /// What an edge needs. Pre-images are read at multiples of [`READS`].
    pub fn parts(self, from: Option<u64>, to: u64) -> Parts {
        let changed = |page: &u64| {
            from.is_none_or(|from| Self::version(*page, from) != Self::version(*page, to))
        };
        let reads = from.map_or(0, |from| from / READS + 1)..=to / READS;
        Parts {
            pages: (0..PAGES)
                .filter(changed)
                .filter_map(|page| self.page(page, to))
                .collect(),
            preimages: reads.map(|number| self.preimage(number)).collect(),
            state: self.state(to),
        }
    }

    pub fn edge<'a>(self, from: Option<u64>, to: u64, parts: &'a Parts) -> Edge<'a> {
        let pages = parts.pages.iter();
        let lines = from.map_or(0, |from| from + 1)..=to;
        Edge {
            from: from.map(|from| self.point(from)),
            to: self.point(to),
            state: &parts.state,
            pages: pages
                .map(|(index, root, bytes)| ChangedPage {
                    index: *index,
                    root: *root,
                    bytes,
                })
                .collect(),
            preimages: parts
                .preimages
                .iter()
                .map(|(key, value)| (*key, &value[..]))
                .collect(),
            output: lines
                .filter(|step| step % LINES == 0)
                .map(|step| self.output(step))
                .collect(),
        }
    }

    pub fn put(self, trace: &TraceStore, from: Option<u64>, to: u64) -> Result<()> {
        trace.put(self.edge(from, to, &self.parts(from, to)))
    }

    /// Compares all that a checkpoint says with what is true.
    pub fn check(self, checkpoint: &Checkpoint) -> Result<()> {
        let step = checkpoint.point().step;
        assert_eq!(checkpoint.point(), self.point(step));
        assert_eq!(checkpoint.state()?, self.state(step));
        let pages: Vec<_> = (0..PAGES)
            .filter_map(|page| self.page(page, step))
            .collect();
        let roots: Vec<_> = pages
            .iter()
            .map(|(index, root, _)| (*index, *root))
            .collect();
        assert_eq!(checkpoint.pages(), roots, "pages at {step}");
        let mut indexes: Vec<_> = pages.iter().map(|(index, _, _)| *index).collect();
        indexes.reverse();
        let mut loaded = checkpoint.load_many(&indexes)?;
        loaded.reverse();
        for ((index, _, bytes), loaded) in pages.iter().zip(loaded) {
            assert_eq!(*bytes, loaded, "page {index} at {step}");
        }
        assert_eq!(checkpoint.load(pages[0].0)?, pages[0].2);
        let mut keys: Vec<_> = (0..=step / READS)
            .map(|number| self.preimage(number))
            .collect();
        for (key, value) in &keys {
            assert_eq!(checkpoint.preimage(key)?.as_ref(), Some(value));
        }
        keys.sort();
        assert!(
            checkpoint
                .preimages()
                .iter()
                .eq(keys.iter().map(|(key, _)| key))
        );
        for steps in [0..=step, step / 3..=step / 2] {
            let lines = steps.clone().filter(|step| step % LINES == 0);
            let lines: Vec<_> = lines.map(|step| self.output(step)).collect();
            assert_eq!(checkpoint.output(steps)?, lines);
        }
        Ok(())
    }

    /// Checks all checkpoints that are listed, and returns their steps.
    pub fn check_all(self, trace: &TraceStore) -> Vec<u64> {
        let points = trace.checkpoints().unwrap();
        for point in &points {
            let checkpoint = trace.open(point.step).unwrap();
            assert_eq!(checkpoint.point(), *point);
            self.check(&checkpoint).unwrap();
        }
        points.iter().map(|point| point.step).collect()
    }
}

/// Pages are spread over a large memory.
pub fn index(page: u64) -> u64 {
    page * page * 0x1_0001
}
