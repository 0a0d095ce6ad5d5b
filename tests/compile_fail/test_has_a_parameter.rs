//! Nobody would pass it.

#[lone::test]
async fn adds(n: u32) {
    assert_eq!(n + 1, 2);
}

fn main() {}
