"""A real Chromium takes part: it hears clips, answers, is reloaded, loses the network and comes back; the rows are those of a booth."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import select

from experiment.data.tables import Event, Response, SessionRow
from experiment.launch import Prepared
from tests.experiment.test_steps import rows_of
from tests.web.hand import CHROMIUM, SHOWN, Hand

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this computer (apt-get install chromium)")


def test_a_session_with_mouse_and_keyboard_over_a_reload_and_without_network(
    prepared: Prepared, address: str, chromium: Any
) -> None:
    context = chromium.new_context(viewport={"width": 900, "height": 700}, locale="en-GB")
    page = context.new_page()
    hand = Hand(page)
    page.goto(address)
    hand.at("Before you begin")
    assert page.evaluate("document.documentElement.lang") == "en"
    hand.press("Begin")
    hand.at("You will listen")
    assert page.evaluate("document.fullscreenElement !== null")  # the press that began asked for it
    page.evaluate("document.exitFullscreen()")
    page.get_by_role("button", name="I agree", exact=True).dblclick()  # the second click answers nothing
    hand.at("What is your sex?")
    assert rows_of(prepared.store) == []
    hand.take("female")
    hand.at("How old are you?")
    page.keyboard.type("17")
    page.keyboard.press("Enter")
    page.locator("dialog").get_by_role("button", name="No", exact=True).wait_for()
    page.wait_for_timeout(320)
    page.keyboard.press("2")
    page.reload()  # the same step, the same sitting
    hand.at("How old are you?")
    context.set_offline(True)
    page.keyboard.type("34")
    page.keyboard.press("Enter")
    page.get_by_text("Your answers are safe on this device").wait_for()
    assert [r[1] for r in rows_of(prepared.store)] == ["sex"]
    context.set_offline(False)
    hand.at("Sound check")
    hand.press("Play")
    hand.at("Did you hear all three")
    hand.press("Yes")
    hand.at("First part")
    hand.press("Continue")
    hand.hear("First piece")
    hand.hear("Second piece")
    hand.at("better?")
    assert page.get_by_role("button", name="Continue").is_disabled()
    page.keyboard.type("10")  # typed digit by digit
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    hand.at("Second part")
    page.keyboard.press(" ")
    hand.hear("Listen")
    hand.at("warm")
    page.keyboard.press("Escape")
    page.locator("dialog").wait_for()
    page.wait_for_timeout(320)
    page.keyboard.press("2")
    page.wait_for_timeout(320)
    page.get_by_role("radio", name="4").click()
    page.keyboard.press("Enter")
    hand.at("Done")
    hand.press("Continue")
    page.get_by_role("button", name="Withdraw", exact=True).wait_for()
    page.close()
    context.close()
    assert hand.wrong == ["Failed to load resource: net::ERR_INTERNET_DISCONNECTED"] * len(hand.wrong)
    given = [(item, value, choice) for _, item, value, choice, _ in rows_of(prepared.store)]
    assert given == [("sex", None, "female"), ("age", 34.0, None), ("preference", 9.0, None), ("hot", 4.0, None)]
    with prepared.store.transaction() as s:
        (row,) = s.scalars(select(SessionRow))
        assert (row.status, row.kind, row.sitting, row.language) == ("complete", "person", 1, "en")
        took = [float(x or 0) for x in s.scalars(select(Response.response_time))]
        assert all(0.3 < x < 20 for x in took)
        heard = [e.detail for e in s.scalars(select(Event).where(Event.name == "audio_onset"))]
        assert len(heard) == 3
        assert all(x["whole"] and x["played"] == pytest.approx(0.5, abs=0.03) and x["underruns"] == 0 for x in heard)
        answers = {e.detail["item"]: e.detail for e in s.scalars(select(Event).where(Event.name == "answer"))}
        assert answers["preference"]["moves"] == 3
        assert answers["hot"]["moves"] == 1
        left = [e.detail for e in s.scalars(select(Event).where(Event.name == "left"))]
        assert {"what": "fullscreen", "seconds": None} in left


def test_what_comes_too_early_answers_nothing_and_a_text_is_read_to_its_end(
    prepared: Prepared, address: str, chromium: Any
) -> None:
    """On a small phone, in Italian: the consent is longer than the screen; keys before its end, or at once, agree to nothing."""
    context = chromium.new_context(viewport={"width": 360, "height": 340}, locale="it-IT", has_touch=True)
    page = context.new_page()
    hand = Hand(page)
    page.goto(address)
    hand.at("Prima di iniziare")
    hand.press("Inizia")
    page.get_by_text("brevi brani").wait_for()
    page.keyboard.press("1")
    hand.at("brevi brani")
    page.keyboard.press("1")
    assert page.get_by_role("button", name="Acconsento", exact=True).is_disabled()
    page.get_by_role("button", name="Acconsento", exact=True).scroll_into_view_if_needed()
    page.wait_for_selector("[data-name=agree]:enabled")
    page.get_by_role("button", name="Acconsento", exact=True).tap()
    page.get_by_text("Qual è il tuo sesso").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert hand.wrong == []
    # A second window is told; there it goes on, and the first one is told.
    other = context.new_page()
    other.goto(address)
    Hand(other).at("aperta altrove")
    other.get_by_role("button", name="Continua qui").click()
    other.get_by_text("Qual è il tuo sesso").wait_for()
    page.wait_for_selector(SHOWN)
    page.get_by_role("radio").first.click()
    page.locator("[data-name=next]").click()
    page.get_by_text("continua altrove").wait_for()
    context.close()


def test_a_browser_that_keeps_nothing_promises_nothing(prepared: Prepared, address: str, chromium: Any) -> None:
    """Without a store on the device the page itself keeps the answer; it is sent again, but not said to be safe."""
    context = chromium.new_context(viewport={"width": 900, "height": 700}, locale="en-GB")
    context.add_init_script(
        "delete Window.prototype.indexedDB; Object.defineProperty(window, 'indexedDB', { get() { throw new Error('no'); } })"
    )
    page = context.new_page()
    hand = Hand(page)
    page.goto(address)
    hand.at("Before you begin")
    hand.press("Begin")
    hand.at("You will listen")
    page.get_by_role("button", name="I agree", exact=True).click()
    hand.at("What is your sex?")
    context.set_offline(True)
    hand.take("female")
    page.locator("#line").get_by_text("…", exact=True).wait_for()
    assert page.get_by_text("safe on this device").count() == 0
    context.set_offline(False)
    hand.at("How old are you?")
    page.close()
    context.close()
    assert hand.wrong == ["Failed to load resource: net::ERR_INTERNET_DISCONNECTED"] * len(hand.wrong)


def test_signs_of_life_are_a_session_s_alone(prepared: Prepared, address: str, chromium: Any) -> None:
    """Whoever reads the first screen has no session that could be alive: nothing is asked for, and nothing is refused."""
    context = chromium.new_context(locale="en-GB")
    page = context.new_page()
    page.clock.install()
    hand, sent = Hand(page), []
    page.on("request", lambda request: sent.append(request.url.rpartition("/")[2]))
    page.goto(address)
    hand.at("Before you begin")
    page.clock.run_for(60_000)
    assert "alive" not in sent
    hand.press("Begin")
    page.clock.run_for(2_000)
    hand.at("You will listen")
    with page.expect_response("**/api/alive") as answer:
        page.clock.run_for(60_000)
    assert answer.value.status == 200
    page.close()
    context.close()
    assert hand.wrong == []


def test_leaving_the_page_while_it_loads_costs_no_answer(prepared: Prepared, address: str, chromium: Any) -> None:
    """What happened before the session's clock began is told on that clock; the first message is stored, not refused."""
    context = chromium.new_context(locale="en-GB")
    context.add_init_script(
        """{
          let hidden = false;
          Object.defineProperty(document, "hidden", { get: () => hidden });
          const turn = (to) => { hidden = to; document.dispatchEvent(new Event("visibilitychange")); };
          const open = indexedDB.open.bind(indexedDB);
          IDBFactory.prototype.open = (...more) => { turn(true); setTimeout(() => turn(false), 1500); IDBFactory.prototype.open = open; return open(...more); };
        }"""
    )
    page = context.new_page()
    hand = Hand(page)
    page.goto(address)
    hand.at("Before you begin")
    page.wait_for_timeout(2000)
    hand.press("Begin")
    hand.at("You will listen")
    with page.expect_response("**/api/did") as answer:
        page.get_by_role("button", name="I agree", exact=True).click()
    assert answer.value.status == 200
    (left,) = json.loads(answer.value.request.post_data)["left"]
    assert left["what"] == "page"
    assert 0 <= left["at"] < 60
    assert 1 < left["seconds"] < 5
    page.close()
    context.close()
    assert hand.wrong == []


def test_a_number_without_its_sign_answers_no_scale(address: str, chromium: Any) -> None:
    """On a scale that goes under 0, as in a booth: who typed -3 had 3."""
    context = chromium.new_context(locale="en-GB")
    page = context.new_page()
    page.goto(address)
    Hand(page).at("Before you begin")

    def shown(call: str, kind: str, low: int, high: int, keys: list[str]) -> Any:
        asked = {
            "kind": kind,
            "text": kind,
            "word": "word",
            "low": low,
            "high": high,
            "labels": ["no", "yes"],
            "start": None,
        }
        told = {
            "kind": "ask",
            "dead_time": 0,
            "language": "en",
            "next": "Continue",
            "question": asked,
            "questions": [asked],
        }
        page.evaluate(
            f"""async (told) => {{
              const asking = await import("/static/asking.js");
              window.given = null;
              asking.{call}(told, "", null).then((x) => {{ window.given = x; }});
            }}""",
            told,
        )
        page.wait_for_selector("[data-open=ask]")
        for key in keys:
            page.keyboard.press(key)
        page.wait_for_function("window.given !== null")
        return page.evaluate("window.given")

    assert shown("question", "steps", -3, 3, ["-", "3", "ArrowRight", "Enter"])["value"] == 0
    assert shown("question", "slider", -5, 5, ["-", "3", "ArrowRight", "Enter"])["value"] == 1
    assert shown("form", "steps", -2, 2, ["-", "2", "ArrowLeft", "ArrowLeft", "Enter"])["answers"][0]["value"] == -1
    assert shown("question", "steps", 0, 3, ["3", "Enter"])["value"] == 3
    context.close()
