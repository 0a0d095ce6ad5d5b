//! The body of a group is a child as well: it may end before the others, so they cannot borrow from it.

use lone::TaskGroup;

fn main() {
    lone::run(async {
        let ran = TaskGroup::<()>::run(async |group| {
            let name = String::from("a local of the body");
            drop(group.spawn(async {
                assert!(!name.is_empty());
                Ok::<(), ()>(())
            }));
            Ok::<(), ()>(())
        });
        ran.await.unwrap();
    });
}
