//! Names and the hashes of their passwords, in memory or from a file.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use crate::PasswordHash;

/// The users and the hashes of their passwords.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PasswordTable {
    users: BTreeMap<String, PasswordHash>,
}

/// Why a file of passwords cannot be used: which file, which line, and what is wrong there.
#[derive(Debug)]
pub struct PasswordFileError {
    path: PathBuf,
    line: Option<usize>,
    what: String,
}

impl PasswordTable {
    /// Nobody.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same, with one more user, or with a new password of one.
    #[must_use]
    pub fn with_user(mut self, name: impl Into<String>, hash: PasswordHash) -> Self {
        self.users.insert(name.into(), hash);
        self
    }

    /// Reads a file with one `user:hash` a line; empty lines and those that begin with `#` are comments. It blocks.
    ///
    /// # Errors
    ///
    /// When it cannot be read, or a line is not as it should be; then nobody is let in by half a file.
    #[doc(alias = "FilePasswordDB")]
    pub fn read(path: impl AsRef<Path>) -> Result<Self, PasswordFileError> {
        let path = path.as_ref();
        let failed = |line, what| PasswordFileError {
            path: path.to_owned(),
            line,
            what,
        };
        let text = fs::read_to_string(path).map_err(|error| failed(None, error.to_string()))?;
        let mut table = Self::new();
        for (index, line) in text.lines().enumerate() {
            table
                .add_line(line)
                .map_err(|what| failed(Some(index + 1), what))?;
        }
        Ok(table)
    }

    /// The hash of that user.
    pub fn hash(&self, name: &str) -> Option<&PasswordHash> {
        self.users.get(name)
    }

    /// How many users there are.
    pub fn len(&self) -> usize {
        self.users.len()
    }

    /// Whether there is nobody.
    pub fn is_empty(&self) -> bool {
        self.users.is_empty()
    }

    /// Any of the hashes.
    pub(crate) fn sample(&self) -> Option<&PasswordHash> {
        self.users.values().next()
    }

    fn add_line(&mut self, line: &str) -> Result<(), String> {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            return Ok(());
        }
        // What stands behind the name may be a password in clear: it is not quoted.
        let (name, hash) = line
            .split_once(':')
            .ok_or("there is no colon; write user:hash")?;
        if name.is_empty() {
            return Err("there is no name before the colon; write user:hash".into());
        }
        let hash = hash
            .parse()
            .map_err(|error| format!("what follows {name:?}: {error}"))?;
        match self.users.insert(name.to_owned(), hash) {
            None => Ok(()),
            Some(_) => Err(format!("the user {name:?} is there twice; leave one out")),
        }
    }
}

impl fmt::Display for PasswordFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())?;
        if let Some(line) = self.line {
            write!(f, ", line {line}")?;
        }
        write!(f, ": {}", self.what)
    }
}

impl Error for PasswordFileError {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::password_hash::tests::hash;

    fn read(text: &str) -> Result<PasswordTable, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("users");
        fs::write(&path, text).unwrap();
        let table = PasswordTable::read(&path);
        table.map_err(|error| {
            error
                .to_string()
                .replace(&*folder.path().to_string_lossy(), "")
        })
    }

    #[test]
    fn a_file_has_a_user_a_line() {
        let table = read(&format!(
            "# users\n\nann:{}\n  bob:{}\r\n",
            hash("a"),
            hash("b")
        ))
        .unwrap();
        assert_eq!(
            table,
            PasswordTable::new()
                .with_user("ann", hash("a"))
                .with_user("bob", hash("b"))
        );
        assert!(read("").unwrap().is_empty());
    }

    #[test]
    fn what_is_wrong_in_a_file_is_told_with_its_line_and_without_secrets() {
        let twice = format!("ann:{0}\nann:{0}", hash("a"));
        for (text, told) in [
            (
                "\nann",
                "/users, line 2: there is no colon; write user:hash",
            ),
            (
                ":x",
                "/users, line 1: there is no name before the colon; write user:hash",
            ),
            (
                &*twice,
                "/users, line 2: the user \"ann\" is there twice; leave one out",
            ),
        ] {
            assert_eq!(read(text).unwrap_err(), told);
        }
        let error = read("ann:hush").unwrap_err();
        assert!(
            error.starts_with("/users, line 1: what follows \"ann\": it is no argon2 hash")
                && !error.contains("hush")
        );
        let error = PasswordTable::read("/nowhere/at/all").unwrap_err();
        assert!(error.to_string().starts_with("/nowhere/at/all: "));
    }
}
