//! Which mistakes does the compiler catch, and what does it say?
//!
//! Messages change with compilers, so this runs where the compiler is known: `.ci/run` sets
//! `LONE_COMPILE_FAIL=1`. To write the messages anew, set `TRYBUILD=overwrite` as well.

#[test]
fn misuse_is_rejected_by_the_compiler_with_the_messages_on_record() {
    if std::env::var_os("LONE_COMPILE_FAIL").is_none_or(|value| value != "1") {
        eprintln!("skipped: set LONE_COMPILE_FAIL=1 to compare the compiler's messages");
        return;
    }
    let cases = trybuild::TestCases::new();
    cases.compile_fail("compile_fail/*.rs");
    cases.pass("compile_fail/pass/*.rs");
}
