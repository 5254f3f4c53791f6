"""MusicBench as it is published: columns, siblings of the evaluation kept out, soft labels, rows that are broken."""

import json
from pathlib import Path

import pytest

from models.errors import ModelError
from models.sonicverse.full.musicbench import identifier, key_name, read_listing, read_musicbench, soft_targets, split

ROWS = [
    {
        "dataset": "MusicBench", "location": "data/-0SdAVK79lg.wav", "main_caption": "A slow harp piece.", "alt_caption": "Harp.",
        "prompt_aug": "", "prompt_bpm": "The bpm is 80.", "prompt_key": "The key is C# minor.", "prompt_ch": "", "prompt_bt": "",
        "beats": [[0.1], [1.0]], "bpm": 80.0, "chords": ["C#m"], "chords_time": [0.0], "key": ["C#", "minor"], "keyprob": [0.8],
        "is_audioset_eval_mcaps": False,
    },
    {"location": "data_aug2/-0SdAVK79lg_1.wav", "main_caption": "A slow harp piece.", "alt_caption": "", "is_audioset_eval_mcaps": True},
    {"location": "data/2unse6chkMU.wav", "main_caption": "Drums.", "key": ["Bb", "major"], "bpm": "n/a"},
]  # fmt: skip


@pytest.fixture
def listing(tmp_path: Path) -> Path:
    path = tmp_path / "MusicBench_train.json"
    path.write_text("\n".join(json.dumps(r) for r in ROWS))
    return path


def test_columns(listing: Path) -> None:
    first, second, third = read_musicbench(listing, Path("/audio"))
    assert first.audio == Path("/audio/data/-0SdAVK79lg.wav")
    assert first.captions[:2] == ("A slow harp piece.", "Harp.")
    assert first.captions[2] == "A slow harp piece. The bpm is 80. The key is C# minor."
    assert (first.bpm, first.key, third.bpm, third.key) == (80.0, "C# minor", None, "Bb major")
    assert second.evaluation
    listing.write_text(json.dumps(ROWS))
    assert read_musicbench(listing, Path("/audio"))[0] == first


def test_siblings_of_the_evaluation_are_not_trained_on(listing: Path) -> None:
    train, evaluation = split(read_musicbench(listing, Path("/audio")))
    assert [r.identifier for r in train] == ["2unse6chkMU"]
    assert [r.identifier for r in evaluation] == ["-0SdAVK79lg"]
    assert identifier("data_aug2/-0SdAVK79lg_1.wav") == identifier("data/-0SdAVK79lg.wav")
    assert identifier("own/song_2.wav") == identifier("song.wav")


def test_soft_labels(listing: Path, tmp_path: Path) -> None:
    labels = tmp_path / "soft.jsonl"
    labels.write_text(json.dumps({"location": "data/2unse6chkMU.wav", "instrument": {"drums": 0.9}}))
    row = read_musicbench(listing, Path("/audio"), labels)[2]
    found = soft_targets(
        row, {"instrument": ["drums", "harp"], "key": ["Bb major", "C major"], "vocals": ["vocals", "instrumental"]}
    )
    assert found["instrument"].tolist() == pytest.approx([0.9, 0])
    assert found["key"].tolist() == [1, 0]
    assert found["vocals"].tolist() == [0.5, 0.5]
    labels.write_text(json.dumps({"location": "data/2unse6chkMU.wav", "mood": {"sad": 7}}))
    with pytest.raises(ModelError, match="no probability"):
        read_musicbench(listing, Path("/audio"), labels)


def test_keys() -> None:
    assert key_name(["D#", "major"]) == "Eb major"
    assert key_name("['A', 'minor']") == "A minor"
    assert key_name("none") is None
    assert key_name(None) is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "holds no rows"), ("not json", "neither JSON lines"), ('{"main_caption": "x"}', "row 1: no location"),
        ('{"location": "a.wav"}', "row 1: neither main_caption"), ("[1, 2]", "holds no rows"),
    ],
)  # fmt: skip
def test_broken_listings_are_one_line(text: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text(text)
    with pytest.raises(ModelError, match=words) as error:
        read_musicbench(path, tmp_path)
    assert "\n" not in str(error.value)
    with pytest.raises(ModelError, match="does not exist"):
        read_musicbench(tmp_path / "nowhere.json", tmp_path)


def test_musiccaps_as_it_is_published(tmp_path: Path) -> None:
    """Names of the audio differ between those who fetched it; rows whose video is gone are left out."""
    listing = tmp_path / "musiccaps-public.csv"
    listing.write_text(
        "ytid,start_s,end_s,audioset_positive_labels,aspect_list,caption,author_id,is_balanced_subset,is_audioset_eval\n"
        '-0Gj8-vB1q4,30,40,"/m/0140xf","[\'ballad\', \'piano\']","A slow, ""sad"" piano.",4,False,True\n'
        "-0SdAVK79lg,30,40,/m/0155w,[],Guitar.,0,False,False\n"
        "-0vPFx-wRRI,30,40,/m/025_jnm,[],Gone.,6,False,True\n"
    )
    (tmp_path / "audio").mkdir()
    (tmp_path / "audio" / "[-0Gj8-vB1q4]-[30-40].wav").write_bytes(b"")
    (tmp_path / "audio" / "-0SdAVK79lg.flac").write_bytes(b"")
    rows = read_listing(listing, tmp_path / "audio")
    assert [(r.identifier, r.evaluation, r.captions) for r in rows] == [
        ("-0Gj8-vB1q4", True, ('A slow, "sad" piano.',)),
        ("-0SdAVK79lg", False, ("Guitar.",)),
    ]
    assert rows[0].location == "[-0Gj8-vB1q4]-[30-40].wav"
    labels = tmp_path / "labels.jsonl"
    labels.write_text(json.dumps({"location": "-0SdAVK79lg.flac", "genre": {"folk": 0.5}}))
    assert [r.soft for r in read_listing(listing, tmp_path / "audio", labels)] == [{}, {"genre": {"folk": 0.5}}]
    with pytest.raises(ModelError, match="no audio of"):
        read_listing(listing, tmp_path / "nowhere")
    listing.write_text("a,b\n1,2\n")
    with pytest.raises(ModelError, match="no column caption"):
        read_listing(listing, tmp_path / "audio")
