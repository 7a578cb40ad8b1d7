//! Looks for bytes that break the law of `connectory_tests::laws::operations`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| connectory_tests::laws::operations(input));
