//! The bodies of the fuzz targets.

use axum::body::Bytes;

use super::params::Params;

/// The body of a POST: whatever it is, its parameters are texts of it, and its files parts of it.
pub fn body(data: &[u8]) {
    let Some((first, rest)) = data.split_first() else {
        return;
    };
    let kind = match first % 3 {
        0 => Some("multipart/form-data; boundary=XX"),
        1 => Some("application/x-www-form-urlencoded"),
        _ => None,
    };
    let reading = Params::of_body(kind, Bytes::copy_from_slice(rest));
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let Ok(runtime) = runtime else { return };
    let Ok(params) = runtime.block_on(reading) else {
        return;
    };
    let files: usize = params.files.iter().map(|file| file.bytes.len()).sum();
    assert!(files <= rest.len());
    for name in ["hashes", "urls", "tags", "a", ""] {
        // Bytes that are no text become three each.
        let len = params.text(name).map_or(0, str::len);
        assert!(len <= 3 * rest.len(), "{name}");
        let parts = params.list(name, '|');
        assert!(parts.iter().map(|part| part.len()).sum::<usize>() <= len);
        let _ = (params.flag(name), params.int(name), params.float(name));
        assert!(params.float(name).is_none_or(f64::is_finite));
    }
}

/// The JSON of `app/setPreferences`: whatever it says, the settings after it make sense or are refused.
pub fn preferences(data: &[u8]) {
    super::calls::fuzz_preferences(data);
}
