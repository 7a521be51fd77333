//! Work items: who does what, and what came of it.
//!
//! An item is claimed for a time. Who is ended while working loses its claim when the time
//! is over, and just one other gets it. That needs clocks that agree to within a fraction
//! of that time. Work may be done twice all the same, by one who was only slow: what is
//! done must not depend on who does it, and the first result stays.

use crate::backend::Small;
use crate::error::{Error, Result};
use crate::name::check_plain;
use crate::notes::{encode, frame};
use crate::trace::TraceStore;
use serde::{Deserialize, Serialize};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const CLAIMS: &str = "claims";
const RESULTS: &str = "results";

/// Whose an item is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// Whoever asked; until then.
    Mine(SystemTime),
    /// Somebody else's, until then.
    Taken {
        /// Who that is.
        owner: String,
        /// When the claim ends.
        until: SystemTime,
    },
    /// Nobody's any more. The result.
    Done(Vec<u8>),
}

#[derive(Debug, Serialize, Deserialize)]
struct Record {
    owner: String,
    /// Milliseconds since 1970.
    until: u64,
}

impl TraceStore {
    /// Claims an item, or renews a claim. Owners need names of their own.
    ///
    /// # Errors
    /// When the name is not a plain one, or the store cannot be written.
    pub fn claim(&self, name: &str, owner: &str, time: Duration) -> Result<Claim> {
        check_plain(name)?;
        let mut refused = None;
        loop {
            if let Some(result) = self.completed(name)? {
                return Ok(Claim::Done(result));
            }
            let until = now() + time.as_millis() as u64;
            let mine = encode(&Record {
                owner: owner.into(),
                until,
            });
            let there = self.claimed(name)?;
            if let Some(Small {
                value: Some(record),
                ..
            }) = &there
            {
                let until = time_of(record.until);
                if record.owner == owner && refused == Some(record.until) {
                    // The answer was lost, and the second attempt then refused.
                    return Ok(Claim::Mine(until));
                }
                if record.owner != owner && record.until > now() {
                    let owner = record.owner.clone();
                    return Ok(Claim::Taken { owner, until });
                }
            }
            let path = self.small_path(CLAIMS, name);
            let mine = frame(&path, &mine);
            let got = match there {
                None => self.backend().create(&path, &mine)?,
                Some(there) => self.backend().swap(&path, &there.version, &mine)?,
            };
            if got {
                return Ok(Claim::Mine(time_of(until)));
            }
            // Otherwise somebody has changed it just now: see who.
            refused = Some(until);
        }
    }

    /// Keeps the result of an item, and returns the one that is kept: the first.
    ///
    /// # Errors
    /// When the name is not a plain one, or the store cannot be written.
    pub fn complete(&self, name: &str, result: &[u8]) -> Result<Vec<u8>> {
        check_plain(name)?;
        let was = self.create_small(RESULTS, name, result)?;
        Ok(was.unwrap_or_else(|| result.into()))
    }

    /// The result of an item, if it is done. A damaged one is not.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn completed(&self, name: &str) -> Result<Option<Vec<u8>>> {
        check_plain(name)?;
        match self.small_bytes(RESULTS, name) {
            Err(Error::Damaged { .. }) => Ok(None),
            other => Ok(other?.map(|result| result.value)),
        }
    }

    /// The names of all items that are done.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn all_completed(&self) -> Result<Vec<String>> {
        let mut names = self.backend().list(&self.folder(RESULTS))?;
        names.sort();
        Ok(names)
    }

    /// The claim to an item; a damaged one is nobody's.
    fn claimed(&self, name: &str) -> Result<Option<Small<Option<Record>>>> {
        match self.small::<Record>(CLAIMS, name) {
            Err(Error::Damaged { .. }) => {
                let there = self.backend().get(&self.small_path(CLAIMS, name))?;
                Ok(there.map(|small| small.map(|_| None)))
            }
            other => Ok(other?.map(|small| small.map(Some))),
        }
    }
}

fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.unwrap_or_default().as_millis() as u64
}

fn time_of(millis: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(millis)
}
