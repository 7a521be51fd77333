//! What has been sent and is not buried yet, on disk: written before it is sent, so that a
//! process that is killed neither forgets a transaction nor makes it a second time.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use alloy_primitives::{Address, B256, Bytes, U256};
use redb::{Database, DatabaseError, ReadableDatabase as _, ReadableTable as _, TableDefinition};
use serde::{Deserialize, Serialize};

use crate::lock::lock;

/// Transactions by their nonces, as JSON.
const SENT: TableDefinition<u64, &[u8]> = TableDefinition::new("sent");

/// Whose transactions these are: the chain's id and the account.
const OWNER: TableDefinition<&str, &[u8]> = TableDefinition::new("owner");

/// Why the journal cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// Another process has it.
    #[error("the journal {0} is used by another process")]
    InUse(PathBuf),
    /// It is another's.
    #[error("the journal {path} is of account {account} on chain {chain}")]
    Foreign {
        /// The file.
        path: PathBuf,
        /// Whose it is.
        account: Address,
        /// On which chain.
        chain: u64,
    },
    /// It cannot be read or written.
    #[error("the journal {path}: {reason}")]
    Broken {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

/// One signed form of a transaction; a later one pays more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// Its hash.
    pub hash: B256,
    /// What is sent.
    pub raw: Bytes,
    /// The most that is paid per unit of gas, in wei.
    pub max_fee: u128,
    /// What the block's builder gets of it, in wei.
    pub tip: u128,
    /// When it was signed, in seconds since 1970.
    pub at: u64,
}

/// Where a transaction was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mined {
    /// The block's number.
    pub number: u64,
    /// The block's hash.
    pub hash: B256,
    /// Whether it did what it was for; else it was reverted.
    pub success: bool,
}

/// A transaction that was sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent {
    /// What it is for: nothing is sent twice for the same purpose.
    pub purpose: String,
    /// The contract.
    pub to: Address,
    /// The call.
    pub data: Bytes,
    /// Wei that go along.
    pub value: U256,
    /// The most gas that it may use.
    pub gas: u64,
    /// Its signed forms, the newest last.
    pub attempts: Vec<Attempt>,
    /// The block that it was found in.
    pub mined: Option<Mined>,
    /// The block since which its nonce is used up without a sign of it.
    pub lost_since: Option<u64>,
}

/// The journal of an account on a chain.
pub struct Journal {
    path: PathBuf,
    /// None after an error: a database that has failed once, on a full disk say, must be opened
    /// again before it can be used.
    database: Mutex<Option<Database>>,
}

impl Journal {
    /// Opens the journal in a file, or makes one.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn open(path: &Path, chain: u64, account: Address) -> Result<Self, JournalError> {
        let journal = Self {
            path: path.to_owned(),
            database: Mutex::default(),
        };
        journal.check_owner(chain, account)?;
        Ok(journal)
    }

    /// Works with the database, which is opened if need be.
    fn with<T>(
        &self,
        work: impl FnOnce(&Database) -> Result<T, JournalError>,
    ) -> Result<T, JournalError> {
        let mut database = lock(&self.database);
        let result = guarded(&self.path, || match &*database {
            Some(database) => work(database),
            None => work(database.insert(create(&self.path)?)),
        });
        if result.is_err() {
            // Closing it may fail in the same way as using it.
            let failed = database.take();
            let _ = guarded(&self.path, || {
                drop(failed);
                Ok(())
            });
        }
        result
    }

    fn check_owner(&self, chain: u64, account: Address) -> Result<(), JournalError> {
        let own = [&chain.to_be_bytes()[..], account.as_slice()].concat();
        let found = self.with(|database| {
            let write = database.begin_write().map_err(self.broken())?;
            let found = {
                let mut owner = write.open_table(OWNER).map_err(self.broken())?;
                write.open_table(SENT).map_err(self.broken())?;
                let found = owner.get("").map_err(self.broken())?;
                let found = found.map(|value| value.value().to_vec());
                if found.is_none() {
                    owner.insert("", &own[..]).map_err(self.broken())?;
                }
                found
            };
            write.commit().map_err(self.broken())?;
            Ok(found)
        })?;
        match found {
            Some(other) if other != own && other.len() == own.len() => {
                let (chain, account) = other.split_at(8);
                Err(JournalError::Foreign {
                    path: self.path.clone(),
                    account: Address::from_slice(account),
                    chain: chain
                        .iter()
                        .fold(0, |sum, &byte| sum << 8 | u64::from(byte)),
                })
            }
            Some(other) if other != own => Err(broken(&self.path, "its owner cannot be read")),
            _ => Ok(()),
        }
    }

    /// All transactions that are not buried yet, by nonce.
    ///
    /// # Errors
    /// [`JournalError::Broken`].
    pub fn all(&self) -> Result<Vec<(u64, Sent)>, JournalError> {
        self.with(|database| {
            let read = database.begin_read().map_err(self.broken())?;
            let sent = read.open_table(SENT).map_err(self.broken())?;
            let mut all = Vec::new();
            for entry in sent.iter().map_err(self.broken())? {
                let (nonce, sent) = entry.map_err(self.broken())?;
                let sent = serde_json::from_slice(sent.value()).map_err(self.broken())?;
                all.push((nonce.value(), sent));
            }
            Ok(all)
        })
    }

    /// Keeps a transaction; it is on disk when this returns.
    ///
    /// # Errors
    /// [`JournalError::Broken`].
    pub fn keep(&self, nonce: u64, sent: &Sent) -> Result<(), JournalError> {
        let bytes = serde_json::to_vec(sent).map_err(self.broken())?;
        self.change(|table| table.insert(nonce, &bytes[..]).map(drop))
    }

    /// Forgets a transaction.
    ///
    /// # Errors
    /// [`JournalError::Broken`].
    pub fn forget(&self, nonce: u64) -> Result<(), JournalError> {
        self.change(|table| table.remove(nonce).map(drop))
    }

    fn change(
        &self,
        change: impl FnOnce(&mut redb::Table<'_, u64, &[u8]>) -> Result<(), redb::StorageError>,
    ) -> Result<(), JournalError> {
        self.with(|database| {
            let write = database.begin_write().map_err(self.broken())?;
            {
                let mut table = write.open_table(SENT).map_err(self.broken())?;
                change(&mut table).map_err(self.broken())?;
            }
            write.commit().map_err(self.broken())
        })
    }

    fn broken<E: ToString>(&self) -> impl Fn(E) -> JournalError {
        |error| broken(&self.path, error)
    }
}

fn create(path: &Path) -> Result<Database, JournalError> {
    match Database::create(path) {
        Err(DatabaseError::DatabaseAlreadyOpen) => Err(JournalError::InUse(path.to_owned())),
        other => other.map_err(|error| broken(path, error)),
    }
}

fn broken(path: &Path, reason: impl ToString) -> JournalError {
    JournalError::Broken {
        path: path.to_owned(),
        reason: reason.to_string(),
    }
}

/// The database panics on some kinds of damage; here that is an error like others.
fn guarded<T>(
    path: &Path,
    work: impl FnOnce() -> Result<T, JournalError>,
) -> Result<T, JournalError> {
    carronade_host::catch(work)
        .unwrap_or_else(|words| Err(broken(path, format!("the file is damaged: {words}"))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(purpose: &str) -> Sent {
        Sent {
            purpose: purpose.to_owned(),
            to: Address::repeat_byte(1),
            data: vec![1, 2].into(),
            value: U256::MAX,
            gas: 21_000,
            attempts: vec![Attempt {
                hash: B256::repeat_byte(3),
                raw: vec![4].into(),
                max_fee: u128::MAX,
                tip: 1,
                at: 5,
            }],
            mined: Some(Mined {
                number: 6,
                hash: B256::repeat_byte(7),
                success: false,
            }),
            lost_since: None,
        }
    }

    #[test]
    fn what_was_kept_is_there_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("journal");
        let account = Address::repeat_byte(9);
        let journal = Journal::open(&path, 1, account).expect("a journal");
        journal.keep(7, &sent("b")).expect("kept");
        journal.keep(6, &sent("a")).expect("kept");
        journal.keep(8, &sent("c")).expect("kept");
        journal.forget(6).expect("forgotten");
        drop(journal);
        let journal = Journal::open(&path, 1, account).expect("a journal");
        let all = journal.all().expect("read");
        assert_eq!(all, [(7, sent("b")), (8, sent("c"))]);
    }

    #[test]
    fn who_may_not_have_it_is_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("journal");
        let account = Address::repeat_byte(9);
        let journal = Journal::open(&path, 1, account).expect("a journal");
        let again = Journal::open(&path, 1, account);
        assert!(matches!(again, Err(JournalError::InUse(_))));
        drop(journal);
        for (chain, account) in [(2, account), (1, Address::repeat_byte(8))] {
            let other = Journal::open(&path, chain, account).err().expect("foreign");
            let words = other.to_string();
            assert!(words.ends_with("on chain 1"), "{words}");
        }
    }

    #[test]
    fn damage_is_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("journal");
        let account = Address::repeat_byte(9);
        drop(Journal::open(&path, 1, account).expect("a journal"));
        let whole = std::fs::read(&path).expect("a file");
        for damage in [0..64, 64..320, 4096..8192, 0..whole.len()] {
            let mut bytes = whole.clone();
            bytes[damage.clone()].fill(0);
            std::fs::write(&path, bytes).expect("written");
            let opened = Journal::open(&path, 1, account);
            if let Ok(journal) = &opened {
                assert_eq!(journal.all().expect("nothing is lost"), [], "{damage:?}");
                continue;
            }
            let words = opened.err().map(|error| error.to_string());
            let words = words.unwrap_or_default();
            assert!(words.starts_with("the journal "), "{damage:?}: {words}");
        }
    }
}
