//! lone beside other runtimes: the benches are the targets of this member, and `README.md` says how
//! they are run and read. Nothing else in the workspace depends on tokio.

pub mod net;
