//! Names and passwords.

use std::io::{self, BufRead};
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use ropewalk::cred::{
    AvatarId, PasswordChecker, PasswordCost, PasswordHash, Portal, RememberingChecker,
};
use ropewalk::web::{Guard, Resource};
use ropewalk::{Deferred, Exit, Failure, Handle};

/// For so long a password that was right is not hashed again.
const REMEMBERED: Duration = Duration::from_secs(60);

/// Those who have a password in this file may ask.
pub(super) fn guard(path: &Path, root: Rc<dyn Resource>) -> Result<impl Resource, Failure> {
    let checker = PasswordChecker::from_file(path)?;
    let realm = |reactor: &Handle, id: AvatarId| Deferred::succeed(reactor, id);
    let portal = Portal::new(realm).with_checker(RememberingChecker::new(checker, REMEMBERED));
    Ok(Guard::new(portal, root).with_basic("Ropewalk"))
}

/// Prints the line of a file of passwords, and ends the program.
pub(super) fn print_line(user: &str) -> Failure {
    match line(user, io::stdin().lock()) {
        Err(failure) => failure,
        Ok(line) => match ropewalk::say(line) {
            Err(error) => error.into(),
            Ok(()) => Failure::new(Exit(0)),
        },
    }
}

fn line(user: &str, mut from: impl BufRead) -> Result<String, Failure> {
    if user.is_empty() || user.contains(':') || user.contains(char::is_control) {
        return Err(Failure::message(format!(
            "--hash-password {user:?}: a name has at least one letter and no colon"
        )));
    }
    let mut password = String::new();
    from.read_line(&mut password)?;
    let password = password.trim_end_matches(['\n', '\r']);
    if password.is_empty() {
        return Err(Failure::message(
            "--hash-password reads the password from stdin, as in: echo 'tea time' | ropewalk web --hash-password ann",
        ));
    }
    let salt = ropewalk::reactor()?.handle().random_bytes();
    let hash = PasswordHash::of(password, salt, PasswordCost::default())?;
    Ok(format!("{user}:{hash}"))
}

#[cfg(test)]
mod tests {
    use ropewalk::cred::PasswordHash;

    use super::line;

    #[test]
    fn a_line_has_the_name_and_the_hash() {
        let made = line("ann", &b"tea time\r\nmore"[..]).unwrap();
        let hash: PasswordHash = made.strip_prefix("ann:").unwrap().parse().unwrap();
        assert!(hash.verify("tea time"));
    }

    #[test]
    fn no_name_and_no_password_are_refused() {
        for (name, password) in [("", "a"), ("a:b", "a"), ("a\n", "a"), ("ann", "\n")] {
            assert!(line(name, password.as_bytes()).is_err(), "{name:?}");
        }
    }
}
