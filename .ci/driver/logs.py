"""Where the log of the command goes: files that rotate and are opened anew, JSON, levels, syslog, a full disk."""

import json
import os
import pathlib
import signal
import socket
import tempfile

from .checks import ANY, check, echoes, one_line_error
from .harness import Peer, Program, must, wait_for


def read(path):
    return path.read_text() if path.exists() else ""


def folder():
    return tempfile.TemporaryDirectory(prefix="ropewalk-")


@check("log file")
def log_file():
    """--log-file has start and stop; SIGHUP follows the name; an old file is added to; one that cannot be is an error."""
    with folder() as name:
        for option in ("--log-file", "--logfile"):
            log, moved = pathlib.Path(name, f"log{option}"), pathlib.Path(name, f"moved{option}")
            log.write_text("older\n")
            with Program("ropewalk", option, log, "echo", ANY) as program:
                echoes(program.listening(), b"hello")
                wait_for(lambda: "serves" in read(log), "start in the log")
                log.rename(moved)
                program.process.send_signal(signal.SIGHUP)
                wait_for(lambda: "SIGHUP" in read(log), "new file of the old name")
                program.stops()
                must("has stopped" in read(log) and "has stopped" not in read(moved), read(log))
                must(program.stderr.lines == [], program.stderr.lines)
                must(read(moved).startswith("older\n20"), "what was there is gone, or a time is not first")
        for path in (name, pathlib.Path(name, "no/such/folder")):
            with Program("ropewalk", "echo", ANY, "--log-file", path) as program:
                one_line_error(program, str(path))


@check("log format and level")
def log_format():
    """--log-format json is an object per line; levels are for all or per target; what is wrong is quoted."""
    with Program("ropewalk", "chat", ANY, "--log-format", "json", "--log-level", "debug") as program:
        with Peer(program.listening()) as peer:
            peer.send(b"\x1b[31mann\n")
            peer.reset()
        program.stops()
        lines = [json.loads(line) for line in program.stderr.lines if not line.startswith("join ")]
        must(len(lines) > 1, program.stderr.lines)
        for line in lines:
            must({"timestamp", "level", "target", "fields"} <= set(line), line)
    with Program("ropewalk", "echo", ANY, "--log-level", "off") as program:
        program.listening()
        program.stops()
        must(program.stderr.lines == [], program.stderr.lines)
    with Program("ropewalk", "echo", ANY, "--log-level", "off,ropewalk_cli=info") as program:
        program.listening()
        program.stderr.matching("serves")
        program.stops()
    for wrong in (["--log-level", "loud"], ["--log-level", "a=loud"], ["--log-format", "xml"], ["--log-rotate", "often"],
                  ["--log-keep", "-1"], ["--log-rotate", "size=0"]):
        with Program("ropewalk", "echo", ANY, *wrong) as program:
            one_line_error(program, wrong[0], wrong[-1])
    for alone in (["--log-keep", "3"], ["--log-rotate", "daily"]):
        with Program("ropewalk", "echo", ANY, *alone) as program:
            one_line_error(program, "--log-file")


@check("log rotation")
def log_rotation():
    """--log-rotate size=… begins new files, of which --log-keep are kept."""
    with folder() as name:
        log = pathlib.Path(name, "log")
        options = ["--log-file", log, "--log-rotate", "size=2K", "--log-keep", "2"]
        with Program("ropewalk", *options, "echo", ANY) as program:
            program.listening()
            for number in range(200):
                before = log.stat().st_ino, log.stat().st_size
                program.process.send_signal(signal.SIGHUP)
                wait_for(lambda: (log.stat().st_ino, log.stat().st_size) != before if log.exists() else False, "line")
            program.stops()
        files = sorted(path.name for path in pathlib.Path(name).iterdir())
        must(files == ["log", "log.1", "log.2"], files)
        sizes = [pathlib.Path(name, file).stat().st_size for file in files]
        must(max(sizes) <= 2048 and min(sizes[1:]) > 1800, sizes)


@check("log to a full disk")
def full_disk():
    """A log that cannot be written, to a file or to stderr, stops nothing and is told once."""
    with Program("ropewalk", "echo", ANY, "--log-file", "/dev/full") as program:
        address = program.listening()
        for _ in range(3):
            program.process.send_signal(signal.SIGHUP)
            echoes(address, b"still here")
        program.stops()
        must(len(program.stderr.lines) == 1 and "/dev/full" in program.stderr.lines[0], program.stderr.lines)
    with open("/dev/full", "wb") as full, Program("ropewalk", "echo", ANY, stderr=full) as program:
        echoes(program.listening(), b"still here")
        program.stops()
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "wb") as closed, Program("ropewalk", "chat", ANY, stderr=closed) as program:
        program.listening()
        program.stops()
    with open("/dev/full", "wb") as full, Program("ropewalk", "--nonsense", stderr=full) as program:
        program.ends(1)


@check("syslog")
def syslog():
    """--syslog writes datagrams with a priority; without a system log it is an error."""
    with folder() as name:
        path = pathlib.Path(name, "log")
        with Program("ropewalk", f"--syslog={path}", "echo", ANY) as program:
            one_line_error(program, str(path))
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as system:
            system.bind(str(path))
            system.settimeout(10)
            with Program("ropewalk", f"--syslog={path}", "echo", ANY) as program:
                program.listening()
                while "serves" not in (line := system.recv(10_000).decode()):
                    pass
                must(line.startswith(f"<30>ropewalk[{program.process.pid}]: ") and "\n" not in line, line)
                program.stops()
