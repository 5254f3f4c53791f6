"""Tables, players, methods and the page, from constructed results: every expected text was written by hand."""

import re
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from analysis.config import AnalysisConfig, Hypothesis
from analysis.page.page import Section, Table
from analysis.page.style import Drawn
from analysis.report.write import as_html, methods, players, write_csv, write_report
from tests.analysis.report.study import CONDITIONS, answers, inputs


def cells(html: str) -> list[list[str]]:
    """A table's rows, the head first."""
    return [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in re.findall(r"<tr>(.*?)</tr>", html)]


def test_a_table_as_a_reader_sees_it() -> None:
    rows = [
        {"taste": "sweet & sour", "n": 1200, "p": 0.0004, "p_adjusted": None, "ci_low": -0.25, "note": "", "apa": "x", "reference": "y"},
        {"taste": "<bitter>", "n": 7, "p": 0.5, "p_adjusted": None, "ci_low": None, "note": "", "apa": "x", "reference": "y"},
    ]  # fmt: skip
    html = as_html(Table("t", "T", rows))
    assert cells(html) == [
        ["taste", "n", "p", "95 % low"],
        ["sweet &amp; sour", "1,200", "&lt; .001", "-0.25"],
        ["&lt;bitter&gt;", "7", ".500", "–"],
    ]
    assert html.count("<thead>") == html.count("<tbody>") == 1
    # Numbers stand on the right, words on the left.
    assert re.findall(r"<th( class=n)?>", html) == ["", " class=n", " class=n", " class=n"]
    assert re.findall(r'<td( class="n")?>', html) == ["", *[' class="n"'] * 3] * 2


def test_columns_that_were_asked_for_in_their_order() -> None:
    rows = [{"a": 1, "b": 2.5, "c": "x", "apa": "s"}, {"a": 2, "c": "y", "d": 0.25}]
    assert cells(as_html(Table("t", "T", rows, columns=["c", "b", "a", "d", "missing"]))) == [
        ["c", "b", "a", "d"],
        ["x", "2.50", "1", "–"],
        ["y", "–", "2", "0.25"],
    ]
    assert as_html(Table("t", "T", [])) == ""


def test_yes_and_no_are_words_of_a_column() -> None:
    html = as_html(Table("t", "T", [{"converged": True, "holds": True}, {"converged": False, "holds": True}]))
    assert cells(html)[1:] == [["yes", "yes"], ["no", "yes"]]


@pytest.mark.parametrize(
    ("column", "head"),
    [
        ("p_adjusted", "p adjusted"), ("ci_low", "95 % low"), ("ci_high", "95 % high"), ("sum_sq", "SS"), ("mean_sq", "MS"),
        ("n_participants", "people"), ("effect", "rank-biserial"), ("partial_eta_sq", "partial η²"), ("bf10", "BF₁₀"),
        ("cohen_d", "Cohen&#x27;s d"), ("n_reference", "n reference"), ("n_frames", "frames"), ("icc_21", "ICC(2,1)"),
        ("icc_2k", "ICC(2,k)"), ("r_squared", "R²"), ("chi_square", "χ²"), ("cfi", "CFI"), ("cfi_fall", "fall of CFI"),
        ("rmsea", "RMSEA"), ("p_permutation", "p (permutation)"), ("p_bonferroni", "p (Bonferroni)"), ("log_odds", "log odds"),
        ("omega_h", "ω hierarchical"), ("omega_total", "ω total"), ("sd_participant", "sd people"), ("sd_clip", "sd clips"),
        ("sd_residual", "sd residual"), ("rank_low", "r low"), ("rank_high", "r high"), ("delta_low", "δ low"),
        ("delta_high", "δ high"), ("cliffs_delta", "Cliff&#x27;s δ"), ("rank_biserial", "rank-biserial r"), ("n_clips", "clips"),
        ("n_raters", "raters"), ("share_other_tastes", "share other tastes"),
    ],
)  # fmt: skip
def test_every_column_has_its_own_words(column: str, head: str) -> None:
    assert cells(as_html(Table("t", "T", [{column: 1.5}])))[0] == [head]


def test_players_stand_under_their_own_title_and_caption() -> None:
    html = players(
        [
            {"title": "sweet 1, base", "caption": "A <slow> piano", "src": "stimuli/a.wav"},
            {"title": "sour & 2", "caption": None, "src": "stimuli/b&c.wav"},
        ]
    )
    assert html == (
        '<div class="clips">'
        '<figure class="clip"><figcaption><b>sweet 1, base</b><span>A &lt;slow&gt; piano</span></figcaption>'
        '<audio controls preload="metadata" src="stimuli/a.wav"></audio></figure>'
        '<figure class="clip"><figcaption><b>sour &amp; 2</b><span></span></figcaption>'
        '<audio controls preload="metadata" src="stimuli/b&amp;c.wav"></audio></figure>'
        "</div>"
    )


def test_csv_has_all_columns_at_full_precision(tmp_path: Path) -> None:
    path = tmp_path / "tables" / "t.csv"
    write_csv([{"a": 1 / 3, "b": None}, {"a": 2, "c": "x, y"}], path)
    found = pd.read_csv(path)
    assert list(found.columns) == ["a", "b", "c"]
    assert found["a"][0] == 1 / 3
    assert found["c"][1] == "x, y"
    assert "index" not in path.read_text()
    assert [p.name for p in path.parent.iterdir()] == ["t.csv"]


def figure(folder: Path, name: str) -> Drawn:
    svg = folder / "figures" / f"{name}.svg"
    svg.parent.mkdir(exist_ok=True)
    svg.write_text('<?xml version="1.0"?><svg><g id="a"/><use xlink:href="#a" clip-path="url(#a)"/></svg>')
    return Drawn(name, f"Figure {name}", f"Caption of {name}", svg)


@pytest.fixture
def page(tmp_path: Path) -> str:
    sections = [
        Section(
            "one", "The first", ["Some <text>."], [figure(tmp_path, "f1"), figure(tmp_path, "f2")],
            [
                Table("short", "Short one", [{"x": 1.5}], "A note"), Table("nothing", "Nothing there", []),
                Table("long", "Long one", [{"x": k} for k in range(15)]),
                Table("just", "Just not long", [{"x": k} for k in range(14)]),
                Table("wide", "Wide one", [{f"c{k}": k for k in range(11)}]),
                Table("narrow", "Just not wide", [{f"c{k}": k for k in range(10)}]),
            ],
            how="tastelab analysis one",
        ),
        Section("two", "The second", html="<b>players</b>"),
    ]  # fmt: skip
    path = write_report(
        tmp_path / "report.html", "Title", "SIMULATED", [("It is so.", "two"), ("And so.", "one")], sections, ["By <method>."],
        {"data_sha256": "0123456789abcdef", "x": "é"},
    )  # fmt: skip
    return path.read_text(encoding="utf-8")


def test_page_has_what_it_was_given_where_it_belongs(page: str, tmp_path: Path) -> None:
    one, two = (
        page[page.index('<section id="one">') : page.index('<section id="two">')],
        page[page.index('<section id="two">') :],
    )
    assert "<p>Some &lt;text&gt;.</p>" in one
    assert '<code>tastelab analysis one</code> from data <a href="#manifest">0123456789ab</a>' in one
    assert "Made by" not in two
    assert "<b>players</b>" in two
    assert "<b>players</b>" not in one
    assert "By &lt;method&gt;." in two
    assert '<li>It is so. <a href="#two"' in page
    assert '<li>And so. <a href="#one"' in page
    assert "Nothing there" not in page
    assert '"é"' in page or "&#34;é&#34;" in page
    # Each figure under its title, over its caption.
    assert re.findall(r'id="figure-(\w+)"><h3>([^<]+)</h3>.*?<figcaption>(.*?) <a', one) == [
        ("f1", "Figure f1", "Caption of f1"),
        ("f2", "Figure f2", "Caption of f2"),
    ]
    assert re.findall(r'<h3 id="table-(\w+)">([^<]+)</h3>', one) == [
        ("short", "Short one"), ("long", "Long one"), ("just", "Just not long"), ("wide", "Wide one"), ("narrow", "Just not wide"),
    ]  # fmt: skip
    assert sorted(p.name for p in (tmp_path / "tables").iterdir()) == [
        "just.csv", "long.csv", "narrow.csv", "short.csv", "wide.csv",
    ]  # fmt: skip


def test_long_tables_are_folded_away_and_wide_ones_set_small(page: str) -> None:
    after = dict(
        zip(re.findall(r'<h3 id="table-(\w+)">', page), re.split(r'<h3 id="table-\w+">', page)[1:], strict=True)
    )
    folded = {name for name, text in after.items() if "<details><summary>Show" in text}
    small = {name for name, text in after.items() if 'class="scroll wide"' in text}
    assert folded == {"long"}
    assert small == {"wide"}


def test_ids_of_two_figures_do_not_meet(page: str) -> None:
    """Else the second figure would draw the first one's parts."""
    for name in ("f1", "f2"):
        assert f'<svg><g id="{name}-a"/><use xlink:href="#{name}-a" clip-path="url(#{name}-a)"/></svg>' in page
    assert "<?xml" not in page


@pytest.mark.parametrize(
    ("label", "marked"), [("SIMULATED", True), ("DRIVEN TEST SESSION", True), ("people", False), ("imported", False)]
)
def test_answers_that_people_did_not_give_are_marked(tmp_path: Path, label: str, marked: bool) -> None:
    path = write_report(tmp_path / "report.html", "T", label, [], [], [], {"data_sha256": "0"})
    assert ("were not given by people" in path.read_text()) is marked
    assert (f'<span class="badge">{label}</span>' in path.read_text()) is marked


def test_methods_say_what_was_done_with_what(tmp_path: Path) -> None:
    config = AnalysisConfig(
        resamples=150, alpha=0.01, seed=7, correction="holm",
        hypotheses=[Hypothesis(taste="sweet"), Hypothesis(taste="bitter", alternative="less")],
    )  # fmt: skip
    given = replace(
        inputs(tmp_path), config=config, embedders=["codec", "yamnet"], excluded={"spread": [1, 2], "seconds": [3]}
    )
    ran = [Section(name, "") for name in ("preference", "ratings", "seed-paper")]
    text = " ".join(methods(given, {"numpy": "1", "scipy": "2"}, ran))
    assert text.startswith(
        "16 preferences were given by 4 participants. Their scores (over 5: the fine-tuned model fits better)"
    )
    assert "Directions declared before the data: sweet (greater), bitter (less)." in text
    assert "150 resamples each" in text
    assert "intervals are two-sided, 95 %, also beside one-sided tests" in text
    assert "8 ratings of 4 clips on 3 adjectives were analysed with the same mixed models" in text
    alone = " ".join(methods(given, {}, [Section("ratings", "")]))
    assert alone.startswith("8 ratings of 4 clips on 3 adjectives were analysed with linear mixed models")
    known = replace(given.data.conditions, wrong={"finetuned": None})
    some = given.data.ratings.assign(model="base")
    some.loc[some["participant"] == 1, "model"] = "finetuned"
    left = replace(given, data=replace(given.data, conditions=known, ratings=some))
    said = " ".join(methods(left, {}, [Section("ratings", "")]))
    # One of four people rated wrong prompts alone, both clips: 6 of 8 are analysed.
    assert said.startswith(
        "6 ratings of 4 clips on 3 adjectives were analysed with linear mixed models. 2 ratings of music of wrong prompts were left out of these."
    )
    assert "wrong prompts" not in alone
    assert "oblimin" not in text  # no factor analysis was made
    assert "The sound of 8 clips" in text
    assert "2 embedding spaces (codec, yamnet)" in text
    assert "3 participants were left out by declared rules" in text
    assert "α = 0.01; seed 7; data 000000000000; tastelab 0 with numpy 1, scipy 2." in text
    bare = replace(
        given,
        clips=[],
        data=replace(answers(), ratings=answers().ratings.iloc[:0], preference=answers().preference.iloc[:0]),
    )
    short = " ".join(methods(bare, {}, []))
    assert "Ratings of" not in short
    assert "The sound of" not in short
    assert "Directions declared" not in short
    assert "3 participants were left out" in short
    assert "before the data: none." in " ".join(methods(replace(given, config=AnalysisConfig()), {}, ran))


def test_methods_are_those_of_the_sections_that_are_there(tmp_path: Path) -> None:
    given = inputs(tmp_path)
    bare = " ".join(methods(given, {}, []))
    for word in ("mixed models", "Wilcoxon", "oblimin", "Ratings", "analysis of variance"):
        assert word not in bare
    loadings = Section("factors", "", tables=[Table("factors_loadings", "", [{"item": "a", "F1": 0.5}])])
    assert "oblimin" in " ".join(methods(given, {}, [loadings]))
    assert "oblimin" not in " ".join(methods(given, {}, [Section("factors", "", ["Not run: too few."])]))


def test_methods_say_by_whose_rule_so_many_factors_were_taken_and_what_was_resampled(tmp_path: Path) -> None:
    loadings, low = (
        Table("factors_loadings", "", [{"F1": 0.5}]),
        Table("factors_loading_intervals", "", [{"ci_low": 0.4}]),
    )
    given = inputs(tmp_path)
    whole = " ".join(methods(given, {}, [Section("factors", "", tables=[loadings, low])]))
    assert "their number taken from parallel analysis (95 % quantile); intervals of loadings are bootstrap" in whole
    asked = replace(given, config=AnalysisConfig(factors=2))
    text = " ".join(methods(asked, {}, [Section("factors", "", tables=[loadings])]))
    assert "oblimin rotation (gamma 0), their number as the study file asks." in text
    assert "parallel" not in text
    assert "bootstrap over participants" not in text


def test_methods_name_ordinal_models_where_they_were_fitted(tmp_path: Path) -> None:
    """A study in which no word is a taste's own has none."""
    fitted = Section("ratings", "", tables=[Table("own_word_ordinal", "", [{"p": 0.1}])])
    said = "were analysed with linear mixed models and with cumulative link mixed models."
    assert said in " ".join(methods(inputs(tmp_path), {}, [fitted]))
    assert "linear mixed models." in " ".join(methods(inputs(tmp_path), {}, [Section("ratings", "")]))


def test_methods_say_for_whom_a_score_over_the_middle_speaks(tmp_path: Path) -> None:
    data, ran = answers(), [Section("preference", "")]
    film = replace(CONDITIONS, labels={"finetuned": "film"}, tracks=("finetuned",))
    assert "(over 5: the film tracks fit better)" in " ".join(
        methods(inputs(tmp_path, data=replace(data, conditions=film)), {}, ran)
    )
    frame = data.preference.assign(under=["base", "other"] * 8)
    several = " ".join(methods(inputs(tmp_path, data=replace(data, preference=frame)), {}, ran))
    assert "(over 5: the first condition of a pair fits better)" in several


def test_intervals_are_headed_by_how_sure_they_are(tmp_path: Path) -> None:
    """Those of equivalence tests are of 1 - 2 alpha (Schuirmann 1987)."""
    tost = [{"taste": "sweet", "bound": 1.0, "interval_level": 0.9, "ci_low": 0.1, "ci_high": 0.9}]
    assert cells(as_html(Table("t", "T", tost, columns=["ci_low", "ci_high"])))[0] == ["90 % low", "90 % high"]
    mixed = [*tost, {"taste": "sweet", "interval_level": 0.95, "ci_low": 0.0, "ci_high": 1.0}]
    assert cells(as_html(Table("t", "T", mixed)))[0] == [
        "taste", "bound", "interval&#x27;s level", "interval low", "interval high"
    ]  # fmt: skip
    near = Section("preference", "", tables=[Table("preference_equivalence", "", tost)])
    given = replace(inputs(tmp_path), config=AnalysisConfig(alpha=0.01))
    assert "also beside one-sided tests (98 % beside equivalence tests);" in " ".join(methods(given, {}, [near]))


def test_names_of_the_code_are_not_printed() -> None:
    """Answers' and terms' names are words; a clip's name stays as it is."""
    rows = [
        {"term": "hearing_experience", "test": "lmm", "clip": "no_5_b"},
        {"term": "prompt:adjective", "test": "clmm", "clip": "a"},
    ]
    assert cells(as_html(Table("t", "T", rows)))[1:] == [
        ["hearing experience", "mixed model", "no_5_b"], ["prompt × adjective", "ordinal mixed model", "a"],
    ]  # fmt: skip


def test_tables_of_sections_that_are_gone_do_not_stay(tmp_path: Path) -> None:
    one, two = (
        Section("a", "", tables=[Table("one", "", [{"x": 1}])]),
        Section("b", "", tables=[Table("two", "", [{"x": 1}])]),
    )
    write_report(tmp_path / "report.html", "T", "people", [], [one, two], [], {"data_sha256": "0"})
    write_report(tmp_path / "report.html", "T", "people", [], [two], [], {"data_sha256": "0"})
    assert [p.name for p in (tmp_path / "tables").iterdir()] == ["two.csv"]


def test_the_seed_papers_tests_are_named_where_its_chapter_is(tmp_path: Path) -> None:
    given = inputs(tmp_path)
    said = "As in the seed paper, one-sample Wilcoxon signed-rank tests, a type-I analysis of variance and Tukey-Kramer"
    ran = Section("seed-paper", "", tables=[Table("preference_tests", "", [{"p": 1.0}])])
    assert said in " ".join(methods(given, {}, [ran]))
    assert said not in " ".join(methods(given, {}, []))
