//! Where a torrent's files lie.

use std::path::{Path, PathBuf};

use tailwater_metainfo::Info;

use crate::disk::{FileSpan, Layout, ResumeKey, canonical, parts_name};
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
    /// # Errors
    ///
    /// When the torrent has no v1 hashes or its files do not fit together.
    pub(crate) fn find(info: &Info, root: &Path) -> Result<Self, AddError> {
        let info_hash = info.info_hashes().v1.ok_or(AddError::V2Only)?;
        let files = info.files().iter().map(|file| FileSpan {
            path: file.path().under(Path::new("")),
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

    /// Everything that the torrent may write.
    pub(crate) fn paths(&self) -> Vec<PathBuf> {
        let files = self.layout.files().iter().filter(|file| !file.pad);
        let files = files.map(|file| self.root.join(&file.path));
        files
            .chain([self.root.join(parts_name(self.key.info_hash))])
            .collect()
    }
}
