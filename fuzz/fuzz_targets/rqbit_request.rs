#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tailwater_serve::rqbit::fuzz::request(data));
