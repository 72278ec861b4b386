"""The command `ropewalk`: what it says of itself, its echo, its chat."""

import datetime
import re
import shutil
import subprocess
import time

from .checks import ANY, abuse, check, check_echo, echoes, one_line_error
from .harness import Peer, Program, free_port, must, wait_for


@check("ropewalk")
def command():
    """P02: the version, the drivers, a help that says what there is."""
    with Program("ropewalk", "--version") as program:
        program.ends(0)
        must(re.fullmatch(r"ropewalk \d+\.\d+\.\d+", program.stdout.text()), program.stdout.text())
    with Program("ropewalk", "reactors") as program:
        program.ends(0)
        for word in ("mio", "epoll", "sim", "default"):
            must(word in program.stdout.text(), f"no {word} in {program.stdout.text()!r}")
    with Program("ropewalk", "--help") as program:
        program.ends(0)
        for word in ("chat", "echo", "reactors", "tcp:", "--version"):
            must(word in program.stdout.text(), f"no {word} in the help")
    for wrong in (["--nonsense"], ["nonsense"], ["echo", "--nonsense"]):
        with Program("ropewalk", *wrong) as program:
            one_line_error(program, wrong[-1])


@check("ropewalk echo")
def command_echo():
    """`ropewalk echo ENDPOINT…` is the same echo."""
    check_echo("ropewalk", "echo")


@check("ropewalk discard, chargen, daytime")
def small_servers():
    """RFC 863, 864 and 867 as they say."""
    with Program("ropewalk", "discard", ANY) as program, Peer(program.listening()) as peer:
        peer.send(b"x" * (1 << 20))
        peer.finish_sending()
        must(peer.read_to_end() == b"", "an answer")
        program.stops()
    with Program("ropewalk", "chargen", ANY) as program, Peer(program.listening()) as peer:
        ring = bytes(range(32, 127)) * 2
        for number in range(5000):
            line = peer.read_line()
            must(line == ring[number % 95 :][:72], f"line {number} is {line!r}")
        program.stops()
    with Program("ropewalk", "daytime", ANY) as program, Peer(program.listening()) as peer:
        line = peer.read_to_end().decode()
        told = datetime.datetime.strptime(line, "%A, %B %d, %Y %H:%M:%S-UTC\r\n").replace(tzinfo=datetime.UTC)
        apart = datetime.datetime.now(datetime.UTC) - told
        must(abs(apart.total_seconds()) < 5, f"{line!r} is {apart} off")
        program.stops()


@check("ropewalk forward")
def forward():
    """Bytes both ways, half-close and refusals, whether the destination comes last or with --to."""
    with Program("ropewalk", "echo", ANY) as echo:
        to = "tcp:{}:{}".format(*echo.listening())
        for arguments in ([ANY, to], [ANY, ANY, "--to", to]):
            with Program("ropewalk", "forward", *arguments) as program:
                address = program.listening()
                echoes(address, b"0123456789" * 100_000, 65536)
                echoes(address, b"one by one", 1)
                abuse(address)
                echoes(address, b"still here")
                program.stops()
    with Program("ropewalk", "forward", ANY, f"tcp:127.0.0.1:{free_port()}") as program:
        with Peer(program.listening()) as peer:
            peer.must_end()
        program.stderr.matching("cannot be forwarded")
        program.stops()
    for wrong in ([], [ANY], ["--to", "tcp:127.0.0.1:1"]):
        with Program("ropewalk", "forward", *wrong) as program:
            one_line_error(program)


@check("ropewalk completions and man")
def completions_and_man():
    """Scripts that the shells take, and pages that man takes, where there are such."""
    for shell, test in (("bash", ["bash", "-n"]), ("zsh", ["zsh", "-n"]), ("fish", ["fish", "-n"]), ("elvish", None)):
        with Program("ropewalk", "completions", shell) as program:
            program.ends(0)
            script = program.stdout.text()
        must("daytime" in script and "--pidfile" in script.replace("-l pidfile", "--pidfile"), script)
        if test and shutil.which(test[0]):
            subprocess.run([*test, "/dev/stdin"], input=script.encode(), check=True)
    for arguments, text in (([], "Run in the background"), (["echo"], "Become this user"), (["chat"], "ropewalk\\-chat"), (["websocket", "connect"], "ropewalk\\-websocket\\-connect"), (["run"], "FILE")):
        with Program("ropewalk", "man", *arguments) as program:
            program.ends(0)
            must(text in program.stdout.text(), program.stdout.text())
    for wrong in (["completions", "cmd.exe"], ["man", "nonsense"], ["man", "echo", "nonsense"]):
        with Program("ropewalk", *wrong) as program:
            one_line_error(program, wrong[-1])


@check("ropewalk chat")
def chat():
    """Names, messages to all others, /who, /quit, and being told who comes and goes."""
    with Program("ropewalk", "chat", ANY) as program:
        address = program.listening()
        with Peer(address) as ann, Peer(address) as bob:
            ann.send(b"ann\r\n", 1)
            wait_for(lambda: is_in_room(ann, "ann"), "ann in the room")
            bob.send(b"bob\n")
            ann.read_line_with("bob")
            times = [message_time(bob, ann, "bob", number) for number in range(9)]
            must(sorted(times)[4] < 0.05, f"messages took {times!r} s")
            bob.send("grüße, 世界\n".encode(), 1)
            ann.read_line_with("bob", "grüße, 世界")
            ann.send(b"/who\n")
            ann.read_until("ann", "bob")
            nc(address, ann)
            resetting = Peer(address)
            resetting.send(b"eve\n")
            ann.read_line_with("eve")
            resetting.reset()
            ann.read_line_with("eve")
            bob.send(b"/quit\n")
            bob.must_end()
            ann.read_line_with("bob")
        abuse(address)
        crowd(address)
        program.stops()


def is_in_room(peer, name):
    peer.send(b"/who\n")
    return peer.read_line_with(name)


def message_time(sender, receiver, name, number):
    text = f"message {number}"
    began = time.monotonic()
    sender.send(text.encode() + b"\n")
    receiver.read_line_with(name, text)
    return time.monotonic() - began


def nc(address, witness):
    """What the README shows: chatting with nc."""
    talk = subprocess.Popen(["nc", address[0], str(address[1])], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    try:
        talk.stdin.write(b"netty\nhello from nc\n")
        talk.stdin.flush()
        witness.read_line_with("netty", "hello from nc")
    finally:
        talk.kill()
        talk.wait()
    witness.read_line_with("netty")


def crowd(address):
    """100 in the room: a message reaches the 99 others."""
    with Peer(address) as speaker:
        speaker.send(b"speaker\n")
        is_in_room(speaker, "speaker")
        peers = [Peer(address) for _ in range(99)]
        for number, peer in enumerate(peers):
            peer.send(f"guest{number}\n".encode())
            is_in_room(peer, f"guest{number}")
        speaker.send(b"to all of you\n")
        for peer in peers:
            peer.read_line_with("speaker", "to all of you")
        for peer in peers:
            peer.socket.close()


@check("ropewalk chat, slow reader")
def chat_slow_reader():
    """One who never reads is dropped, with a notice in the log; the others are served all the while."""
    with Program("ropewalk", "chat", ANY) as program:
        address = program.listening()
        with Peer(address, receive_buffer=4096) as slow, Peer(address) as talker, Peer(address) as witness:
            for name, peer in (("sleeper", slow), ("talker", talker), ("witness", witness)):
                peer.send(f"{name}\n".encode())
                if peer is not slow:
                    is_in_room(peer, name)
            logged = len(program.stderr.lines)
            must(talk_until_told_of("sleeper", talker, witness), "64 MB later the one who never reads is still there")
            wait_for(lambda: len(program.stderr.lines) > logged, "notice in the log")
            talker.send(b"still here?\n")
            witness.read_line_with("talker", "still here?")
        program.stops()


def talk_until_told_of(name, talker, witness):
    """Talks, 100 lines of 1000 bytes at a time, until the witness hears of this name; whether it did."""
    for number in range(640):
        talker.send((b"x" * 1000 + b"\n") * 100 + f"mark {number}\n".encode())
        while b"mark" not in (heard := witness.read_line()):
            if name.encode() in heard:
                return True
    return False
