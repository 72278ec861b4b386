//! The files that servers of static files serve, and the configurations of those that are not ours.

use std::fs::{self, File};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use ropewalk::web::{Site, StaticFiles};

use crate::{Outcome, socket};

const FILES: [(&str, usize); 2] = [("small.bin", 1 << 10), ("large.bin", 1 << 20)];

/// A folder with the files in it, an hour old: new ones are not kept in memory yet.
fn folder() -> Outcome<PathBuf> {
    let folder = std::env::temp_dir().join(format!("ropewalk-bench-static-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    for (name, length) in FILES {
        let path = folder.join(name);
        fs::write(&path, vec![b'x'; length])?;
        let file = File::options().write(true).open(path)?;
        file.set_modified(SystemTime::now() - Duration::from_secs(3600))?;
    }
    Ok(folder)
}

/// Our site.
pub(crate) fn site() -> Outcome<Site> {
    let files = StaticFiles::of(folder()?)?;
    Ok(Site::new(files))
}

/// nginx as distributions configure it for files, with nothing to log.
pub(crate) fn nginx(port: u16, places: &str) -> Outcome<String> {
    Ok(format!(
        "http {{ access_log off; keepalive_requests 1000000000; sendfile on; tcp_nopush on; {places}
         server {{ listen 127.0.0.1:{port} backlog={}; root {}; }} }}",
        socket::BACKLOG,
        folder()?.display()
    ))
}
