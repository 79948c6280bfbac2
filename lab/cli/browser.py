"""A headless Chromium: this machine's own, driven by Playwright.

It makes the README's pictures, and the tests of the comparison page and of the MLflow UI look
through it.
"""

from __future__ import annotations

import os
import shutil
from types import TracebackType
from typing import TYPE_CHECKING, Any

from lab.core.errors import LabError

if TYPE_CHECKING:
    from playwright.sync_api import Page

__all__ = ["Browser", "find_chromium"]

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_MAC = ("Google Chrome", "Chromium")
_PATIENCE_MS = 120_000  # a page that takes longer to open hangs
_POLL_MS = 200


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
    """Chromium with one page at a time; a context manager.

    What the browser fails with inside a `with` block leaves it as a `LabError` of one line.

    Attributes:
        page: The page as Playwright's object, new after each `open`.

    Raises:
        LabError: If there is no Chromium, no Playwright, or the browser does not start.
    """

    page: Page

    def __init__(self) -> None:
        chromium = find_chromium()
        try:
            from playwright.sync_api import Error, sync_playwright
        except ImportError:
            raise LabError(
                "Playwright, which drives the browser, is not installed: pip install playwright"
            ) from None
        self._driver = sync_playwright().start()
        try:
            self._chromium = self._driver.chromium.launch(executable_path=chromium)
        except Error as error:
            self._driver.stop()
            raise LabError(f"{chromium} does not start: {_first_line(error)}") from error
        self._complaints: list[str] = []
        self._requests: list[str] = []
        self.open("about:blank")

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
        from playwright.sync_api import Error

        self.close()
        if isinstance(error, Error):
            raise LabError(f"the browser failed: {_first_line(error)}") from error

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
        for context in self._chromium.contexts:
            context.close()
        self._complaints.clear()
        self._requests.clear()
        context = self._chromium.new_context(
            viewport={"width": width, "height": height},
            is_mobile=width < 600,
            color_scheme="dark" if dark else "light",
            device_scale_factor=scale,
            reduced_motion="reduce",
        )
        context.set_default_timeout(_PATIENCE_MS)
        self.page = context.new_page()
        self.page.on("pageerror", lambda error: self._complaints.append(str(error)))
        self.page.on("console", self._hear)
        self.page.on("request", lambda request: self._requests.append(request.url))
        self.page.goto(url)

    def js(self, expression: str) -> Any:
        """Return the value of a JavaScript expression; a promise is waited for."""
        return self.page.evaluate(expression)

    def wait(self, condition: str, seconds: float = 60) -> None:
        """Wait until a JavaScript expression is true.

        Raises:
            TimeoutError: If it is not, after so many seconds.
        """
        from playwright.sync_api import TimeoutError as TooLong

        try:
            self.page.wait_for_function(condition, timeout=1000 * seconds, polling=_POLL_MS)
        except TooLong as error:
            raise TimeoutError(f"not within {seconds:.0f} seconds: {condition}") from error

    def picture(self, clip: tuple[float, float, float, float] | None = None) -> bytes:
        """Return a picture of the window as PNG.

        Args:
            clip: Left, top, width and height of the part to show, in CSS pixels of the page.
        """
        if clip is None:
            return self.page.screenshot()
        x, y, width, height = clip
        return self.page.screenshot(
            full_page=True, clip={"x": x, "y": y, "width": width, "height": height}
        )

    def complaints(self) -> list[str]:
        """Return console errors and uncaught exceptions since the page was opened."""
        self.js("0")
        return list(self._complaints)

    def requests(self) -> list[str]:
        """Return the addresses that the page asked for, pictures inside it left out."""
        self.js("0")
        return [url for url in self._requests if not url.startswith(("data:", "about:"))]

    def close(self) -> None:
        """End the browser."""
        self._chromium.close()
        self._driver.stop()

    def _hear(self, message: Any) -> None:
        if message.type == "error":
            self._complaints.append(message.text)


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).strip().splitlines()), repr(error))
