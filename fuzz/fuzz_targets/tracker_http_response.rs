#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tailwater_tracker::fuzz::http_response(data));
