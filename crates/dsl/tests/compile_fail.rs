//! What does not compile says what to do.
#![allow(missing_docs, reason = "tests")]

#[test]
fn a_missing_serde_is_a_compile_error_that_names_the_cure() {
    trybuild::TestCases::new().compile_fail("tests/compile_fail/*.rs");
}
