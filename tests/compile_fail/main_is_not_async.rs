//! Only an async function has something to run.

#[lone::main]
fn main() {}
