//! A group is entered once: the future that runs it is consumed where it is awaited.

use lone::TaskGroup;

fn main() {
    lone::run(async {
        let ran = TaskGroup::<()>::run(async |_group| Ok::<(), ()>(()));
        ran.await.unwrap();
        ran.await.unwrap();
    });
}
