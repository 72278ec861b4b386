#!/usr/bin/env python3
"""Drives the command and every example from outside, as a person with `nc` would, and as one who means no good.

    .ci/drive.py [FOLDER/ of the built programs, target/debug by default] [NAME of a check …]

The promises are those of the programs' own first lines. `driver/examples.py` and `driver/command.py` have one check per program,
`driver/application.py` checks files, `driver/chat.py` the chat's page and history, `driver/chat_page.py` the page in a real browser, `driver/datagrams.py` the programs without connections, `driver/processes.py` those that are watched, `driver/web.py`, `driver/web_command.py`, `driver/web_hostile.py` and `driver/web_peers.py` those that speak HTTP, `driver/websocket.py`, `driver/websocket_frames.py`, `driver/websocket_slow.py` and `driver/websocket_peers.py` those that speak WebSocket, `driver/roads.py` what bytes travel over beside other people's programs, `driver/logs.py` and `driver/daemon.py` the options that all subcommands share, `driver/everywhere.py` what all must pass.
"""

import os
import pathlib
import sys
import time
import traceback

sys.dont_write_bytecode = True

from driver import application, chat, chat_page, command, daemon, datagrams, endpoints, unix  # they register their checks
from driver import everywhere, examples, logs, processes, roads, tls, tls_peers, web, web_command, web_hostile, web_peers, websocket, websocket_frames, websocket_peers, websocket_slow
from driver.checks import CHECKS
from driver.harness import Program, Wrong, must


def main(arguments):
    if arguments and "/" in arguments[0]:
        Program.folder = pathlib.Path(arguments.pop(0)).resolve()
    unknown = set(arguments) - set(CHECKS)
    must(not unknown, f"no check {unknown}; there are: {', '.join(CHECKS)}")
    failed = []
    for name in arguments or CHECKS:
        began = time.monotonic()
        try:
            CHECKS[name]()
            verdict = "ok  "
        except (Wrong, OSError) as error:
            failed.append(name)
            verdict = "FAIL"
            frames = traceback.extract_tb(error.__traceback__)
            place = [frame for frame in frames if not frame.filename.endswith("harness.py")][-1]
            print(f"  {pathlib.Path(place.filename).name}:{place.lineno}: {error}")
        print(f"{verdict} {name} ({time.monotonic() - began:.1f} s)", flush=True)
    passed = len(arguments or CHECKS) - len(failed)
    if counts := os.environ.get("ROPEWALK_CI_COUNTS"):
        with open(counts, "a") as file:
            file.write(f"{passed} {len(failed)}\n")
    print(f"programs: {passed} passed, {len(failed)} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
