"""A Chromium that is driven by its own protocol (DevTools), without a library: no more than the checks of pages need."""

import base64
import itertools
import json
import os
import shutil
import subprocess
import tempfile
import threading

from .harness import PATIENCE, Output, WebSocket, Wrong, must, wait_for

# A browser takes its time on a slow machine that does other things, too.
LONG = 4 * PATIENCE


def chromium():
    """Where it is, if it is here."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


class Chromium:
    """A browser without a screen."""

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        options = ["--headless=new", "--remote-debugging-port=0", f"--user-data-dir={self.folder.name}", "--no-first-run", "--disable-gpu",
            "--disable-dev-shm-usage", "--disable-background-networking", "--disable-component-update", "--lang=en"]
        if os.geteuid() == 0:
            options.append("--no-sandbox")
        self.process = subprocess.Popen([chromium(), *options], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True)
        try:
            address = Output(self.process.stderr).matching(r"DevTools listening on ws://([^:]+):(\d+)(\S+)", LONG)
            self.socket = WebSocket((address[1], int(address[2])), address[3])
        except BaseException:
            self.__exit__()
            raise
        self.numbers, self.answers, self.errors = itertools.count(1), {}, []
        threading.Thread(target=self._listen, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.folder.cleanup()

    def _listen(self):
        try:
            while told := self.socket.receive():
                told = json.loads(told)
                if "id" in told:
                    self.answers[told["id"]] = told
                elif told["method"] == "Runtime.exceptionThrown":
                    self.errors.append(told["params"]["exceptionDetails"])
        except (OSError, Wrong):
            pass  # it is over

    def call(self, method, session=None, **parameters):
        number = next(self.numbers)
        self.socket.send(json.dumps({"id": number, "method": method, "params": parameters} | ({"sessionId": session} if session else {})))
        answer = wait_for(lambda: self.answers.pop(number, None), f"answer to {method}", LONG)
        must("result" in answer, f"{method}: {answer}")
        return answer["result"]


class Page:
    """A page in a window of its own, which shares nothing with the others; or a tab beside another one."""

    def __init__(self, browser, url, width, height, dark=False, beside=None):
        self.context = beside.context if beside else browser.call("Target.createBrowserContext")["browserContextId"]
        target = browser.call("Target.createTarget", url="about:blank", browserContextId=self.context)["targetId"]
        session = browser.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.call = lambda method, **parameters: browser.call(method, session, **parameters)
        self.call("Runtime.enable")
        self.call("Page.enable")
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600)
        self.colours(dark)
        self.call("Page.navigate", url=url)

    def colours(self, dark):
        value = "dark" if dark else "light"
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": value}])

    def get(self, expression):
        """What an expression of JavaScript comes to."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        must("exceptionDetails" not in answer, f"{expression}: {answer}")
        return answer["result"].get("value")

    def wait(self, expression, what):
        return wait_for(lambda: self.get(expression), what, LONG)

    def type(self, selector, text):
        """Types into a field, as with a keyboard, and Enter."""
        self.get(f"document.querySelector({selector!r}).focus()")
        self.call("Input.insertText", text=text)
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key="Enter", code="Enter", text="\r", windowsVirtualKeyCode=13)

    def reload(self):
        self.get("window.isOld = true")
        self.call("Page.reload")
        self.wait("!window.isOld && document.readyState === 'complete'", "new page")

    def picture(self):
        """A PNG."""
        return base64.b64decode(self.call("Page.captureScreenshot")["data"])
