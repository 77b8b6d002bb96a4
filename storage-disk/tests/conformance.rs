//! The disk storage does what every storage has to do.

#![expect(clippy::unwrap_used, reason = "what cannot go wrong in a test ends it")]

use std::sync::Arc;

use tailwater_storage::conformance::{Subject, block_on, check};
use tailwater_storage::{OpenError, OpenRequest, Opened, Reply, StorageFactory};
use tailwater_storage_disk::{Disk, DiskFolder, IoConfig};
use tempfile::TempDir;

/// A folder that is removed with its factory.
#[derive(Debug)]
struct Temporary {
    folder: DiskFolder,
    _dir: TempDir,
}

impl StorageFactory for Temporary {
    fn open(&self, request: OpenRequest) -> Reply<Result<Opened, OpenError>> {
        self.folder.open(request)
    }
}

fn subject(remembers: bool, part_names: bool) -> Subject {
    let make = move || -> Arc<dyn StorageFactory> {
        let dir = TempDir::new().unwrap();
        let disk = Disk::new(IoConfig::default()).unwrap();
        let disk = disk.resume_dir(dir.path().join("state"));
        let folder = disk.folder(dir.path().join("down"));
        Arc::new(Temporary {
            folder: folder.remembers(remembers).part_names(part_names),
            _dir: dir,
        })
    };
    Subject::new(make).keeps().judges()
}

#[test]
fn it_does_what_every_storage_has_to_do() {
    block_on(check(&subject(true, false)));
}

/// What is there is found by hashing it.
#[test]
fn it_does_so_without_resume_data_and_with_names_of_parts() {
    block_on(check(&subject(false, true)));
}
