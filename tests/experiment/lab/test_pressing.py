"""What the window's events tell of the left button, in its units."""

from __future__ import annotations

from collections.abc import Callable

from experiment.lab.pressing import Press, Presses


def made() -> tuple[Presses, list[float], dict[str, Callable[..., None]]]:
    clock = [5.0]
    presses = Presses((1280, 800), lambda: clock[0])
    return presses, clock, presses.handlers()


def test_a_press_knows_where_it_began_and_where_it_is() -> None:
    """(640, 400) is the middle; 800 pixels are 1, to the right and up."""
    presses, clock, on = made()
    on["on_mouse_press"](640, 400, 1, 0)
    clock[0] = 6.0
    ((at, press),) = presses.taken()
    assert (at, press.place, press.now, press.held) == (5.0, (0.0, 0.0), (0.0, 0.0), True)
    assert presses.taken() == []
    on["on_mouse_drag"](1040, 600, 9, 9, 1, 0)
    assert (press.place, press.now, press.held) == ((0.0, 0.0), (0.5, 0.25), True)
    on["on_mouse_release"](240, 200, 1, 0)
    assert (press.place, press.now, press.held) == ((0.0, 0.0), (-0.5, -0.25), False)
    on["on_mouse_drag"](640, 400, 9, 9, 0, 0)
    on["on_mouse_release"](640, 400, 1, 0)
    assert press.now == (-0.5, -0.25)
    assert presses.taken() == []


def test_each_press_is_one_of_its_own() -> None:
    presses, clock, on = made()
    for x in (640, 1040):
        on["on_mouse_press"](x, 400, 1, 0)
        on["on_mouse_release"](x + 80, 400, 1, 0)
        clock[0] += 1
    found = [(at, press.place[0], round(press.now[0], 9), press.held) for at, press in presses.taken()]
    assert found == [(5.0, 0.0, 0.1, False), (6.0, 0.5, 0.6, False)]


def test_other_buttons_press_nothing_and_let_nothing_go() -> None:
    presses, _, on = made()
    on["on_mouse_press"](640, 400, 4, 0)
    on["on_mouse_drag"](650, 400, 9, 9, 4, 0)
    assert presses.taken() == []
    on["on_mouse_press"](640, 400, 1, 0)
    on["on_mouse_release"](1040, 400, 4, 0)
    ((_, press),) = presses.taken()
    assert (press.now, press.held) == ((0.0, 0.0), True)


def test_where_the_focus_is_lost_the_button_counts_as_let_go() -> None:
    presses, _, on = made()
    presses.lost()
    on["on_mouse_press"](640, 400, 1, 0)
    presses.lost()
    ((_, press),) = presses.taken()
    assert (press.place, press.held) == ((0.0, 0.0), False)
    on["on_mouse_drag"](1040, 400, 9, 9, 1, 0)
    on["on_mouse_release"](1040, 400, 1, 0)
    assert press.now == (0.0, 0.0)


def test_a_press_that_is_over_stays_where_it_was() -> None:
    press = Press.at((0.25, -0.5))
    assert (press.place, press.now, press.held) == ((0.25, -0.5), (0.25, -0.5), False)
