//! Where a torrent's files lie.

use std::path::{Path, PathBuf};

use tailwater_metainfo::Info;

use super::locate::locate;
use crate::disk::{FileSpan, IoPool, Layout, ResumeKey, canonical, part_name, parts_name};
use crate::error::AddError;

/// A torrent's files below its download folder.
pub(crate) struct Place {
    pub(crate) layout: Layout,
    pub(crate) key: ResumeKey,
    /// The download folder's one name.
    root: PathBuf,
}

impl Place {
    /// Finds out where the files of a torrent lie or will lie. Blocks: it looks at the disk.
    ///
    /// `part_names`: files that do not exist are begun under the names of parts.
    ///
    /// # Errors
    ///
    /// When the torrent has no v1 hashes or its files do not fit together.
    fn find(info: &Info, root: &Path, part_names: bool) -> Result<Self, AddError> {
        let info_hash = info.info_hashes().v1.ok_or(AddError::V2Only)?;
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
        });
        let layout = Layout::new(root.to_path_buf(), files.collect(), info.geometry())?;
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
    /// When the torrent has no v1 hashes, its files do not fit together, or the pool is closed.
    pub(crate) async fn find_in(
        pool: &IoPool,
        info: &Info,
        root: &Path,
        part_names: bool,
    ) -> Result<Self, AddError> {
        let (info, root) = (info.clone(), root.to_path_buf());
        pool.run(move || Self::find(&info, &root, part_names))
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
