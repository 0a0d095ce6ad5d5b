//! The lecture programs and two servers on lone: all of them in the `examples` of this package.
//!
//! `cargo run --example tour` runs the lecture programs one after the other; each says in its
//! module documentation what to look for. `exercise_3_gate` and `retry` go on from there.
