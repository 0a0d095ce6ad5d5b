//! Tools for tests: every order of ready tasks, and the moment in which all wait.
//!
//! | to … | use |
//! |---|---|
//! | run a test on a loop | [`#[lone::test]`](macro@crate::test) |
//! | find the order in which a program fails | [`explore`](explore()), [`Explore`] |
//! | have the same shuffled order again | [`Builder::seed`](crate::Builder::seed), `#[lone::test(seed = 7)]` |
//! | let hours pass at once | [`Builder::start_paused`](crate::Builder::start_paused) |
//! | move the clock by hand | [`time::advance`](crate::time::advance()), [`Jump::Manual`](crate::Jump::Manual) |
//! | wait until all others wait | [`wait_all_tasks_blocked`] |

mod explore;
mod failure;
mod outcome;
mod schedule;
mod walk;

pub use explore::{Explore, Explored, explore};
pub use failure::{Failure, Step, Why};
pub use lone_executor::{AllBlocked, wait_all_tasks_blocked};
pub use outcome::Outcome;
