//! What is easily written instead of `pattern = future => body`.

fn main() {
    lone::run(async {
        lone::select! {
            () = lone::yield_now(),
        }
        lone::select! {
            _ => (),
        }
        lone::select! {
            n = lone::yield_now() => drop(n);
            m = lone::yield_now() => drop(m);
        }
        lone::select! {
            else => (),
            () = lone::yield_now() => (),
        }
        lone::select! {
            n if true = lone::yield_now() => drop(n),
        }
        lone::select! { biased;
            () = lone::yield_now() => (),
        }
    });
}
