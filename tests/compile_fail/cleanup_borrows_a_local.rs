//! A cleanup may outlive the body that it belongs to, so it cannot borrow from there.

fn main() {
    lone::run(async {
        let name = String::from("borrowed");
        lone::finally(lone::yield_now(), async { println!("{name}") }).await;
    });
}
