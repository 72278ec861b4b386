"""The chat's page in a real browser, beside real `nc`s."""

import json
import pathlib
import sqlite3
import subprocess
import tempfile

from .browser import LONG, Chromium, Page, chromium
from .chat import started
from .checks import check
from .harness import Output, free_port, must, wait_for

PICTURES = pathlib.Path("target/chat")

# The texts that a page shows, and whether each number is there once, in order.
TEXTS = "[...document.querySelectorAll('#log .message .text')].map((text) => text.textContent)"
NUMBERS = "[...document.querySelectorAll('#log .message')].map((message) => Number(message.dataset.seq))"
IS_IN = "document.querySelector('#state').dataset.state === 'good'"
HAS_SENT_ALL = "document.querySelectorAll('#log .pending').length === 0"
SAY = "(texts) => { for (const text of texts) { document.querySelector('#text').value = text; document.querySelector('#say').requestSubmit(); } }"

# What is not where it can be seen and reached.
CUT_OFF = """[...document.querySelectorAll('button, input, h1, #state, #log .text')].filter((part) => {
  const box = part.getBoundingClientRect();
  return part.checkVisibility({ visibilityProperty: true }) && (box.left < 0 || box.right > innerWidth);
}).map((part) => part.id || part.textContent).concat(document.documentElement.scrollWidth > innerWidth ? ['the page'] : [])"""


class Netcat:
    """`nc`, by a name; its own lines come back to it once they are kept."""

    def __init__(self, address, name):
        self.process = subprocess.Popen(["nc", address[0], str(address[1])], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.output = Output(self.process.stdout)
        self.say(name, "/echo on")
        self.output.matching("You see your own lines", LONG)

    def say(self, *lines):
        self.process.stdin.write("".join(f"{line}\n" for line in lines).encode())
        self.process.stdin.flush()

    def said(self):
        """What it heard from people, as `NAME: TEXT`."""
        return [line for line in list(self.output.lines) if line[:1] not in "*|"]

    def close(self):
        self.process.kill()
        self.process.wait()


def come_in(browser, address, name, width, height, dark):
    page = Page(browser, f"http://{address[0]}:{address[1]}/", width, height, dark)
    page.wait("document.querySelector('#hello')?.open", "question for the name")
    page.type("#name", name)
    page.wait(IS_IN, f"connection of {name}")
    return page


def look(page, name):
    """Pictures in both colours; nothing is cut off."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    pictures = []
    for colours in ("light", "dark"):
        page.colours(colours == "dark")
        pictures.append(page.picture())
        (PICTURES / f"{name}-{colours}.png").write_bytes(pictures[-1])
    must(pictures[0] != pictures[1] and min(map(len, pictures)) > 5000, "the pictures show nothing")
    must(not (cut_off := page.get(CUT_OFF)), f"cut off at {name} width: {cut_off}")


@check("ropewalk chat, in Chromium")
def in_chromium():
    """1000 messages of two browsers and two `nc`s, a server that is killed and restarted: all see all, once, in one order."""
    if not chromium():
        return print("skipped: the chat in Chromium, which is not installed")
    ports = [f"tcp:127.0.0.1:{free_port()}" for _ in range(2)]
    with tempfile.TemporaryDirectory() as folder, Chromium() as browser:
        history = pathlib.Path(folder) / "history.db"
        with started(*ports, "--history", history) as program:
            web, lines = program.listening(), program.listening()
            pages = [come_in(browser, web, "ann", 1280, 800, False), come_in(browser, web, "bob", 375, 667, True)]
            pages[0].type("#text", "<b>typed</b>")
            pages[1].wait(f"{TEXTS}[0] === '<b>typed</b>'", "first message at the other page")
            wrote = {name: [] for name in ("ann", "bob", "netty", "nettie")}
            wrote["ann"].append("<b>typed</b>")
            talk(pages, lines, wrote, 0)
            program.process.kill()
            for page in pages:
                page.wait("document.querySelector('#state').textContent.includes('lost')", "word of the lost connection")
            pages[0].get(f"({SAY})(['said while nobody was there'])")
            wrote["ann"].append("said while nobody was there")
        with started(*ports, "--history", history) as program:
            program.listening()
            talk(pages, lines, wrote, 1)
            shown = agree(pages, wrote)
            look(pages[0], "desktop")
            look(pages[1], "phone")
            pages[1].reload()
            pages[1].wait(f"{IS_IN} && {TEXTS}.length === {len(shown)}", "all of it after a reload")
            must(pages[1].get(TEXTS) == shown, "a reload shows something else")
            two_tabs(browser, web, pages[0])
            program.stops()
            pages[0].wait("document.querySelector('#state').textContent.includes('stopped')", "word of the stop")
        with sqlite3.connect(history) as database:
            rows = database.execute("SELECT text FROM message ORDER BY seq").fetchall()
        must([text for text, in rows] == shown, "the file says something else")
        must(not browser.errors, f"errors on the page: {browser.errors}")


def two_tabs(browser, address, first):
    """A second tab asks for another name; each keeps its own, its room, and what is not sent yet."""
    second = Page(browser, f"http://{address[0]}:{address[1]}/", 800, 600, beside=first)
    second.wait("document.querySelector('#hello')?.open", "question for another name")
    must("in another tab" in second.get("document.querySelector('#name-problem').textContent"), "it is not said why")
    second.type("#name", "bea")
    second.wait(IS_IN, "connection of bea")
    first.call("Page.bringToFront")  # hidden pages have slow timers
    first.get("location.hash = 'tea'")
    first.wait("document.querySelector('#room').textContent === '# tea'", "the other room")
    first.get("document.querySelector('#text').focus()")
    first.call("Input.insertText", text="half a sent")
    first.reload()
    first.wait(IS_IN, "connection after a reload")
    told = first.get("['#my-name', '#room'].map((id) => document.querySelector(id).textContent).concat(document.querySelector('#text').value)")
    must(told == ["ann", "# tea", "half a sent"], f"after a reload there is {told}")


def talk(pages, lines, wrote, half):
    """Half of the messages, 125 of each; the first half of those of the pages may be under way at its end."""
    netcats = [Netcat(lines, name) for name in ("netty", "nettie")]
    for number in range(half * 5, half * 5 + 5):
        for name, page in zip(("ann", "bob"), pages, strict=True):
            texts = [f"{name} {number * 25 + step}." for step in range(25)]
            wrote[name] += texts
            page.get(f"({SAY})({json.dumps(texts)})")
        for name, netcat in zip(("netty", "nettie"), netcats, strict=True):
            texts = [f"{name} {number * 25 + step}." for step in range(25)]
            wrote[name] += texts
            netcat.say(*texts)
    for name, netcat in zip(("netty", "nettie"), netcats, strict=True):
        netcat.output.matching(f"{name}: {name} {half * 125 + 124}\\.", LONG)
        heard = netcat.said()
        must(len(set(heard)) == len(heard), "an nc heard something twice")
        netcat.close()


def agree(pages, wrote):
    """All that was said is on every page, once, in one order, and each one's words in theirs."""
    count = sum(map(len, wrote.values()))
    for page in pages:
        page.wait(f"{IS_IN} && {HAS_SENT_ALL} && {TEXTS}.length >= {count}", f"{count} messages")
        must(page.get(NUMBERS) == list(range(1, count + 1)), "the numbers have gaps")
    shown = pages[0].get(TEXTS)
    must(shown == pages[1].get(TEXTS), "the two pages show different things")
    for name, texts in wrote.items():
        said = set(texts)
        must([text for text in shown if text in said] == texts, f"{name}'s words are not as they were said")
    return shown
