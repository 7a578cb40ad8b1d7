//! Looks for bytes that break the law of `connectory::laws::codec`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| connectory::laws::codec(input));
