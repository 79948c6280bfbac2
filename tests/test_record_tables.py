"""Tables of run and sweep folders come back as what was written."""

import pandas as pd

from lab.record.tables import VERDICTS


def test_a_column_of_words_without_any_is_read_as_empty_words(tmp_path):
    row = {"claim": "1", "arm": "NA", "verdict": "LEARNED", "effect": float("nan")}
    row |= dict.fromkeys(("statement", "article", "reason", "unit", "decided_by"), "")
    VERDICTS.write_frame(tmp_path, pd.DataFrame([row]))
    [read] = VERDICTS.read(tmp_path).to_dict("records")
    assert pd.isna(read.pop("effect"))
    assert read == {name: row[name] for name in read}
