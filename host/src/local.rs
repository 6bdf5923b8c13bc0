//! The local rule file: it is loaded behind all others if it is there, and it is the only one that
//! the page writes to. Where it lies is settled when Saker starts; whoever asks for a change says
//! what is added to it, never where.

use crate::config::LocalRules;
use crate::folder::{self, Folder, Unfit};
use std::io;
use std::path::{Path, PathBuf};

/// How it is called beside other rule files.
const NAME: &str = "saker_rules.local.yaml";
/// Where it is where only the bundled rules run.
const ALONE: &str = "/etc/saker";
/// It is no longer.
const FILE_BYTES_MAX: usize = 1 << 20;

/// The local rule file, whether or not it is there yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalFile {
    path: PathBuf,
}

/// Why something is not saved.
#[derive(Debug, thiserror::Error)]
pub enum Unsaved {
    /// What is there is not ours to read.
    #[error("{0}")]
    Unfit(#[from] Unfit),
    /// A link leads to the file, as in a ConfigMap: who made it writes there.
    #[error("it is a link to another file")]
    Link,
    /// It cannot be written.
    #[error("it cannot be written: {0}")]
    Closed(#[from] io::Error),
    /// It is no text.
    #[error("it is not UTF-8")]
    NoText,
    /// It would be too long.
    #[error("it would have more than {} KiB", FILE_BYTES_MAX >> 10)]
    Full,
}

impl LocalFile {
    /// Where it is, as the setting says, or beside the last of those rule files.
    pub fn of(setting: &LocalRules, rules: &[PathBuf]) -> Option<LocalFile> {
        let path = match setting {
            LocalRules::Nowhere => return None,
            LocalRules::At(path) => path.clone(),
            LocalRules::Beside => {
                let is_file = |path: &&PathBuf| path.as_os_str() != "default" && path.exists();
                let last = rules.iter().rev().find(is_file);
                // A file in a folder of rules would be loaded in the order of its name.
                let last = last.and_then(|path| std::path::absolute(path).ok());
                let folder = last.as_deref().and_then(Path::parent);
                folder.unwrap_or(Path::new(ALONE)).join(NAME)
            }
        };
        path.file_name()?;
        Some(LocalFile { path })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new("/"))
    }

    /// What is in it; none if it is not there. Nobody but root and Saker's user may be able to
    /// write it: unlike the other files, nobody has named it.
    pub fn read(&self) -> Result<Option<Vec<u8>>, Unfit> {
        if self.path.symlink_metadata().is_err() {
            return Ok(None);
        }
        let name = Path::new(self.path.file_name().unwrap_or_default());
        let folder = Folder::open(self.folder())?;
        folder.read(name, FILE_BYTES_MAX).map(Some)
    }

    /// The same as text, to be added to; empty if it is not there.
    pub fn text(&self) -> Result<String, Unsaved> {
        match self.path.symlink_metadata() {
            Ok(found) if found.is_symlink() => return Err(Unsaved::Link),
            Ok(_) | Err(_) => {}
        }
        let bytes = self.read()?.unwrap_or_default();
        String::from_utf8(bytes).map_err(|_| Unsaved::NoText)
    }

    /// Why it cannot be written, as far as that can be told before.
    pub fn unwritable(&self) -> Option<Unsaved> {
        use rustix::fs::{Access, AtFlags, CWD, accessat};
        let may = |path: &Path| {
            accessat(CWD, path, Access::WRITE_OK, AtFlags::EACCESS)
                .err()
                .map(|error| Unsaved::Closed(error.into()))
        };
        if let Err(why) = self.text() {
            return Some(why);
        }
        let folder = self.folder();
        match folder.exists() {
            // The file is written aside and renamed: it is the folder that must let us.
            true => Folder::open(folder)
                .err()
                .map(Unsaved::Unfit)
                .or_else(|| may(folder)),
            // It is made when there is something to be saved.
            false => folder.ancestors().find(|up| up.exists()).and_then(may),
        }
    }

    /// Writes it anew, if what is there is what it was when it was read.
    pub fn write(&self, before: &str, text: &str) -> Result<(), Unsaved> {
        if text.len() > FILE_BYTES_MAX {
            return Err(Unsaved::Full);
        }
        let folder = self.folder();
        if !folder.exists() {
            use std::os::unix::fs::DirBuilderExt;
            let mut builder = std::fs::DirBuilder::new();
            builder.recursive(true).mode(0o755).create(folder)?;
        }
        Folder::open(folder)?;
        if self.text()? != before {
            let changed = "somebody else has changed it meanwhile";
            return Err(Unsaved::Closed(io::Error::other(changed)));
        }
        Ok(folder::write_whole(&self.path, text.as_bytes())?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

    fn place() -> (tempfile::TempDir, LocalFile) {
        let place = tempfile::tempdir().expect("a folder for files of the test");
        let rules = place.path().join("mine.yaml");
        std::fs::write(&rules, "").expect("a folder of the test");
        let file = LocalFile::of(&LocalRules::Beside, &["default".into(), rules]);
        (place, file.expect("it is somewhere"))
    }

    #[test]
    fn it_lies_beside_the_last_rule_file_or_where_it_is_said() {
        let (place, file) = place();
        assert_eq!(file.path(), place.path().join(NAME));
        let of = |setting: LocalRules| LocalFile::of(&setting, &["default".into()]);
        let alone = of(LocalRules::Beside).expect("it is somewhere");
        assert_eq!(alone.path(), Path::new("/etc/saker/saker_rules.local.yaml"));
        let there = of(LocalRules::At("/a/b.yaml".into())).expect("it is there");
        assert_eq!(there.path(), Path::new("/a/b.yaml"));
        assert_eq!(of(LocalRules::Nowhere), None);
    }

    #[test]
    fn it_is_written_whole_and_not_over_what_another_wrote() {
        let (_place, file) = place();
        assert!(file.unwritable().is_none());
        assert!(matches!(file.read(), Ok(None)));
        file.write("", "- list: x\n").expect("ours");
        assert_eq!(file.text().expect("ours"), "- list: x\n");
        let mode = file.path().metadata().expect("it is there").mode();
        assert_eq!(mode & 0o7777, 0o644);
        let late = file.write("", "- list: y\n");
        assert!(matches!(late, Err(Unsaved::Closed(_))), "{late:?}");
        let long = "#".repeat(FILE_BYTES_MAX + 1);
        assert!(matches!(file.write("", &long), Err(Unsaved::Full)));
        assert_eq!(file.text().expect("ours"), "- list: x\n");
    }

    #[test]
    fn what_others_may_have_put_there_is_neither_read_nor_written() {
        let (place, file) = place();
        let mode = |path: &Path, mode| {
            std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).expect("ours");
        };
        symlink("mine.yaml", file.path()).expect("a folder of the test");
        assert!(matches!(file.text(), Err(Unsaved::Link)));
        assert!(file.unwritable().is_some());
        assert!(matches!(file.write("", "x"), Err(Unsaved::Link)));
        std::fs::remove_file(file.path()).expect("ours");
        std::fs::write(file.path(), "- list: x\n").expect("ours");
        mode(file.path(), 0o666);
        assert!(matches!(file.read(), Err(Unfit::Writable(_))));
        mode(file.path(), 0o644);
        mode(place.path(), 0o777);
        assert!(matches!(file.read(), Err(Unfit::Writable(_))));
        assert!(file.unwritable().is_some());
        mode(place.path(), 0o700);
        assert!(file.unwritable().is_none());
    }
}
