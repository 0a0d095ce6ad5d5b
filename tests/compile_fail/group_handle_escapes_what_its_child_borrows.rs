//! A child may return what it has borrowed: its handle cannot outlive that.

use lone::TaskGroup;

fn main() {
    let mut kept = None;
    lone::run(async {
        let name = String::from("short-lived");
        let ran = TaskGroup::<()>::run(async |group| {
            kept = Some(group.spawn(async { Ok::<&str, ()>(&name) }));
            Ok::<(), ()>(())
        });
        ran.await.unwrap();
    });
    drop(kept);
}
