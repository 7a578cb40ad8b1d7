//! Prints what each operation costs.

fn main() {}
