//! A cache of open files, which bounds the file descriptors in use.

use crate::system::file_system::{Access, DiskFile};
use std::sync::Arc;

use parking_lot::Mutex;

/// The shards of the cache, each with its own lock, so that no lock is shared by all torrents.
const SHARDS: usize = 16;

/// The key of a file in the cache: the torrent's number and the file's number in the torrent.
pub(crate) type FileKey = (u64, u32);

/// The open files of all torrents; the least recently used ones are closed to make room for others.
///
/// It keeps at most that limit; each I/O thread may hold one more while it works on a file that was just evicted.
pub(crate) struct FileCache {
    shards: [Mutex<Shard>; SHARDS],
    per_shard: usize,
}

#[derive(Default)]
struct Shard {
    entries: Vec<Entry>,
    clock: u64,
}

struct Entry {
    key: FileKey,
    access: Access,
    file: Arc<dyn DiskFile>,
    used: u64,
}

impl FileCache {
    /// A cache of about `limit` files; at least one for each of its 16 parts.
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            shards: std::array::from_fn(|_| Mutex::default()),
            per_shard: (limit / SHARDS).max(1),
        }
    }

    /// The file of `key`, opened by `open` unless it is open already with at least that access.
    ///
    /// Two threads may open the same file at once; the lock is not held meanwhile, as a slow disk would hold up others.
    pub(crate) fn get<E>(
        &self,
        key: FileKey,
        access: Access,
        open: impl FnOnce() -> Result<Box<dyn DiskFile>, E>,
    ) -> Result<Arc<dyn DiskFile>, E> {
        if let Some(file) = self.with_shard(key, |shard| shard.find(key, access)) {
            return Ok(file);
        }
        let file: Arc<dyn DiskFile> = open()?.into();
        let pushed_out = self.with_shard(key, |shard| {
            shard.insert(key, access, Arc::clone(&file), self.per_shard)
        });
        // Closing can take long on a network file system: not under the lock.
        drop(pushed_out);
        Ok(file)
    }

    /// Closes a file, for example before it is removed.
    pub(crate) fn forget_file(&self, key: FileKey) {
        drop(self.with_shard(key, |shard| shard.extract(|entry| entry.key == key)));
    }

    /// Closes all files of a torrent.
    pub(crate) fn forget_torrent(&self, torrent: u64) {
        for shard in &self.shards {
            let mut shard = shard.lock();
            let closed = shard.extract(|entry| entry.key.0 == torrent);
            drop(shard);
            drop(closed);
        }
    }

    fn with_shard<T>(&self, key: FileKey, f: impl FnOnce(&mut Shard) -> T) -> T {
        let hash = key.0.wrapping_add(u64::from(key.1)) % SHARDS as u64;
        let shard = &self.shards[usize::try_from(hash).unwrap_or(0)];
        f(&mut shard.lock())
    }
}

impl Shard {
    fn find(&mut self, key: FileKey, access: Access) -> Option<Arc<dyn DiskFile>> {
        self.clock += 1;
        let entry = self.entries.iter_mut().find(|entry| {
            entry.key == key && (entry.access == Access::Write || access == Access::Read)
        })?;
        entry.used = self.clock;
        Some(Arc::clone(&entry.file))
    }

    /// Adds a file; returns those that were evicted.
    fn insert(
        &mut self,
        key: FileKey,
        access: Access,
        file: Arc<dyn DiskFile>,
        limit: usize,
    ) -> Vec<Entry> {
        let mut gone = self.extract(|entry| entry.key == key);
        while self.entries.len() >= limit {
            let oldest = (0..self.entries.len()).min_by_key(|&index| self.entries[index].used);
            gone.extend(oldest.map(|index| self.entries.swap_remove(index)));
        }
        self.clock += 1;
        self.entries.push(Entry {
            key,
            access,
            file,
            used: self.clock,
        });
        gone
    }

    fn extract(&mut self, which: impl Fn(&Entry) -> bool) -> Vec<Entry> {
        self.entries.extract_if(.., |entry| which(entry)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::file_system::OpenState;
    use std::io;
    use std::sync::atomic::{AtomicUsize, Ordering};

    struct Counted(Arc<AtomicUsize>);

    impl Drop for Counted {
        fn drop(&mut self) {
            self.0.fetch_sub(1, Ordering::SeqCst);
        }
    }

    impl DiskFile for Counted {
        fn read_exact_at(&self, _: &mut [u8], _: u64) -> io::Result<()> {
            Ok(())
        }
        fn write_all_at(&self, _: &[u8], _: u64) -> io::Result<()> {
            Ok(())
        }
        fn state(&self) -> io::Result<OpenState> {
            Err(io::ErrorKind::Unsupported.into())
        }
        fn set_len(&self, _: u64) -> io::Result<()> {
            Ok(())
        }
        fn sync(&self) -> io::Result<()> {
            Ok(())
        }
    }

    impl FileCache {
        /// How many files are open in the cache.
        pub(crate) fn open_files(&self) -> usize {
            let lens = self.shards.iter().map(|shard| {
                let shard = shard.lock();
                shard.entries.len()
            });
            lens.sum()
        }
    }

    fn get(cache: &FileCache, open: &Arc<AtomicUsize>, key: FileKey, access: Access) -> bool {
        let mut opened = false;
        let _file = cache.get(key, access, || {
            opened = true;
            open.fetch_add(1, Ordering::SeqCst);
            Ok::<_, io::Error>(Box::new(Counted(Arc::clone(open))))
        });
        opened
    }

    #[test]
    fn never_more_files_are_open_than_the_limit() {
        let cache = FileCache::new(32);
        let open = Arc::new(AtomicUsize::new(0));
        for file in 0..500 {
            assert!(get(&cache, &open, (1, file), Access::Read));
            assert!(open.load(Ordering::SeqCst) <= 32);
        }
        assert_eq!(cache.open_files(), 32);
        cache.forget_torrent(1);
        assert_eq!(open.load(Ordering::SeqCst), 0);
    }

    #[test]
    fn a_used_file_stays_and_a_writable_one_serves_readers() {
        let cache = FileCache::new(2 * SHARDS);
        let open = Arc::new(AtomicUsize::new(0));
        // All of one shard.
        let [a, b, c] = [(0, 0), (0, 16), (0, 32)];
        assert!(get(&cache, &open, a, Access::Read));
        assert!(get(&cache, &open, a, Access::Write));
        assert!(!get(&cache, &open, a, Access::Read));
        assert!(get(&cache, &open, b, Access::Read));
        assert!(!get(&cache, &open, a, Access::Read));
        assert!(get(&cache, &open, c, Access::Read));
        assert!(!get(&cache, &open, a, Access::Read), "used later than b");
        assert!(get(&cache, &open, b, Access::Read));
        assert_eq!(open.load(Ordering::SeqCst), 2);
    }
}
