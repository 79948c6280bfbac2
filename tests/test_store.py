import errno
import os
import subprocess
import sys

import pytest

from lab.core.errors import LabError
from lab.core.files import read_json, write_bytes, write_json, write_rows
from lab.core.lock import exclusive


def test_a_failed_write_leaves_the_old_file_and_nothing_beside_it(tmp_path, monkeypatch):
    path = tmp_path / "state"
    write_bytes(path, b"old")

    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_bytes(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_json_is_read_back_and_a_missing_file_is_none(tmp_path):
    write_json(tmp_path / "a" / "b.json", {"größe": [1, 2.5]})
    assert read_json(tmp_path / "a" / "b.json") == {"größe": [1, 2.5]}
    assert read_json(tmp_path / "none.json") is None


def test_rows_keep_floats_exactly_and_nan_is_empty(tmp_path):
    value = 0.1 + 0.2
    write_rows(tmp_path / "t.csv", [{"a": value, "b": float("nan")}], ["a", "b"])
    assert (tmp_path / "t.csv").read_text() == f"a,b\n{value!r},\n"


def test_a_second_sweep_on_the_same_folder_is_refused(tmp_path):
    code = (
        "import sys; from pathlib import Path; from lab.core.files import exclusive\n"
        "from lab.core.errors import LabError\n"
        "try:\n"
        "    with exclusive(Path(sys.argv[1])): print('in')\n"
        "except LabError as error: print(error)"
    )

    def attempt():
        command = [sys.executable, "-c", code, str(tmp_path)]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    with exclusive(tmp_path):
        assert f"in use by another sweep (process {os.getpid()})" in attempt()
    assert attempt() == "in\n"


def test_an_unwritable_folder_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(LabError, match=r"paths.runs: .* cannot be written"):
        with exclusive(tmp_path / "file" / "runs"):
            pass
