"""What `doctor` says of a study's words on this station's screen: fonts that are missing, letters that are too small."""

from __future__ import annotations

from collections.abc import Iterator

from experiment.config import ExperimentConfig
from experiment.lab.finding import Check
from experiment.lab.fitting import LEAST_ANGLE, Tight, minutes_of_arc, on_paper
from experiment.lab.layout import FLOOR
from experiment.lab.typefaces import bring_fonts, is_there, package, typeface


def check_words(config: ExperimentConfig, station: str) -> Iterator[Check]:
    """Fonts of the study's languages, room for its words, and how large the smallest letters look from where one sits."""
    from experiment.lab.opening import display_size

    try:
        size = display_size()
        yield check_fonts(config)
    except Exception as error:  # pyglet's own
        yield Check(
            "fonts", "warning", f"cannot be looked up ({type(error).__name__})", "run this on the booth's own screen"
        )
        return
    smallest, tight = 1.0, list[tuple[str, Tight]]()
    for language in config.languages:
        least, found = on_paper(config, language, size)
        smallest = min(smallest, least)
        tight += [(language, x) for x in found]
    yield check_room(tight, size)
    yield check_angle(config, station, smallest)


def check_fonts(config: ExperimentConfig) -> Check:
    """Whether this computer has the font of each language."""
    bring_fonts()
    fonts = {language: typeface(language, config.font).font for language in config.languages}
    missing = {language: font for language, font in fonts.items() if not is_there(font)}
    if not missing:
        return Check("fonts", "ok", ", ".join(dict.fromkeys(fonts.values())))
    language, font = next(iter(missing.items()))
    brings = package(font)
    mend = f"apt-get install {brings}" if brings else "install it"
    found = f"{font} ({language}) is not on this computer: letters may be drawn as boxes"
    return Check("fonts", "warning", found, f"{mend}, or name another (experiment.font)")


def check_room(tight: list[tuple[str, Tight]], size: tuple[int, int]) -> Check:
    """Whether every screen has room for its words."""
    shape = f"{size[0]} x {size[1]}"
    if not tight:
        return Check("words", "ok", f"every screen has room for them ({shape})")
    language, worst = min(tight, key=lambda x: x[1].size)
    more = f" (and {len(tight) - 1} more)" if len(tight) > 1 else ""
    mend = "shorten its words, or have fewer of them"
    if worst.size == 0:
        return Check("words", "FAILED", f"{worst.screen} ({language}) has no room for its words{more} ({shape})", mend)
    found = f"{worst.screen} ({language}) has letters of {worst.size / FLOOR:.0%} of the least size{more} ({shape})"
    return Check("words", "warning", found, mend)


def check_angle(config: ExperimentConfig, station: str, smallest: float) -> Check:
    """How large the smallest capitals look where one sits at a station."""
    seat = config.stations.get(station)
    if seat is None or seat.distance is None or seat.height is None:
        found = f"smallest capitals not known: no [experiment.stations.{station}] with distance and height in cm"
        return Check("letters", "ok", found)
    angle = minutes_of_arc(smallest, seat.height, seat.distance)
    found = f"smallest capitals {angle:.1f}' of arc ({seat.height:g} cm high screen at {seat.distance:g} cm)"
    if angle >= LEAST_ANGLE:
        return Check("letters", "ok", found)
    nearer = seat.distance * angle / LEAST_ANGLE
    mend = f"sit at {nearer:.0f} cm, take a larger screen, or set larger letters (experiment.text_size)"
    return Check("letters", "warning", f"{found}: under {LEAST_ANGLE:.0f}'", mend)


def on_the_narrowest(config: ExperimentConfig) -> tuple[list[str], list[str]]:
    """Of a screen of 5:4 the screens whose words have no room at all, and those whose letters are too small: a line each."""
    none, small = list[str](), list[str]()
    for language in config.languages:
        for found in on_paper(config, language)[1]:
            where = f"{found.screen} ({language})"
            if found.size == 0:
                none.append(
                    f"the words of {where} have no room on a screen of 5:4, in letters of any size; shorten them"
                )
            else:
                share = f"{found.size / FLOOR:.0%} of the least size"
                small.append(f"On a screen of 5:4 {where} has letters of {share} that can be read: shorten its words.")
    return none, small
