"""The options of the process: into the background and back, pid files, other users and roots, the service manager."""

import grp
import os
import pathlib
import pwd
import signal
import socket
import subprocess
import time

from .checks import ANY, check, echoes, one_line_error
from .harness import Listener, Program, must, wait_for
from .logs import folder, read


def is_alive(number):
    try:
        status = pathlib.Path(f"/proc/{number}/stat").read_text()
    except OSError:
        return False
    return status.rsplit(")", 1)[1].split()[0] != "Z"


class Daemon:
    """One in the background, ended with the block."""

    def __init__(self, name, *arguments, **more):
        self.pid_file, self.log = pathlib.Path(name, "pid"), pathlib.Path(name, "log")
        options = ["--daemon", "--pidfile", self.pid_file, "--logfile", self.log]
        with Program("ropewalk", *options, *arguments, "echo", ANY, **more) as parent:
            parent.ends(0)
            self.address = parent.listening()
            must(parent.stderr.lines == [], parent.stderr.lines)
        self.number = int(self.pid_file.read_text())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if is_alive(self.number):
            os.kill(self.number, signal.SIGKILL)
            wait_for(lambda: not is_alive(self.number), "end of the killed daemon")

    def status(self, name):
        lines = pathlib.Path(f"/proc/{self.number}/status").read_text().splitlines()
        return next(line.split()[1:] for line in lines if line.startswith(f"{name}:"))

    def stops(self):
        os.kill(self.number, signal.SIGTERM)
        wait_for(lambda: not is_alive(self.number), "end of the daemon")
        must(not self.pid_file.exists(), "the pid file is still there")


@check("daemon")
def life():
    """P35: it detaches once it listens, has a session of its own and no terminal, and stops cleanly at SIGTERM."""
    with folder() as name, Daemon(name) as daemon:
        echoes(daemon.address, b"hello")
        must(os.getsid(daemon.number) == daemon.number, "not in a session of its own")
        for descriptor in (0, 1, 2):
            target = os.readlink(f"/proc/{daemon.number}/fd/{descriptor}")
            must(target == "/dev/null", f"descriptor {descriptor} is {target}")
        must(daemon.log.stat().st_mode & 0o777 == 0o600, "others may read the log")
        must(daemon.pid_file.stat().st_mode & 0o777 == 0o644, "others may not read the pid file")
        with Program("ropewalk", "--daemon", "--pidfile", daemon.pid_file, "--logfile", daemon.log, "echo", ANY) as second:
            one_line_error(second, str(daemon.pid_file), str(daemon.number))
        echoes(daemon.address, b"still here")
        daemon.stops()
        must("serves" in read(daemon.log) and "has stopped" in read(daemon.log), read(daemon.log))


@check("daemon, errors at start")
def errors():
    """What is wrong at the start is shown by the parent, with status 1, and nothing is left behind."""
    with folder() as name, Listener() as busy:
        pid_file = pathlib.Path(name, "pid")
        usual = {"--pidfile": pid_file, "--log-file": pathlib.Path(name, "log")}
        for arguments, text in (
            (["echo", busy.endpoint], str(busy.port)),
            (["echo", "tpc:1"], "tpc:1"),
            (["echo", ANY, "--user", "no-such-user"], "no-such-user"),
            (["echo", ANY, "--group", "no-such-group"], "no-such-group"),
            (["echo", ANY, "--chroot", "/no/such/folder"], "/no/such/folder"),
            (["echo", ANY, "--rundir", "/no/such/folder"], "/no/such/folder\" (--rundir): No such file or directory"),
            (["echo", ANY, "--log-file", name], name),
            (["echo", ANY, "--pidfile", name], name),
            (["echo", ANY, "--pidfile", "/no/such/folder/pid"], "/no/such/folder/pid"),
            (["echo", ANY, "--umask", "9"], "9"),
        ):
            options = [part for pair in usual.items() if pair[0] not in arguments for part in pair]
            with Program("ropewalk", "--daemon", *options, *arguments) as program:
                one_line_error(program, text)
            must(not pid_file.exists(), f"{arguments!r} leave a pid file")


@check("pid file")
def pid_file():
    """A stale one is taken over, that of a living process is refused, rubbish is left alone; also in the foreground."""
    with folder() as name:
        path = pathlib.Path(name, "pid")
        ended = subprocess.Popen(["true"])
        ended.wait()
        for text in (f"{ended.pid}\n", "", "\n"):
            path.write_text(text)
            with Program("ropewalk", "echo", ANY, "--pidfile", path) as program:
                program.listening()
                must(path.read_text() == f"{program.process.pid}\n", path.read_text())
                program.stops(signal.SIGINT)
                must(not path.exists(), "the pid file is still there")
        with Program("ropewalk", "echo", ANY, "--pidfile", path) as program:
            program.listening()
            program.process.kill()
            program.process.wait()
        must(path.exists(), "a killed process cannot remove it")
        with Program("ropewalk", "echo", ANY, "--pidfile", path) as program:
            program.listening()
            program.stops()
        for text, words in ((f"{os.getpid()}\n", str(os.getpid())), ("root:x:0\n", "no pid file")):
            path.write_text(text)
            with Program("ropewalk", "echo", ANY, "--pidfile", path) as program:
                one_line_error(program, str(path), words)
            must(path.read_text() == text, "it was changed")


@check("daemon as somebody else")
def somebody_else():
    """--user, --group, --chroot, --umask, --rundir: what the kernel says of the process, and that root is gone for good."""
    if os.geteuid() != 0:
        print("  skipped: only root can become somebody else")
        return
    user = pwd.getpwnam("nobody")
    groups = {str(number) for number in os.getgrouplist(user.pw_name, user.pw_gid)}
    with folder() as name:
        os.chmod(name, 0o755)
        for option in ("nobody", str(user.pw_uid)):
            with Daemon(name, "--user", option) as daemon:
                must(set(daemon.status("Uid")) == {str(user.pw_uid)}, daemon.status("Uid"))
                must(set(daemon.status("Gid")) == {str(user.pw_gid)}, daemon.status("Gid"))
                must(set(daemon.status("Groups")) == groups, daemon.status("Groups"))
                must(int(daemon.status("CapEff")[0], 16) == 0, "it has capabilities")
                echoes(daemon.address, b"hello")
                os.kill(daemon.number, signal.SIGTERM)
                wait_for(lambda: not is_alive(daemon.number), "end of the daemon")
                # It may not remove a file from a folder of root's.
                must(read(daemon.pid_file) == "", "the pid file names a process that is no more")
        daemon_group = grp.getgrnam("daemon").gr_gid
        with Daemon(name, "--user", "4000000", "--group", "daemon", "--chroot", name, "--umask", "027") as daemon:
            must(set(daemon.status("Uid")) == {"4000000"}, daemon.status("Uid"))
            must(set(daemon.status("Gid")) == {str(daemon_group)}, daemon.status("Gid"))
            must(os.readlink(f"/proc/{daemon.number}/root") == os.path.realpath(name), "another root")
            must(os.readlink(f"/proc/{daemon.number}/cwd") == os.path.realpath(name), "another folder")
            must(daemon.status("Umask") == ["0027"], daemon.status("Umask"))
        with Daemon(name, "--rundir", name) as daemon:
            must(os.readlink(f"/proc/{daemon.number}/cwd") == os.path.realpath(name), "another folder")
            daemon.stops()
        with Daemon(name, "--chroot", name) as daemon:
            daemon.log.rename(pathlib.Path(name, "moved"))
            os.kill(daemon.number, signal.SIGHUP)
            wait_for(lambda: "SIGHUP" in read(daemon.log), "new log file under the new root")
            daemon.stops()


@check("daemon that may not become somebody else")
def not_allowed():
    """A privilege that cannot be dropped, or a user that cannot be: status 1, and nobody heard that it listens."""
    if os.geteuid() != 0:
        with Program("ropewalk", "echo", ANY, "--user", "root") as program:
            one_line_error(program, "root")
        return
    command = ["setpriv", "--reuid=4000000", "--regid=4000000", "--clear-groups", Program.folder / "ropewalk"]
    for options, text in ((["--user", "0"], "--user"), (["--group", "0"], "--group"), (["--chroot", "/"], "--chroot")):
        ran = subprocess.run([*command, "echo", ANY, *options], capture_output=True, text=True, cwd="/", timeout=20)
        must(ran.returncode == 1 and ran.stdout == "", f"{options!r}: {ran!r}")
        must(len(ran.stderr.splitlines()) == 1 and text in ran.stderr, ran.stderr)


@check("service manager")
def service_manager():
    """sd_notify: READY, WATCHDOG twice per time, RELOADING, STOPPING; at a path and at a name that is no file."""
    with folder() as name:
        for address in (str(pathlib.Path(name, "notify")), f"\0ropewalk-{os.getpid()}"):
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
                manager.bind(address)
                manager.settimeout(10)
                environment = {"NOTIFY_SOCKET": address.replace("\0", "@"), "WATCHDOG_USEC": "400000"}
                with Program("ropewalk", "echo", ANY, environment=environment) as program:
                    program.listening()
                    ready = manager.recv(1000).decode()
                    must("READY=1\n" in ready and f"MAINPID={program.process.pid}\n" in ready, ready)
                    began = time.monotonic()
                    for _ in range(6):
                        must(manager.recv(1000) == b"WATCHDOG=1\n", "another message")
                    must(0.8 < time.monotonic() - began < 2, "not every 0.2 s")
                    program.process.send_signal(signal.SIGHUP)
                    heard_of(manager, "RELOADING=1\nMONOTONIC_USEC=", "READY=1\n")
                    program.process.send_signal(signal.SIGSTOP)
                    silent(manager)
                    program.process.send_signal(signal.SIGCONT)
                    heard_of(manager, "WATCHDOG=1\n")
                    program.process.send_signal(signal.SIGTERM)
                    heard_of(manager, "STOPPING=1\n")
                    program.ends(0)
        with Program("ropewalk", "echo", ANY, environment={"NOTIFY_SOCKET": f"{name}/nobody"}) as program:
            one_line_error(program, f"{name}/nobody", "NOTIFY_SOCKET")
        with Program("ropewalk", "echo", ANY, environment={"WATCHDOG_USEC": "soon"}) as program:
            program.listening()
            program.stops()


def heard_of(manager, *messages):
    """Each comes, in this order, whatever comes between."""
    for message in messages:
        wait_for(lambda: message in manager.recv(1000).decode(), message)


def silent(manager):
    """A stopped process says nothing, once what it said before is read."""
    manager.settimeout(0.5)
    try:
        for _ in range(3):
            manager.recv(1000)
    except TimeoutError:
        return
    finally:
        manager.settimeout(10)
    must(False, "a stopped process says that it lives")
