"""The verdicts of finished experiments, written between the markers of a file."""

import pandas as pd
import pytest

from lab.core.errors import LabError
from lab.core.project import PROJECT
from lab.report.results import BEGIN, END, agreement, results_text, write_results

FRAME = f"# Mine\n\nabove\n\n{BEGIN}\nold\n{END}\n\nbelow\n"


@pytest.fixture
def finished(make_sweep_folder):
    """A judged sweep on disk."""
    return make_sweep_folder().path


@pytest.mark.parametrize(
    ("article", "verdict", "said"),
    [
        ("learned", "LEARNED", "yes"),
        ("not learned, hardly", "NOT LEARNED", "yes"),
        ("not learned", "NOT EXPRESSIBLE", "no"),
        ("not learned", "LEARNED", "no"),
        ("learned", "PARTLY", "in part"),
        ("learned", "INCONCLUSIVE", "open"),
        ("generalised", "NO VERDICT", "open"),
        ("", "LEARNED", ""),
    ],
)
def test_agreement_compares_words_and_leaves_open_claims_open(article, verdict, said):
    assert agreement(article, verdict) == said


def test_a_section_says_what_was_asked_done_and_found(finished):
    text = results_text(finished)
    assert text.startswith("### base_monster_colored\n")
    assert "`make sweep EXP=base_monster_colored`" in text
    assert "wall time 10 min; the runs took 6 min one after the other" in text
    assert "python 3.12.1, torch 2.9.0" in text
    assert "x86_64" not in text
    assert "2 arms x 3 training seeds x 4 generation seeds; 6 of 6 runs done" in text
    table = [line for line in text.splitlines() if line.startswith("|")]
    assert len({line.count("|") for line in table}) == 1
    assert len(table) == 2 + len((finished / "verdicts.csv").read_text().splitlines()) - 1


def test_a_disagreement_is_said_in_words(finished):
    table = finished / "verdicts.csv"
    verdicts = pd.read_csv(table, keep_default_na=False)
    own = verdicts["article"] == "not learned"
    assert own.any()
    verdicts[own].assign(verdict="NOT LEARNED").to_csv(table, index=False)
    assert "disagrees" not in results_text(finished)
    verdicts["verdict"] = verdicts["verdict"].where(~own, "LEARNED")
    verdicts.to_csv(table, index=False)
    assert "the article read *not learned*, here it is **LEARNED**" in results_text(finished)


def test_only_what_lies_between_the_markers_is_written(finished, tmp_path):
    readme = tmp_path / "README.md"
    readme.write_text(FRAME)
    assert write_results(readme, finished.parent) == ["base_monster_colored"]
    text = readme.read_text()
    assert text.startswith(f"# Mine\n\nabove\n\n{BEGIN}\n\n### base_monster_colored")
    assert text.endswith(f"{END}\n\nbelow\n")
    assert "old" not in text
    write_results(readme, finished.parent)
    assert readme.read_text() == text


def test_what_cannot_be_written_is_said_in_one_line(finished, tmp_path):
    readme = tmp_path / "README.md"
    readme.write_text("# Mine\n")
    with pytest.raises(LabError, match="must hold the line"):
        write_results(readme, finished.parent)
    readme.write_text(FRAME)
    with pytest.raises(LabError, match="no experiment with verdicts"):
        write_results(readme, tmp_path / "nothing")
    assert readme.read_text() == FRAME


def test_the_shipped_file_has_the_markers_and_names_every_experiment_of_the_article():
    text = (PROJECT / "experiments" / "README.md").read_text()
    assert text.index(BEGIN) < text.index(END)
    for name in ("basic_shape_grey", "base_shape", "base_monster", "base_blur", "base_grid"):
        assert f"make sweep EXP={name}" in text
