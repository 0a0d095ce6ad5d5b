//! Options are methods of the builder.

#[lone::main(budgets = 7)]
async fn main() {}
