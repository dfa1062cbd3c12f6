#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| oktsec_proxy::fuzzing::messages(bytes));
