//! The lecture programs and three servers on lone: all of them in the `examples` of this package.
//!
//! `cargo run --example tour` runs the lecture programs one after the other; each says in its
//! module documentation what to look for. `exercise_1_crawler`, `exercise_3_gate`, `crawler_discovery`,
//! `chat_server` and `retry` go on from there.
