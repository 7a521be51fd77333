//! The command line of Carronade.
