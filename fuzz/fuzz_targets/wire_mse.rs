#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tailwater_wire::fuzz::mse(data));
