//! How users are told what happens.

use std::sync::Arc;

/// Takes what a user should know, one line at a time.
pub type Notice = Arc<dyn Fn(&str) + Send + Sync>;
