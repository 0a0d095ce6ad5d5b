//! A link to a group may be kept, but not longer than what its children may borrow.

use lone::TaskGroup;

fn main() {
    let mut kept = None;
    lone::run(async {
        let name = String::from("short-lived");
        let ran = TaskGroup::<()>::run(async |group| {
            drop(group.spawn(async {
                assert!(!name.is_empty());
                Ok::<(), ()>(())
            }));
            kept = Some(group);
            Ok::<(), ()>(())
        });
        ran.await.unwrap();
    });
    drop(kept);
}
