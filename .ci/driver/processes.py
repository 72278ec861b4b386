"""The command `ropewalk procmon`: programs that are kept running."""

import os
import re
import signal

from .checks import check, one_line_error
from .harness import Program, must, wait_for
from .logs import folder


def alive(pid):
    """Whether there is such a process, and not only what is left of a dead one."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def pid_of(program, name):
    """The number of the newest process of this name, by the log."""
    started = [re.search(rf'started process="{name}" pid=(\d+)', line) for line in program.stderr.lines]
    return int([match for match in started if match][-1][1])


def count(program, word):
    return sum(word in line for line in program.stderr.lines)


@check("ropewalk procmon")
def procmon():
    """What exits is started again, what it writes is logged, and a stop ends all."""
    script = "echo begins; echo warns >&2; trap 'echo ends; exit 0' TERM; while :; do sleep 0.05; done"
    arguments = ["procmon", "--threshold", "0", f"sh -c '{script.replace(chr(39), chr(34))}'", "sleep 1000"]
    with Program("ropewalk", *arguments) as program:
        must(program.stdout.next() == "monitoring sh, sleep", program.stdout.lines)
        program.stderr.matching("begins")
        program.stderr.matching("warns")
        first = pid_of(program, "sh")
        os.kill(first, signal.SIGKILL)
        program.stderr.matching("ended by SIGKILL")
        wait_for(lambda: count(program, "begins") == 2, "second life of the program")
        second, sleeper = pid_of(program, "sh"), pid_of(program, "sleep")
        must(second != first and alive(second) and alive(sleeper), "it was not started again")
        program.process.send_signal(signal.SIGTERM)
        program.ends(0)
        must(not alive(second) and not alive(sleeper), "a program outlives the monitor")
        must(count(program, "logged: ends") == 1, program.stderr.text())


@check("ropewalk procmon: restarts")
def procmon_restarts():
    """One that dies at once waits longer each time; one that ignores SIGTERM is killed."""
    with Program("ropewalk", "procmon", "-m", "0.01", "sh -c 'exit 3'") as program:
        wait_for(lambda: count(program, "exit status 3") == 5, "fifth death")
        must(program.process.poll() is None, "the monitor ended")
        program.process.send_signal(signal.SIGTERM)
        program.ends(0)
    stubborn = "sh -c \"trap '' TERM; echo deaf; while :; do sleep 0.05; done\""
    with Program("ropewalk", "procmon", "--kill-time", "0.1", stubborn) as program:
        program.stderr.matching("deaf")
        pid = pid_of(program, "sh")
        program.process.send_signal(signal.SIGTERM)
        program.ends(0)
        must(not alive(pid), "it still runs")
        must(count(program, "does not end; killed") == 1, program.stderr.text())


@check("ropewalk procmon: errors")
def procmon_errors():
    """A program that cannot be started at all ends the command with status 1, and the others with it."""
    with Program("ropewalk", "procmon", "sleep 1000", "/nowhere/at-all") as program:
        program.ends(1)
        must("/nowhere/at-all" in program.stderr.text(), program.stderr.text())
        for line in program.stderr.lines:
            if match := re.search(r'process="sleep" pid=(\d+)', line):
                must(not alive(int(match[1])), "the other program outlives the error")
    for wrong in ([], ["a 'b"], [""], ["-t", "x", "true"], ["-m", "5", "-M", "1", "true"]):
        with Program("ropewalk", "procmon", *wrong) as program:
            one_line_error(program)


@check("ropewalk procmon: stops")
def procmon_stops():
    """The kill time is kept; one that writes without end keeps no signal waiting, nor does one that is quiet see a closed pipe."""
    slow = "sh -c \"trap 'sleep 1.3; echo saved; exit 0' TERM; echo busy; while :; do sleep 0.05; done\""
    with Program("ropewalk", "procmon", "--kill-time", "30", slow) as program:
        program.stderr.matching("busy")
        pid = pid_of(program, "sh")
        program.process.send_signal(signal.SIGTERM)
        program.ends(0)
        must(not alive(pid) and count(program, "saved") == 1, program.stderr.text())
    with folder() as name:
        log = ["--log-file", "log", "--log-rotate", "size=100K", "--log-keep", "1"]
        with Program("ropewalk", *log, "procmon", "yes", folder=name) as program:
            must(program.stdout.next() == "monitoring yes", program.stdout.lines)
            program.stops()
