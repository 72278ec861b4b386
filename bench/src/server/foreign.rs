//! nginx and HAProxy, where they are installed: this process opens the port, writes their configuration into memory, and
//! becomes them, so that its number, core and priority are theirs.
#![allow(
    unsafe_code,
    reason = "descriptors that outlive exec, and files in memory, are libc calls"
)]

use std::env;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsRawFd, FromRawFd, RawFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Mode, announce, http, static_files};
use crate::Outcome;
use crate::{socket, tls};

/// Where distributions keep the part of nginx that forwards streams, if it is a part of its own.
const NGINX_STREAM: &str = "/usr/lib/nginx/modules/ngx_stream_module.so";

/// The program of that name, on the path or where daemons are.
pub(crate) fn installed(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
    folders
        .map(|folder| folder.join(name))
        .find(|program| program.is_file())
}

/// Becomes nginx, with one process; returns only if it fails.
pub(crate) fn nginx(mode: Mode, backend: u16) -> Outcome<()> {
    let (listener, port) = socket::listener()?;
    let place = env::temp_dir().join("ropewalk-bench-nginx");
    let place = place.display();
    let serves = if mode == Mode::Forward {
        format!(
            "stream {{ server {{ listen 127.0.0.1:{port} backlog={}; proxy_pass 127.0.0.1:{backend}; }} }}",
            socket::BACKLOG
        )
    } else if mode == Mode::Http {
        nginx_greeting(port, &place.to_string())
    } else if mode == Mode::Static {
        static_files::nginx(port, &places(&place.to_string()))?
    } else {
        nginx_handshakes(port, &place.to_string())?
    };
    let module = if mode == Mode::Forward && Path::new(NGINX_STREAM).exists() {
        format!("load_module {NGINX_STREAM};")
    } else {
        String::new()
    };
    let configuration = format!(
        "{module} daemon off; master_process off; pid {place}.pid; error_log stderr crit;
         events {{ worker_connections 16384; multi_accept on; }}
         {serves}"
    );
    // nginx crashes over a port that it inherits when it is a single process: so it opens the one that was free just now.
    drop(listener);
    announce(port)?;
    let mut command = Command::new(installed("nginx").ok_or("nginx is not installed")?);
    command.args(["-e", "stderr", "-c"]);
    command.arg(in_memory(&configuration)?);
    Err(command.exec().into())
}

/// Where nginx would put bodies, of which there are none.
fn places(place: &str) -> String {
    let names = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].iter();
    names
        .map(|name| format!("{name}_temp_path {place}; "))
        .collect()
}

fn nginx_greeting(port: u16, place: &str) -> String {
    format!(
        "http {{ access_log off; keepalive_requests 1000000000; default_type text/plain; {}
         server {{ listen 127.0.0.1:{port} backlog={};
         location / {{ return 200 \"{}\"; }} }} }}",
        places(place),
        socket::BACKLOG,
        http::HELLO
    )
}

fn nginx_handshakes(port: u16, place: &str) -> Outcome<String> {
    let (certificate, key) = (in_memory(tls::CERTIFICATE)?, in_memory(tls::KEY)?);
    let (certificate, key) = (certificate.display(), key.display());
    let places = places(place);
    Ok(format!(
        "http {{ access_log off; {places}
         server {{ listen 127.0.0.1:{port} ssl backlog={};
         ssl_certificate {certificate}; ssl_certificate_key {key};
         ssl_protocols TLSv1.3; ssl_session_cache off; ssl_session_tickets off; ssl_ecdh_curve X25519;
         location / {{ return 200; }} }} }}",
        socket::BACKLOG
    ))
}

/// Becomes HAProxy, with one thread; returns only if it fails.
pub(crate) fn haproxy(backend: u16) -> Outcome<()> {
    let (listener, port) = socket::listener()?;
    let configuration = format!(
        "global\n nbthread 1\n maxconn 4096\n\
         defaults\n mode tcp\n timeout connect 5s\n timeout client 600s\n timeout server 600s\n\
         frontend near\n bind fd@{}\n default_backend far\n\
         backend far\n server far 127.0.0.1:{backend}\n",
        listener.as_raw_fd()
    );
    keep_over_exec(listener.as_raw_fd())?;
    announce(port)?;
    let mut command = Command::new(installed("haproxy").ok_or("haproxy is not installed")?);
    command.args(["-db", "-q", "-f"]);
    command.arg(in_memory(&configuration)?);
    Err(command.exec().into())
}

/// The path of a file that is there as long as this process, whatever it becomes.
fn in_memory(text: &str) -> Outcome<PathBuf> {
    // SAFETY: the name is a string with its zero.
    let fd = unsafe { libc::memfd_create(c"ropewalk-bench".as_ptr(), 0) };
    if fd < 0 {
        return Err(io::Error::last_os_error().into());
    }
    // SAFETY: the kernel has just given us this descriptor and nothing else owns it.
    let mut file = unsafe { File::from_raw_fd(fd) };
    file.write_all(text.as_bytes())?;
    std::mem::forget(file); // who we become closes it
    Ok(PathBuf::from(format!("/proc/self/fd/{fd}")))
}

fn keep_over_exec(fd: RawFd) -> io::Result<()> {
    // SAFETY: no pointer is passed.
    if unsafe { libc::fcntl(fd, libc::F_SETFD, 0) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
