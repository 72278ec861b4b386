//! The texts of templates, read from a folder.
//!
//! Not for: looking for templates by names that a request has. All are read at once, and there are no others.

use std::io;
use std::path::Path;

use ropewalk_core::buffer::FileSource;

use crate::file_tree::{FileNode, FileStat, FileTree};
use crate::folder::Folder;
use crate::template_error::TemplateError;

/// More are no templates, but the wrong folder, or links that lead round in it.
const MOST_TEMPLATES: usize = 5_000;

/// What is longer is no template, but a film that lies among them.
const MOST_BYTES: u64 = 1024 * 1024;

/// A folder of templates: all files in it and below, but for those that begin with a dot or end with `~`.
pub(crate) struct TemplateFolder(Folder);

/// Names, with what is known of the files: equal as long as nothing changed.
pub(crate) type Files = Vec<(String, FileStat)>;

impl TemplateFolder {
    pub(crate) fn open(path: &Path) -> Result<Self, TemplateError> {
        let folder = Folder::open(path).map_err(|error| {
            let why = std::error::Error::source(&error).map(ToString::to_string);
            TemplateError::new(format!(
                "cannot read the templates in {path:?}: {}; give a folder that exists and may be read",
                why.unwrap_or_default()
            ))
        })?;
        Ok(Self(folder))
    }

    /// What is there now, in the order of names.
    pub(crate) fn look(&self) -> Result<Files, TemplateError> {
        let mut files = Vec::new();
        let mut folders = vec![String::new()];
        while let Some(folder) = folders.pop() {
            self.look_into(&folder, &mut folders, &mut files)?;
        }
        files.sort_by(|(one, _), (other, _)| one.cmp(other));
        Ok(files)
    }

    fn look_into(
        &self,
        folder: &str,
        folders: &mut Vec<String>,
        files: &mut Files,
    ) -> Result<(), TemplateError> {
        let entries = self.0.list(folder, MOST_TEMPLATES + 1);
        for entry in entries.map_err(|error| unreadable(folder, &error))? {
            if entry.name.starts_with('.') || entry.name.ends_with('~') {
                continue;
            }
            let name = match folder {
                "" => entry.name,
                folder => format!("{folder}/{}", entry.name),
            };
            match entry.is_folder {
                true => folders.push(name),
                false => {
                    let stat = self.0.stat(&name);
                    let stat = stat.map_err(|error| unreadable(&name, &error))?;
                    files.push((name, stat));
                }
            }
            if files.len() + folders.len() > MOST_TEMPLATES {
                return Err(TemplateError::new(format!(
                    "there are more than {MOST_TEMPLATES} files below the folder of templates; give one that has only templates"
                )));
            }
        }
        Ok(())
    }

    /// The text of a template.
    pub(crate) fn read(&self, name: &str) -> Result<String, TemplateError> {
        let opened = self
            .0
            .open(name)
            .map_err(|error| unreadable(name, &error))?;
        let FileNode::File(file, stat) = opened else {
            return Err(TemplateError::of(name, "it became a folder meanwhile"));
        };
        if stat.length > MOST_BYTES {
            let reason = format!(
                "it has more than {MOST_BYTES} bytes; give a folder that has only templates"
            );
            return Err(TemplateError::of(name, reason));
        }
        let text = read_all(&*file).map_err(|error| unreadable(name, &error))?;
        String::from_utf8(text).map_err(|error| {
            let at = error.utf8_error().valid_up_to();
            let reason =
                format!("it is no UTF-8 at byte {at}; give a folder that has only templates");
            TemplateError::of(name, reason)
        })
    }
}

fn read_all(file: &dyn FileSource) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    let mut buffer = [0; 8192];
    while text.len() as u64 <= MOST_BYTES {
        match file.read_at(&mut buffer, text.len() as u64)? {
            0 => break,
            count => text.extend_from_slice(&buffer[..count]),
        }
    }
    Ok(text)
}

fn unreadable(name: &str, error: &io::Error) -> TemplateError {
    TemplateError::of(name, format!("it cannot be read: {error}"))
}
