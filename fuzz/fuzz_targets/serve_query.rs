#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tailwater_serve::api::fuzz::query_and_headers(data));
