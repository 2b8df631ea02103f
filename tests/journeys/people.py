"""People at browsers. Whatever goes wrong in their browser is kept, and fails their journey."""

from __future__ import annotations

import html
import json
import os
import re
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, Response, WebError, expect

from opsadmin.demo.people import COLLEAGUES, PASSWORD, PEOPLE
from opsadmin.embedded.places import ROOT
from tests.journeys.house import House

DESK = {"width": 1400, "height": 900}
PHONE = {"width": 390, "height": 844}
SCREENSHOTS = ROOT / "docs" / "screenshots"


class Person:
    """Somebody at a browser of their own, from the login page until they leave."""

    def __init__(
        self, browser: Browser, house: House, username: str, folder: Path, *, phone: bool = False, dark: bool = False
    ) -> None:
        self.house, self.username, self.folder = house, username, folder
        self.troubles: list[str] = []
        self._record = folder / f"{username}-{len(list(folder.glob('*.har')))}.har"
        self._context = browser.new_context(
            base_url=house.address,
            viewport=PHONE if phone else DESK,  # type: ignore[arg-type]
            # Everybody sits in their own zone, as the product knows it.
            timezone_id=next((each.time_zone for each in [*PEOPLE, *COLLEAGUES] if each.username == username), "UTC"),
            color_scheme="dark" if dark else "light",
            accept_downloads=True,
            record_har_path=self._record,
            record_har_url_filter=re.compile(r"^(?!.*/static/)"),
        )
        self._context.on("console", self._note_console)
        self._context.on("weberror", self._note_error)
        self._context.on("response", self._note_response)
        self._context.set_default_timeout(20_000)
        self.page: Page = self._context.new_page()

    # -- coming and going --------------------------------------------------------------------------

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if error is not None:
            seen = self.folder / f"{self.username}-at-the-end.png"
            self.page.screenshot(path=seen)
            error.add_note(f"{self.username} was at {self.page.url}, see {seen}")
            error.add_note("\n".join(self.troubles))
            error.add_note(self.house.last_words())
        self._context.close()
        if error is None:
            assert not self.troubles, "\n".join([*self.troubles, self.house.last_words()])

    def log_in(self, password: str = PASSWORD) -> None:
        self.page.goto("/")
        self.page.get_by_label("Username").fill(self.username)
        self.page.get_by_label("Password").fill(password)
        self.page.get_by_role("button", name="Log in").click()
        expect(self.page.locator("#header-inner")).to_be_visible()

    # -- looking -----------------------------------------------------------------------------------

    @property
    def menu(self) -> Locator:
        return self.page.locator("#nav-sidebar")

    @property
    def main(self) -> Locator:
        """The page without its menu."""
        return self.page.locator("#main")

    @property
    def rows(self) -> Locator:
        """The rows of the list that is open."""
        return self.page.locator("#result_list tbody tr")

    def menu_lists(self) -> dict[str, list[str]]:
        """The lists that the menu offers, by heading, in its order, without the views below them."""
        return dict(
            self.menu.locator("h2").evaluate_all(
                """headings => headings.map(heading => [
                    heading.innerText.trim(),
                    [...heading.parentElement.querySelectorAll("li a:not(:has([data-view-count])) > span:nth-of-type(2)")]
                        .map(each => each.innerText),
                ])"""
            )
        )

    def sees(self, *texts: str) -> None:
        """Every one of the texts is on the page."""
        for text in texts:
            words = re.compile(r"\s+".join(map(re.escape, text.split())))
            expect(self.main.get_by_text(words).locator("visible=true").first).to_be_visible()

    def photograph(self, name: str) -> None:
        """Keep what is on the screen; with OPSADMIN_SCREENSHOTS=1 as a picture of the docs."""
        folder = SCREENSHOTS if os.environ.get("OPSADMIN_SCREENSHOTS") == "1" else self.folder
        folder.mkdir(parents=True, exist_ok=True)
        self.page.evaluate("document.fonts.ready")
        self.page.mouse.move(0, 0)
        self.page.screenshot(path=folder / f"{name}.png", animations="disabled")

    # -- doing -------------------------------------------------------------------------------------

    def open(self, name: str) -> None:
        """Open a list, or another page, from the menu."""
        link = self.menu.get_by_role("link").filter(has=self.page.get_by_text(name, exact=True))
        address = link.get_attribute("href")
        link.click()
        self.page.wait_for_url(f"**{address}")
        expect(self.main).to_be_visible()

    def search(self, term: str) -> None:
        """Search in the list that is open."""
        box = self.page.get_by_role("textbox", name="Type to search")
        box.fill(term)
        box.press("Enter")

    def show_filters(self) -> None:
        self.main.get_by_text("Filters").first.click()

    def field(self, label: str) -> Locator:
        """The input under a label, whether or not a star says that it is needed; not the tick of a column of that name."""
        labelled = self.main.get_by_label(re.compile(rf"^\s*{re.escape(label)}\s*\*?\s*$"))
        return labelled.and_(self.page.locator("xpath=//*[not(@name='_column')]")).first

    def choose(self, label: str, choice: str) -> None:
        """Choose in a filter, whether or not the number of rows that a choice would leave has come into its words."""
        option = self.field(label).locator("option").filter(has_text=re.compile(rf"^{re.escape(choice)}( \(.+\))?$"))
        self.field(label).select_option(value=option.get_attribute("value"))

    def press(self, name: str) -> None:
        self.main.get_by_role("button", name=name).click()

    def follow(self, name: str) -> None:
        self.main.get_by_role("link", name=name).first.click()

    def ask_palette(self, term: str) -> Locator:
        """Ask the command palette by keyboard; returns the ways it offers."""
        self.page.keyboard.press("Control+k")
        expect(self.page.locator("#search-input-command")).to_be_focused()
        with self.page.expect_response(re.compile("/search/")):
            self.page.keyboard.type(term)
        return self.page.locator("#command-results").get_by_role("link")

    def leave_palette(self) -> None:
        # The first empties it, the second closes it.
        self.page.keyboard.press("Escape")
        self.page.keyboard.press("Escape")
        expect(self.page.locator("#search-input-command")).to_be_hidden()

    def print_out(self) -> bytes:
        """Press the button of a printable page; returns the paper, as a PDF."""
        self.page.evaluate("window.print = () => document.body.setAttribute('data-printed', '')")
        self.page.get_by_role("button", name="Print").click()
        expect(self.page.locator("body[data-printed]")).to_be_visible()
        return self.page.pdf()

    # -- afterwards --------------------------------------------------------------------------------

    def was_told(self) -> str:
        """Everything that the product answered to this browser, pages and data alike; known once they have left."""
        answers = json.loads(self._record.read_text())["log"]["entries"]
        return "\n".join(_plain(answer["response"]["content"]) for answer in answers)

    def _note_console(self, message: ConsoleMessage) -> None:
        # Chromium reports violations of the content security policy here, too.
        if message.type == "error":
            self.troubles.append(f"console at {self.page.url}: {message.text}")

    def _note_error(self, error: WebError) -> None:
        self.troubles.append(f"script at {self.page.url}: {error.error}")

    def _note_response(self, response: Response) -> None:
        if response.status >= 500:
            self.troubles.append(f"{response.status} for {response.request.method} {response.url}")


def _plain(content: dict[str, Any]) -> str:
    """The text of an answer without the escapes of HTML and JSON."""
    text = content.get("text", "")
    if "json" in content.get("mimeType", "") and text:
        return json.dumps(json.loads(text), ensure_ascii=False)
    return html.unescape(text)
