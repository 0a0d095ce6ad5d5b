//! Tools for tests: the moment in which all wait.

pub use lone_executor::{AllBlocked, wait_all_tasks_blocked};
