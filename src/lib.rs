//! lone
pub use lone_executor::*;
