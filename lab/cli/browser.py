"""A headless Chromium, driven through its DevTools pipe: no port, no further package.

It makes the README's pictures, and the tests of the comparison page and of the MLflow UI look
through it. Reference: https://chromedevtools.github.io/devtools-protocol/
"""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import sys
import time
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any

from lab.core.errors import LabError

__all__ = ["Browser", "find_chromium"]

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_MAC = ("Google Chrome", "Chromium")
_FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--force-prefers-reduced-motion",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
)
# Puts the pipe's two ends where Chromium looks for them, and becomes Chromium.
_START = """
import fcntl, os, sys
ends = [fcntl.fcntl(int(end), fcntl.F_DUPFD, 10) for end in sys.argv[1:3]]
for place, end in enumerate(ends, start=3):
    os.dup2(end, place)
os.execv(sys.argv[3], sys.argv[3:])
"""
_POLL_SECONDS = 0.2
_SILENCE_SECONDS = 120  # a page that takes longer to answer hangs


def find_chromium() -> str:
    """Return the path of a Chromium: `CHROMIUM`, or the first known name on this machine.

    Raises:
        LabError: If there is none.
    """
    named = os.environ.get("CHROMIUM", "")
    if named:
        found = shutil.which(named)
        if found is None:
            raise LabError(f"CHROMIUM must name a Chromium or Chrome, got {named!r}")
        return found
    apps = [f"/Applications/{name}.app/Contents/MacOS/{name}" for name in _MAC]
    for name in (*_NAMES, *apps):
        if found := shutil.which(name):
            return found
    raise LabError(
        f"no Chromium found ({', '.join(_NAMES)}): install one, or name it with CHROMIUM=/path"
    )


class Browser:
    """Chromium with one page; commands and events are JSON, each ended by a zero byte.

    Attributes:
        events: What the page reported since it was last opened.
        process: The browser's process.

    Raises:
        LabError: If there is no Chromium.
    """

    def __init__(self) -> None:
        chromium = find_chromium()
        self._profile = TemporaryDirectory(prefix="lab-browser-", ignore_cleanup_errors=True)
        read_in, self._to = os.pipe()
        self._from, write_out = os.pipe()
        start = [sys.executable, "-c", _START, str(read_in), str(write_out), chromium]
        self.process = subprocess.Popen(
            [*start, *_FLAGS, f"--user-data-dir={self._profile.name}"],
            pass_fds=(read_in, write_out),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(read_in)
        os.close(write_out)
        self.events: list[dict[str, Any]] = []
        self._rest, self._last_id, self._session = b"", 0, ""
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        attached = self.send("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(f"{domain}.enable")
        self.send("Page.setLifecycleEventsEnabled", enabled=True)

    def __enter__(self) -> Browser:
        """Return the browser."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the browser."""
        self.close()

    def send(self, method: str, **params: Any) -> dict[str, Any]:
        """Send one DevTools command and return its result.

        Raises:
            RuntimeError: If the browser refuses it or has ended.
            TimeoutError: If it says nothing for `_SILENCE_SECONDS`.
        """
        self._last_id += 1
        message = {"id": self._last_id, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive()
            if answer.get("id") == self._last_id:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']['message']}")
                return dict(answer["result"])
            self.events.append(answer)

    def open(
        self,
        url: str,
        width: int = 1360,
        height: int = 900,
        *,
        dark: bool = False,
        scale: float = 1,
    ) -> None:
        """Open an address and wait until the page has loaded.

        Args:
            url: The address.
            width: Of the window, in CSS pixels; below 600 it is a phone's.
            height: Of the window, in CSS pixels.
            dark: Whether the system's colour scheme is dark.
            scale: Device pixels for each CSS pixel.
        """
        self.events.clear()
        size = {"width": width, "height": height, "deviceScaleFactor": scale}
        self.send("Emulation.setDeviceMetricsOverride", **size, mobile=width < 600)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.send("Emulation.setEmulatedMedia", features=[scheme])
        self.send("Page.navigate", url="about:blank")
        loader = self.send("Page.navigate", url=url)["loaderId"]
        while not any(_is_load(event, loader) for event in self.events):
            self.events.append(self._receive())

    def js(self, expression: str) -> Any:
        """Return the value of a JavaScript expression; a promise is waited for.

        Raises:
            RuntimeError: If it throws.
        """
        result = self.send(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in result:
            raise RuntimeError(result["exceptionDetails"]["exception"]["description"])
        return result["result"].get("value")

    def wait(self, condition: str, seconds: float = 60) -> None:
        """Wait until a JavaScript expression is true.

        Raises:
            TimeoutError: If it is not, after so many seconds.
        """
        end = time.monotonic() + seconds
        while not self.js(f"Boolean({condition})"):
            if time.monotonic() > end:
                raise TimeoutError(f"not within {seconds:.0f} seconds: {condition}")
            time.sleep(_POLL_SECONDS)

    def picture(self, clip: tuple[float, float, float, float] | None = None) -> bytes:
        """Return a picture of the window as PNG.

        Args:
            clip: Left, top, width and height of the part to show, in CSS pixels of the page.
        """
        more: dict[str, Any] = {}
        if clip is not None:
            box = dict(zip(("x", "y", "width", "height"), clip, strict=True))
            more = {"clip": box | {"scale": 1}, "captureBeyondViewport": True}
        taken = self.send("Page.captureScreenshot", format="png", **more)
        return base64.b64decode(taken["data"])

    def complaints(self) -> list[dict[str, Any]]:
        """Return console errors and uncaught exceptions since the page was opened."""
        self.js("0")
        return [
            event["params"]
            for event in self.events
            if event["method"] in ("Runtime.exceptionThrown", "Log.entryAdded")
            or (
                event["method"] == "Runtime.consoleAPICalled"
                and event["params"]["type"] == "error"
            )
        ]

    def requests(self) -> list[str]:
        """Return the addresses that the page asked for, pictures inside it left out."""
        self.js("0")
        asked = [e for e in self.events if e["method"] == "Network.requestWillBeSent"]
        urls = [event["params"]["request"]["url"] for event in asked]
        return [url for url in urls if not url.startswith(("data:", "about:"))]

    def close(self) -> None:
        """End the browser and remove its profile."""
        self._session = ""
        self.send("Browser.close")
        self.process.wait(timeout=20)
        os.close(self._to)
        os.close(self._from)
        self._profile.cleanup()

    def _receive(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            if not select.select([self._from], [], [], _SILENCE_SECONDS)[0]:
                raise TimeoutError(f"the browser was silent for {_SILENCE_SECONDS} seconds")
            chunk = os.read(self._from, 1 << 20)
            if not chunk:
                raise RuntimeError("the browser has ended")
            self._rest += chunk
        text, self._rest = self._rest.split(b"\0", 1)
        return dict(json.loads(text))


def _is_load(event: dict[str, Any], loader: str) -> bool:
    params = event.get("params", {})
    return params.get("loaderId") == loader and params.get("name") == "load"
