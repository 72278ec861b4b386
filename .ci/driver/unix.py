"""UNIX sockets and what is open already, as the shell, the file system and a service manager see them."""

import os
import pathlib
import shutil
import signal
import socket
import stat
import subprocess
import tempfile

from .checks import check, one_line_error
from .harness import PATIENCE, Program, must, wait_for


def says(path, data=b"hello"):
    """What comes back from an echo at this path, or at an abstract name."""
    with socket.socket(socket.AF_UNIX) as peer:
        peer.settimeout(PATIENCE)
        peer.connect(str(path))
        return exchange(peer, data)


def exchange(peer, data=b"hello"):
    peer.sendall(data)
    peer.shutdown(socket.SHUT_WR)
    came = b""
    while piece := peer.recv(65536):
        came += piece
    return came


@check("endpoint unix")
def unix():
    """Mode, lock, take-over of a killed server's path, removal; abstract names; peers that nobody here wrote."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "socket"
        with Program("ropewalk", "echo", f"unix:{path}:mode=600:lock=yes") as first:
            must(first.stdout.next() == f"listening on unix:{path}", first.stdout.lines)
            must(stat.S_IMODE(path.stat().st_mode) == 0o600, oct(path.stat().st_mode))
            bulk = os.urandom(200_000)
            must(says(path, bulk[:50_000]) == bulk[:50_000], "other bytes came back")
            tools = {"nc": ["nc", "-N", "-U", path], "socat": ["socat", "-", f"UNIX-CONNECT:{path}"]}
            for tool in filter(shutil.which, tools):
                done = subprocess.run(tools[tool], input=b"by " + tool.encode(), capture_output=True, timeout=PATIENCE)
                # Some kinds of nc do not know -N; they say so.
                must(done.stdout == b"by " + tool.encode() or b"invalid option" in done.stderr, f"{tool}: {done}")
            for options in (":lock=yes", ""):
                with Program("ropewalk", "echo", f"unix:{path}{options}") as second:
                    one_line_error(second, str(path), "another server")
            must(says(path) == b"hello", "the first is disturbed")
            first.process.send_signal(signal.SIGKILL)
            first.process.wait()
        must(path.exists(), "who was killed removes nothing")
        with Program("ropewalk", "echo", f"unix:{path}") as careful:
            one_line_error(careful, str(path), "lock=yes")
        with Program("ropewalk", "echo", f"unix:{path}:lock=yes") as heir:
            heir.stdout.next()
            must(says(path) == b"hello", "the path was not taken over")
            heir.stops()
        must(not os.listdir(folder), os.listdir(folder))
        long = f"unix:{folder}/{'x' * 200}"
        with Program("ropewalk", "echo", long) as program:
            one_line_error(program, "bytes long", "shorter")
    name = f"ropewalk-{os.getpid()}"
    with Program("ropewalk", "echo", f"unix:@{name}") as program:
        program.stdout.next()
        must(says(f"\0{name}") == b"hello", "the abstract name does not answer")
        with Program("ropewalk", "echo", f"unix:@{name}") as second:
            one_line_error(second, f"unix:@{name}", "another server has that name")
        program.stops()


def start(arguments, **options):
    """The command, with descriptors and standard streams of the check's choice."""
    command = " ".join(["exec", str(Program.folder / "ropewalk"), *arguments])
    # LISTEN_PID must be the program's own number, which only its shell knows before it starts.
    return subprocess.Popen(["sh", "-c", f"LISTEN_PID=$$; export LISTEN_PID; {command}"], **options)


def ends(process):
    process.terminate()
    must(process.wait(PATIENCE) == 0, f"exit status {process.returncode}")


@check("endpoint fd, systemd")
def inherited():
    """A listening socket of the parent, by number, by index and by name; only once, and only if it is there (R114)."""
    for which in ("fd:3", "systemd:index=0", "systemd:web"):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            def at_three():
                os.dup2(listener.fileno(), 3)
                os.set_inheritable(3, True)
            environment = {**os.environ, "LISTEN_FDS": "1", "LISTEN_FDNAMES": "web"}
            quiet = subprocess.DEVNULL
            process = start(["echo", which], env=environment, preexec_fn=at_three, close_fds=False, stdout=quiet,
                            stderr=quiet)
            try:
                with socket.create_connection(listener.getsockname(), PATIENCE) as peer:
                    must(exchange(peer) == b"hello", which)
                ends(process)
            finally:
                process.kill()
            failed = start(["echo", which, which], env=environment, preexec_fn=at_three, close_fds=False,
                           stdout=quiet, stderr=subprocess.PIPE)
            _, said = failed.communicate(timeout=PATIENCE)
            must(failed.returncode == 1 and b"taken already" in said, f"{which} twice: {said}")
    for which, said in (("fd:77", "not open"), ("systemd:index=0", "LISTEN_FDS"), ("systemd:web", "LISTEN_FDS")):
        with Program("ropewalk", "echo", which) as program:
            one_line_error(program, which.split(":")[0], said)


@check("endpoint stdio")
def stdio():
    """Standard input and output are a connection, through pipes and through a terminal, whose flags are set back."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    process = start(["echo", "stdio:"], stderr=subprocess.DEVNULL, **pipes)
    try:
        process.stdin.write(b"through pipes\n")
        process.stdin.flush()
        must(process.stdout.readline() == b"through pipes\n", "another line came back")
        process.stdin.close()
        must(process.stdout.read() == b"", "more than the echo")
        must(process.wait(PATIENCE) == 0, "it goes on without input")
    finally:
        process.kill()
    here, there = os.openpty()
    process = start(["echo", "stdio:"], stdin=there, stdout=there, stderr=subprocess.DEVNULL)
    try:
        os.write(here, b"through a terminal\n")
        came = b""
        while came.count(b"through a terminal") < 2:  # the terminal's own echo, and ours
            came += os.read(here, 1000)
        must(not os.get_blocking(there), "it was not served yet")
        ends(process)
        wait_for(lambda: os.get_blocking(there), "terminal with its flags set back")
    finally:
        process.kill()
        os.close(here)
        os.close(there)
