"""Codes of participants: what may be one, and when two ways of writing one mean the same person."""

from __future__ import annotations

import hashlib
import re
import unicodedata

from experiment.errors import ExperimentError

# Codes that tastelab gives itself: to simulated people, imported rows, sessions on a virtual desk, and those who are gone.
RESERVED = {
    "bot-": "bot",
    "imp-": "imported",
    "driven-": "driven",
    "withdrawn-": "",
    "refused-": "",
    "too_young-": "",
}


def same(code: str) -> str:
    """The form that all ways of writing one code share: compatibility forms, capitals and leading zeros make no difference.

    ``P001``, ``p1`` and full-width ``Ｐ００１`` are one person, and so are ``12`` and ``0012``.
    """
    plain = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", code).casefold())
    return re.sub(r"(?<!\d)0+(?=\d)", "", plain)


def checked(code: str, kind: str = "person") -> str:
    """A code as it is stored: full-width letters and digits become ordinary ones.

    Raises
    ------
    ExperimentError
        If it is not 1 to 40 letters, digits, ``-``, ``_`` or ``.``, beginning with a letter or digit, or begins as codes
        do that tastelab gives itself to another kind of session.
    """
    plain = unicodedata.normalize("NFKC", code)
    if not all(re.fullmatch(r"[^\W_][\w.\-]{0,39}", x) for x in (code, plain)):
        raise ExperimentError(
            f"--code {code[:60]!r} is not a code: 1 to 40 letters, digits, '-', '_' or '.'; no names, no spaces"
        )
    for prefix, whose in RESERVED.items():
        if same(plain).startswith(prefix) and kind != whose:
            raise ExperimentError(
                f"--code {code!r}: codes that begin with {prefix!r} are tastelab's own; choose another"
            )
    return plain


def check_code(code: str) -> None:
    """Refuse what can't be a person's code; see `checked`."""
    checked(code)


def imported_code(study_id: int, name: str) -> str:
    """The code of an imported person, which tells nothing and is the same for the same name (or digest of a row) in a study."""
    return "imp-" + hashlib.sha256(f"{study_id}/{name}".encode()).hexdigest()[:12]
