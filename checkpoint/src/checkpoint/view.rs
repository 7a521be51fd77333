//! A path of objects seen as one memory.

use crate::backend::Backend;
use crate::edge::Page;
use crate::error::{Error, Result};
use crate::format::object::Object;
use crate::name::{EdgeName, Hash};
use std::ops::Range;
use std::sync::Arc;

/// Pages this near to each other are read at once: reading what lies between costs less
/// than asking again.
const NEAR: u64 = 16 << 10;
/// But not more than this at once.
const MOST: u64 = 1 << 20;

/// The newest version of a page.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    index: u64,
    /// Which edge of the path has it, counted from the last one.
    back: u32,
    /// Which of the edge's pages it is.
    entry: u32,
}

/// Objects from a root edge on, with the newest version of every page.
pub(super) struct View {
    path: Vec<Arc<Object>>,
    places: Vec<Place>,
}

/// A stretch of an object that is read at once, and which of the wanted pages are in it.
struct Stretch {
    range: Range<u64>,
    /// The place, and which of the pages asked for it is.
    pages: Vec<(Place, usize)>,
}

impl View {
    pub fn new(path: Vec<Arc<Object>>) -> Self {
        let mut places = Vec::new();
        for (back, object) in (0..).zip(path.iter().rev()) {
            let entries = (0..).zip(&object.manifest.pages);
            places.extend(entries.map(|(entry, page)| Place {
                index: page.index,
                back,
                entry,
            }));
        }
        // The newest first, which is the one that stays.
        places.sort_unstable();
        places.dedup_by_key(|place| place.index);
        Self { path, places }
    }

    /// The objects, the root edge first.
    pub fn path(&self) -> impl DoubleEndedIterator<Item = &Arc<Object>> {
        self.path.iter()
    }

    /// The edge that ends at the checkpoint.
    pub fn last(&self) -> &Object {
        &self.path[self.path.len() - 1]
    }

    /// The edge that an error is about.
    pub fn blamed(&self, error: &Error) -> Option<EdgeName> {
        let (Error::Damaged { object, .. } | Error::Missing { object }) = error else {
            return None;
        };
        let edge = self.path.iter().find(|edge| edge.source.path == *object);
        edge.map(|edge| edge.name)
    }

    /// Index and root of every page.
    pub fn pages(&self) -> impl Iterator<Item = (u64, Hash)> + '_ {
        let root = |place: &Place| self.object(place).manifest.pages[place.entry as usize].root;
        self.places
            .iter()
            .map(move |place| (place.index, root(place)))
    }

    fn object(&self, place: &Place) -> &Object {
        &self.path[self.path.len() - 1 - place.back as usize]
    }

    /// Some pages, in the order asked for.
    pub fn load(&self, backend: &dyn Backend, indexes: &[u64]) -> Result<Vec<Box<Page>>> {
        let stretches = self.stretches(indexes)?;
        let request = |stretch: &Stretch| (self.source(stretch), stretch.range.clone());
        let requests: Vec<_> = stretches.iter().map(request).collect();
        let mut pages = vec![None; indexes.len()];
        for (stretch, stored) in stretches.iter().zip(backend.read(&requests)) {
            let stored = stored?;
            for (place, asked) in &stretch.pages {
                let (object, entry) = (self.object(place), place.entry as usize);
                let range = object.page(entry);
                let start = (range.start - stretch.range.start) as usize;
                let stored = &stored[start..start + (range.end - range.start) as usize];
                pages[*asked] = Some(object.unpack_page(entry, stored)?);
            }
        }
        Ok(pages
            .into_iter()
            .map(|page| page.expect("every page is in a stretch"))
            .collect())
    }

    fn source(&self, stretch: &Stretch) -> &crate::backend::Source {
        &self.object(&stretch.pages[0].0).source
    }

    /// What to read for these pages.
    fn stretches(&self, indexes: &[u64]) -> Result<Vec<Stretch>> {
        let mut wanted = Vec::with_capacity(indexes.len());
        for (asked, index) in indexes.iter().enumerate() {
            let found = self.places.binary_search_by_key(index, |place| place.index);
            let missing = |_| Error::NoPage {
                index: *index,
                step: self.last().name.to,
            };
            wanted.push((self.places[found.map_err(missing)?], asked));
        }
        wanted.sort_unstable_by_key(|(place, asked)| (place.back, place.entry, *asked));
        let mut stretches: Vec<Stretch> = Vec::new();
        for (place, asked) in wanted {
            let range = self.object(&place).page(place.entry as usize);
            match stretches.last_mut() {
                Some(last) if last.takes(&place, &range) => {
                    last.range.end = range.end;
                    last.pages.push((place, asked));
                }
                _ => stretches.push(Stretch {
                    range,
                    pages: vec![(place, asked)],
                }),
            }
        }
        Ok(stretches)
    }
}

impl Stretch {
    fn takes(&self, place: &Place, range: &Range<u64>) -> bool {
        self.pages[0].0.back == place.back
            && range.start <= self.range.end + NEAR
            && range.end <= self.range.start + MOST
    }
}
