//! A task outlives the function that spawns it, so its future cannot borrow from there.

fn main() {
    let mut executor = lone_executor::Executor::new(lone_executor::ThreadPark::new()).unwrap();
    executor.block_on(async {
        let name = String::from("borrowed");
        let task = lone_executor::spawn(async { name.len() });
        task.await.unwrap();
    });
}
