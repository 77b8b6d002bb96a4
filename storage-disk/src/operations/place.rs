//! The place of a torrent's files.

use std::path::{Path, PathBuf};

use tailwater_metainfo::{Info, InfoHash};

use crate::claims::paths::canonical;
use crate::layout::locate::locate;
use crate::layout::names::{part_name, parts_name};
use crate::layout::{FileSpan, Layout};
use crate::resume::ResumeKey;
use crate::threads::pool::IoPool;
use tailwater_storage::StorageError;

/// A torrent's files below its download folder.
pub(crate) struct Place {
    /// Where each byte lies.
    pub layout: Layout,
    /// The name of the torrent's resume data.
    pub key: ResumeKey,
    /// The canonical path of the download folder.
    root: PathBuf,
}

impl Place {
    /// Finds out where the files of a torrent lie or will lie. Blocks: it looks at the disk.
    ///
    /// `part_names`: files that do not exist are begun under the names of parts.
    ///
    /// # Errors
    ///
    /// When its files do not fit together.
    fn find(
        info: &Info,
        info_hash: InfoHash,
        root: &Path,
        part_names: bool,
    ) -> Result<Self, StorageError> {
        let located = locate(info, root);
        let files = info.files().iter().zip(located);
        let files = files.map(|(file, located)| FileSpan {
            is_part: located.is_part || (part_names && located.may_be_part && !located.is_there),
            path: located.path,
            offset: file.offset(),
            length: file.length(),
            pad: file.is_pad(),
            link: file
                .symlink_target()
                .map(|target| target.under(Path::new(""))),
            executable: file.attributes().executable,
        });
        let layout = Layout::new(root.to_path_buf(), files.collect(), info.geometry().clone())?;
        let root = canonical(root);
        Ok(Self {
            key: ResumeKey::new(info_hash, &root),
            layout,
            root,
        })
    }

    /// The same on an I/O thread.
    ///
    /// # Errors
    ///
    /// When its files do not fit together, or the pool is closed.
    pub(crate) async fn find_in(
        pool: &IoPool,
        info: &Info,
        info_hash: InfoHash,
        root: &Path,
        part_names: bool,
    ) -> Result<Self, StorageError> {
        let (info, root) = (info.clone(), root.to_path_buf());
        pool.run(move || Self::find(&info, info_hash, &root, part_names))
            .await?
    }

    /// Everything that the torrent may write.
    pub(crate) fn paths(&self) -> Vec<PathBuf> {
        let files = self.layout.files().iter().filter(|file| !file.pad);
        let files = files.flat_map(|file| {
            let part = file.is_part.then(|| self.root.join(part_name(&file.path)));
            [self.root.join(&file.path)].into_iter().chain(part)
        });
        files
            .chain([self.root.join(parts_name(self.key.info_hash))])
            .collect()
    }
}
