"""A folder of tracks and its list: tastes and numbers as they are said, kept, counted on; what can't be is one line."""

from pathlib import Path

import pytest

from stimuli.errors import StimulusError
from stimuli.tracks import tracks_in

TASTES = ("sweet", "sour")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a.wav", "b.FLAC", "c.mp3", "d.ogg"):
        (tmp_path / name).touch()
    (tmp_path / "cover.jpg").touch()
    return tmp_path


def found(folder: Path, earlier: dict[str, tuple[str, int]] | None = None) -> dict[str, tuple[str, int]]:
    return {t.path.name: (t.taste, t.number) for t in tracks_in(folder, TASTES, earlier)}


def test_without_a_list_they_are_counted_by_name(folder: Path) -> None:
    assert found(folder) == {"a.wav": ("", 0), "b.FLAC": ("", 1), "c.mp3": ("", 2), "d.ogg": ("", 3)}


def test_numbers_count_within_a_taste_and_fill_what_is_free(folder: Path) -> None:
    (folder / "tracks.csv").write_text("file,taste,number\na.wav,sweet,\nb.FLAC,sour,1\nc.mp3,sweet,0\nd.ogg,sour,\n")
    assert found(folder) == {"a.wav": ("sweet", 1), "b.FLAC": ("sour", 1), "c.mp3": ("sweet", 0), "d.ogg": ("sour", 0)}


def test_what_had_a_number_keeps_it(folder: Path) -> None:
    had = {"b.FLAC": ("", 0), "d.ogg": ("", 5), "gone.wav": ("", 1)}
    assert found(folder, had) == {"a.wav": ("", 1), "b.FLAC": ("", 0), "c.mp3": ("", 2), "d.ogg": ("", 5)}
    # A number that is said now stands over the earlier one, and so does another taste.
    (folder / "tracks.csv").write_text("file,taste,number\na.wav,,0\nb.FLAC,,\nc.mp3,,\nd.ogg,sweet,\n")
    assert found(folder, had) == {"a.wav": ("", 0), "b.FLAC": ("", 1), "c.mp3": ("", 2), "d.ogg": ("sweet", 0)}


def test_a_list_as_spreadsheets_write_it_is_read(folder: Path) -> None:
    rows = "taste,file\r\nsweet,a.wav\r\nsweet,b.FLAC\r\nsour,c.mp3\r\n,d.ogg\r\n"
    (folder / "tracks.csv").write_bytes(b"\xef\xbb\xbf" + rows.encode())
    assert found(folder) == {"a.wav": ("sweet", 0), "b.FLAC": ("sweet", 1), "c.mp3": ("sour", 0), "d.ogg": ("", 0)}


@pytest.mark.parametrize("apart", [";", "\t"])
def test_a_list_as_a_spreadsheet_of_another_country_saves_it(folder: Path, apart: str) -> None:
    rows = ["file,taste,number", "a.wav,sweet,", "b.FLAC,sour,1", "c.mp3,sweet,0", "d.ogg,sour,"]
    (folder / "tracks.csv").write_text("\n".join(row.replace(",", apart) for row in rows) + "\n", encoding="utf-8-sig")
    assert found(folder) == {"a.wav": ("sweet", 1), "b.FLAC": ("sour", 1), "c.mp3": ("sweet", 0), "d.ogg": ("sour", 0)}


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        ("file,taste\nfünf.wav,sweet\n".encode("cp1252"), "not a CSV in UTF-8 (byte 0xfc): save it as 'CSV UTF-8'"),
        (b"PK\x03\x04\x14\x00\x06\x00", "not a CSV but a spreadsheet's own file: save it as 'CSV UTF-8'"),
    ],
)
def test_a_list_that_no_text_reader_knows_says_what_to_save_it_as(folder: Path, raw: bytes, told: str) -> None:
    """A survey is read by the same function."""
    from experiment.data.imports import read_rows
    from experiment.errors import ExperimentError

    path = folder / "tracks.csv"
    path.write_bytes(raw)
    with pytest.raises(StimulusError) as said:
        tracks_in(folder, TASTES)
    assert str(said.value).startswith(f"{path} is {told}")
    with pytest.raises(ExperimentError) as said_too:
        read_rows(path)
    assert str(said_too.value).startswith(f"survey file {path} is {told}")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("name,taste\na.wav,sweet\n", "columns are file, taste, number, not name, taste"),
        ("file,mood\na.wav,sweet\n", "not file, mood"),
        ("", "not none"),
        ("file\na.wav\nb.FLAC\nc.mp3\nd.ogg\nd.og\n", "line 6: 'd.og' is not there; did you mean 'd.ogg'"),
        ("file\na.wav\nb.FLAC\na.wav\n", "line 4: 'a.wav' is listed twice"),
        ("file,taste\na.wav,sweat\n", "taste 'sweat' is not among the study's; did you mean 'sweet'"),
        ("file,taste\na.wav,hot\n", "the study has sweet, sour"),
        ("file,taste\n\n\na.wav,hot\n", "line 4: taste 'hot'"),
        ("file,number\na.wav,first\n", "number 'first' is not a whole number"),
        ("file,number\na.wav,-1\n", "number '-1' is not a whole number"),
        ("file,number\na.wav,2\nb.FLAC,2\nc.mp3,\nd.ogg,\n", "a.wav and b.FLAC have both number 2"),
        ("file\na.wav\nb.FLAC\nc.mp3\n", "says nothing of d.ogg"),
    ],
)
def test_a_list_that_can_not_be_is_one_line(folder: Path, text: str, told: str) -> None:
    (folder / "tracks.csv").write_text(text)
    with pytest.raises(StimulusError) as said:
        tracks_in(folder, TASTES)
    assert told in str(said.value)
    assert str(folder / "tracks.csv") in str(said.value)
    assert "\n" not in str(said.value)


def test_a_quote_that_is_not_closed_hides_no_track(folder: Path) -> None:
    """Read as text, all that follows is one field: the tracks after it would stand for no taste."""
    (folder / "tracks.csv").write_text(
        'taste,file,number\nsweet,a.wav,0\nsour,b.FLAC,"1\nsour,c.mp3,2\nsweet,d.ogg,3\n'
    )
    with pytest.raises(StimulusError) as caught:
        tracks_in(folder, TASTES)
    said = str(caught.value)
    assert 'tracks.csv is not a CSV: in the row that begins at line 3 a quote (") is not closed' in said
    assert "\n" not in said
    (folder / "tracks.csv").write_text(
        'taste,file,number\nsweet,"a.wav",0\nsour,b.FLAC,"1"\nsour,c.mp3,2\nsweet,d.ogg,3\n'
    )
    assert found(folder)["b.FLAC"] == ("sour", 1)
