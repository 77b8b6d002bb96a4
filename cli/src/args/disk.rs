//! Options for files on the disk.

use clap::Args as ClapArgs;
use tailwater_session::AddOptions;

use super::StorageChoice;
use crate::error::CliError;

/// What becomes of files that are there already.
#[derive(Clone, Copy, Debug, ClapArgs)]
pub(crate) struct Existing {
    /// Hash what is there already, whatever was remembered of an earlier run.
    #[arg(long, help_heading = "Files")]
    pub(crate) check: bool,
    /// Replace files that are there already and hold nothing of the torrent. Without it they are an error.
    #[arg(long, help_heading = "Files")]
    pub(crate) overwrite: bool,
}

impl Existing {
    /// Rejects flags that have no effect with this storage, as wrong usage.
    pub(crate) fn check_storage(self, storage: StorageChoice) -> Result<(), CliError> {
        let flags = [("--check", self.check), ("--overwrite", self.overwrite)];
        match (storage, flags.into_iter().find(|(_, is_given)| *is_given)) {
            (StorageChoice::Memory, Some((flag, _))) => Err(CliError::Usage(format!(
                "`{flag}` needs `--storage disk`: in memory nothing is there already"
            ))),
            _ => Ok(()),
        }
    }

    pub(crate) fn apply(self, options: AddOptions) -> AddOptions {
        options.recheck(self.check).overwrite(self.overwrite)
    }
}

/// How new files are made.
#[derive(Clone, Copy, Debug, ClapArgs)]
pub(crate) struct NewFiles {
    /// Have the file system keep room for the files before they are fetched.
    #[arg(long, help_heading = "Files")]
    pub(crate) preallocate: bool,
    /// Call a file NAME.part until all of it is verified.
    #[arg(long, help_heading = "Files")]
    pub(crate) part: bool,
}

impl NewFiles {
    /// Rejects flags that have no effect with this storage, as wrong usage.
    pub(crate) fn check_storage(self, storage: StorageChoice) -> Result<(), CliError> {
        let flags = [("--preallocate", self.preallocate), ("--part", self.part)];
        match (storage, flags.into_iter().find(|(_, is_given)| *is_given)) {
            (StorageChoice::Memory, Some((flag, _))) => Err(CliError::Usage(format!(
                "`{flag}` needs `--storage disk`: in memory there are no files"
            ))),
            _ => Ok(()),
        }
    }

    pub(crate) fn apply(self, options: AddOptions) -> AddOptions {
        options.preallocate(self.preallocate).part_names(self.part)
    }
}
