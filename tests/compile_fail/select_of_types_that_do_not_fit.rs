//! A condition is a `bool`, the bodies have one type, and a pattern is one of its future's output.

use std::future::ready;

fn main() {
    lone::run(async {
        lone::select! {
            () = ready(()), if 1 => (),
        }
    });
    lone::run(async {
        let _n: i32 = lone::select! {
            () = ready(()) => 1,
            () = ready(()) => "2",
        };
    });
    lone::run(async {
        lone::select! {
            Some(n) = ready(1) => drop(n),
        }
    });
}
