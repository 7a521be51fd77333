//! The command line from outside: the real binary, its files, output and exit codes.

mod audit;
mod bisect;
mod challenger;
mod engines;
mod faults;
mod files;
mod flags;
mod golden;
mod host;
mod host_single;
mod hostile;
mod logs;
mod preimages;
mod serve;
mod signals;
mod stored_runs;
mod stores;
mod support;
mod tools;
mod trace;
mod trouble;
