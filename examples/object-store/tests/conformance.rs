//! It does what every storage has to do, in memory and in a folder.

use std::sync::Arc;

use bucket::{Bucket, BucketFactory};
use tailwater_storage::StorageFactory;
use tailwater_storage::conformance::{Subject, check};
use tempfile::TempDir;
use url::Url;

fn factory(url: &Url) -> Arc<dyn StorageFactory> {
    Arc::new(BucketFactory::new(
        Bucket::open(url).expect("a bucket in memory or in a folder opens"),
    ))
}

#[tokio::test(flavor = "multi_thread")]
async fn in_memory() {
    let make = || factory(&"memory:///".parse().unwrap());
    check(&Subject::new(make).keeps()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_folder() {
    let dir = TempDir::new().unwrap();
    let parent = dir.path().to_owned();
    let number = std::cell::Cell::new(0);
    let make = move || {
        number.set(number.get() + 1);
        let folder = parent.join(number.get().to_string());
        std::fs::create_dir(&folder).unwrap();
        factory(&Url::from_directory_path(folder).unwrap())
    };
    check(&Subject::new(make).keeps()).await;
}
