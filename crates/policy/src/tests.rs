//! The cases of `testdata/policy` and the properties that hold for every policy.

mod cases;
mod content;
mod properties;
mod reader;
