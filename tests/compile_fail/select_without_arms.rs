//! Without an arm it could never end.

use std::future::ready;

fn main() {
    lone::run(async {
        lone::select! {}
        lone::select! { random; }
        lone::select! { else => () }
        lone::select! { () = ready(()) => () }
    });
}
