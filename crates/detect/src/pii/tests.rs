//! Tests of the finders together.
