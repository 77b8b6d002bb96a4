#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tailwater_serve::stremio::fuzz::body(data));
