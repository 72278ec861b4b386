//! Who the process is once it needs no privilege any more.

#[cfg(not(target_vendor = "apple"))]
use std::ffi::CString;

use nix::unistd::{Gid, Group, Uid, User, getegid, geteuid, getgid, getuid, setgid, setuid};
#[cfg(not(target_vendor = "apple"))]
use nix::unistd::{getgrouplist, setgroups};
use ropewalk::Failure;

/// A user with its groups, looked up while the files that say so can be seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    user: Option<Uid>,
    group: Gid,
    groups: Vec<Gid>,
}

impl Identity {
    /// By name or number; none if nobody is asked for.
    ///
    /// # Errors
    ///
    /// There is no such user or group; or of a user that is only a number it is not known which group it is in. On macOS: always.
    pub(crate) fn look_up(
        user: Option<&str>,
        group: Option<&str>,
    ) -> Result<Option<Self>, Failure> {
        if cfg!(target_vendor = "apple") && (user.is_some() || group.is_some()) {
            let text = "--user and --group: on macOS launchd changes the user; say UserName and GroupName in its property list";
            return Err(Failure::message(text));
        }
        let group = group.map(find_group).transpose()?;
        let Some(name) = user else {
            return Ok(group.map(|group| Self {
                user: None,
                group,
                groups: vec![group],
            }));
        };
        let (uid, known) = find_user(name)?;
        let Some(group) = group.or(known.as_ref().map(|user| user.gid)) else {
            let text =
                format!("nobody knows the group of user {name:?} (--user): say it with --group");
            return Err(Failure::message(text));
        };
        let groups = match known {
            Some(user) => groups_of(user, group)?,
            None => vec![group],
        };
        Ok(Some(Self {
            user: Some(uid),
            group,
            groups,
        }))
    }

    /// Becomes this user, with its groups, for good; all threads do.
    ///
    /// # Errors
    ///
    /// The kernel does not allow it, or the privilege could be had back.
    pub(crate) fn assume(&self) -> Result<(), Failure> {
        if self.is_assumed() && !geteuid().is_root() {
            return Ok(());
        }
        self.change().map_err(|error| {
            Failure::message(format!(
                "cannot become {self}: {error}; start as root, or without --user and --group"
            ))
        })?;
        if !self.is_assumed() || self.could_be_root_again() {
            return Err(Failure::message(format!(
                "became {self}, but the kernel kept privileges of who was before"
            )));
        }
        Ok(())
    }

    /// The user comes last: it may change none of the others any more.
    fn change(&self) -> nix::Result<()> {
        set_groups(&self.groups)?;
        setgid(self.group)?;
        self.user.map_or(Ok(()), setuid)
    }

    fn is_assumed(&self) -> bool {
        let is_group = getgid() == self.group && getegid() == self.group;
        let is_user = |uid| getuid() == uid && geteuid() == uid;
        is_group && self.user.is_none_or(is_user)
    }

    /// Only the kernel knows the saved user: trying is asking.
    fn could_be_root_again(&self) -> bool {
        let is_somebody = self.user.is_some_and(|user| !user.is_root());
        is_somebody && setuid(Uid::from_raw(0)).is_ok()
    }
}

impl std::fmt::Display for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.user {
            Some(user) => write!(f, "user {user} of group {}", self.group),
            None => write!(f, "group {}", self.group),
        }
    }
}

fn find_user(name: &str) -> Result<(Uid, Option<User>), Failure> {
    if let Ok(number) = name.parse() {
        let uid = Uid::from_raw(number);
        return Ok((uid, User::from_uid(uid)?));
    }
    let missing = || {
        Failure::message(format!(
            "there is no user {name:?} (--user): give the name or number of one in /etc/passwd"
        ))
    };
    let user = User::from_name(name)?.ok_or_else(missing)?;
    Ok((user.uid, Some(user)))
}

fn find_group(name: &str) -> Result<Gid, Failure> {
    if let Ok(number) = name.parse() {
        return Ok(Gid::from_raw(number));
    }
    let missing = || {
        Failure::message(format!(
            "there is no group {name:?} (--group): give the name or number of one in /etc/group"
        ))
    };
    Ok(Group::from_name(name)?.ok_or_else(missing)?.gid)
}

#[cfg(not(target_vendor = "apple"))]
fn groups_of(user: User, group: Gid) -> Result<Vec<Gid>, Failure> {
    Ok(getgrouplist(&CString::new(user.name)?, group)?)
}

#[cfg(not(target_vendor = "apple"))]
fn set_groups(groups: &[Gid]) -> nix::Result<()> {
    setgroups(groups)
}

/// Apple's groups are a matter of its directory services, and nobody gets here.
#[cfg(target_vendor = "apple")]
fn groups_of(_: User, group: Gid) -> Result<Vec<Gid>, Failure> {
    Ok(vec![group])
}

#[cfg(target_vendor = "apple")]
fn set_groups(_: &[Gid]) -> nix::Result<()> {
    Err(nix::errno::Errno::ENOTSUP)
}

#[cfg(all(test, not(target_vendor = "apple")))]
mod tests {
    use super::*;

    fn complaint(user: Option<&str>, group: Option<&str>) -> String {
        Identity::look_up(user, group).unwrap_err().to_string()
    }

    #[test]
    fn names_and_numbers_mean_the_same() {
        assert_eq!(Identity::look_up(None, None).unwrap(), None);
        let named = Identity::look_up(Some("root"), None).unwrap().unwrap();
        assert_eq!(
            Identity::look_up(Some("0"), Some("0")).unwrap(),
            Some(named)
        );
    }

    #[test]
    fn who_is_not_known_is_quoted() {
        assert!(complaint(Some("no-such-user"), None).contains("\"no-such-user\""));
        assert!(complaint(None, Some("no-such-group")).contains("\"no-such-group\""));
        assert!(complaint(Some("4000000001"), None).contains("--group"));
    }

    #[test]
    fn one_who_is_only_a_number_has_the_group_that_was_given() {
        let identity = Identity::look_up(Some("4000000001"), Some("4000000002"))
            .unwrap()
            .unwrap();
        assert_eq!(identity.groups, [Gid::from_raw(4_000_000_002)]);
    }
}
