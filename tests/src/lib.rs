//! What the tests share. Each test is in `tests/`, named after what it shows.

pub mod cases;
