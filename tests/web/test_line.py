"""A real Chromium over lines that are slow or break off, and a server that is not always there."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from experiment.data.tables import SessionRow
from experiment.launch import Prepared
from tests.experiment.test_steps import rows_of
from tests.web.conftest import serving
from tests.web.hand import CHROMIUM, Hand

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this computer (apt-get install chromium)")


@pytest.mark.parametrize(("name", "times"), [("vendor/jspsych", 2), ("asking", 3), ("hearing", 3)])
def test_a_first_screen_is_small_and_waits_for_nothing_that_a_session_needs(
    address: str, chromium: Any, name: str, times: int
) -> None:
    """Under 300 kB; what a session needs comes after it, and is asked for again where the line broke off."""
    context = chromium.new_context(locale="en-GB")
    page = context.new_page()
    network = context.new_cdp_session(page)
    network.send("Network.enable")
    arrived: list[float] = []
    network.on("Network.loadingFinished", lambda told: arrived.append(told["encodedDataLength"]))
    asked = []

    def breaks(route: Any) -> None:
        asked.append(page.locator(".screen h1").count())
        route.abort() if len(asked) == 1 else route.continue_()

    page.route(f"**/{name}.js", breaks)
    page.goto(address)
    hand = Hand(page)
    hand.at("Before you begin")
    hand.press("Begin")
    hand.at("You will listen")
    context.close()
    assert asked[:2] == [
        1,
        1,
    ]  # after the first screen; a third time when the page came anew, into the session that was begun
    assert len(asked) == times
    assert 10_000 < sum(arrived) < 300_000


def test_a_server_that_is_away_costs_no_answer(prepared: Prepared, chromium: Any) -> None:
    """Ended while an answer is chosen, and another one at the same address later: it is stored once, and the session goes on."""
    context = chromium.new_context(locale="en-GB")
    page = context.new_page()
    hand = Hand(page)
    with serving(prepared) as (address, port):
        page.goto(address)
        hand.at("Before you begin")
        hand.press("Begin")
        hand.at("You will listen")
        page.get_by_role("button", name="I agree", exact=True).click()
        hand.at("What is your sex?")
    hand.take("female")
    page.get_by_text("Your answers are safe on this device").wait_for()
    before = rows_of(prepared.store)
    with serving(prepared, port):
        hand.at("How old are you?")
        context.close()
    assert [r for r in rows_of(prepared.store) if r not in before] == [rows_of(prepared.store)[-1]]
    assert rows_of(prepared.store)[-1][1:4] == ("sex", None, "female")
    with prepared.store.transaction() as s:
        assert s.scalars(select(SessionRow.sitting).order_by(SessionRow.id.desc())).first() == 1
