import errno
import os
import subprocess
import sys

import pytest

from lab.core.errors import LabError
from lab.core.files import (
    UnreadableError,
    link_file,
    read_json,
    remove_leftovers,
    write_bytes,
    write_json,
    write_rows,
)
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


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b'{"a": 1', "is not JSON"),
        (b'{"a": "\xff"}', "is not UTF-8 (byte 7)"),
    ],
)
def test_a_broken_json_file_is_one_line_that_names_it(tmp_path, content, said):
    path = tmp_path / "state.json"
    path.write_bytes(content)
    with pytest.raises(UnreadableError) as caught:
        read_json(path)
    [line] = caught.value.mistakes
    assert line.startswith(f"{path} {said}")
    assert "\n" not in line


def test_a_folder_in_the_place_of_a_json_file_is_one_line(tmp_path):
    with pytest.raises(UnreadableError, match="cannot be read: Is a directory"):
        read_json(tmp_path)


def test_linking_a_file_to_itself_leaves_nothing_beside_it(tmp_path):
    source, target = tmp_path / "a", tmp_path / "b"
    source.write_bytes(b"weights")
    link_file(source, target)
    link_file(source, target)
    assert sorted(tmp_path.iterdir()) == [source, target]
    assert target.read_bytes() == b"weights"


def run_python(code, *words):
    command = [sys.executable, "-c", code, *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


WRITER = (
    "import sys; from pathlib import Path; from lab.core.files import write_bytes\n"
    "for _ in range(200): write_bytes(Path(sys.argv[1]), sys.argv[2].encode() * 50_000)\n"
)


def test_two_writers_of_one_file_leave_one_of_their_contents_whole(tmp_path):
    path = tmp_path / "shared"
    write_bytes(path, b"a" * 50_000)
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(path), letter]) for letter in "ab"
    ]
    while any(writer.poll() is None for writer in writers):
        content = path.read_bytes()
        assert content in (b"a" * 50_000, b"b" * 50_000)
    assert [writer.returncode for writer in writers] == [0, 0]
    assert list(tmp_path.iterdir()) == [path]


KILLED_WHILE_WRITING = (
    "import os, signal, sys; from pathlib import Path; from lab.core.files import write_bytes\n"
    "os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)\n"
    "write_bytes(Path(sys.argv[1]), b'half')"
)


def test_what_a_killed_process_left_is_removed_when_the_folder_is_locked(tmp_path):
    assert run_python(KILLED_WHILE_WRITING, tmp_path / "run" / "images.csv").returncode == -9
    [left] = tmp_path.rglob("*.tmp")
    own = tmp_path / f".mine.{os.getpid()}.tmp"
    own.write_text("of a living process")
    foreign = tmp_path / ".notes.tmp"
    foreign.write_text("not of the lab")
    with exclusive(tmp_path):
        assert not left.exists()
        assert own.exists()
        assert foreign.exists()


def test_what_was_left_where_no_sweep_is_alone_is_removed_when_it_is_old(tmp_path):
    assert run_python(KILLED_WHILE_WRITING, tmp_path / "w0" / "0000.png").returncode == -9
    [left] = tmp_path.rglob("*.tmp")
    assert remove_leftovers(tmp_path, older_than_s=3600) == []
    os.utime(left, (0, 0))
    assert remove_leftovers(tmp_path, older_than_s=3600) == [left]
    assert not left.exists()


ENTER = (
    "import sys; from pathlib import Path; from lab.core.lock import exclusive\n"
    "from lab.core.errors import LabError\n"
    "try:\n"
    "    with exclusive(Path(sys.argv[1])): print('in')\n"
    "except LabError as error: print(error)"
)


def test_a_second_sweep_on_the_same_folder_is_refused(tmp_path):
    with exclusive(tmp_path):
        refused = run_python(ENTER, tmp_path).stdout
        assert f"in use by another sweep (process {os.getpid()} on " in refused
        assert refused.count("\n") == 1
    assert run_python(ENTER, tmp_path).stdout == "in\n"


def test_the_lock_of_a_killed_sweep_is_free(tmp_path):
    code = ENTER.replace("print('in')", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    assert run_python(code, tmp_path).returncode == -9
    assert (tmp_path / ".lock").is_file()
    assert run_python(ENTER, tmp_path).stdout == "in\n"


def test_an_owner_that_is_dead_is_not_named(tmp_path):
    with exclusive(tmp_path):
        dead = run_python("import os; print(os.getpid())").stdout.strip()
        owner = read_json(tmp_path / ".owner.json")
        write_json(tmp_path / ".owner.json", owner | {"process": int(dead)})
        assert "another sweep that has just begun" in run_python(ENTER, tmp_path).stdout
        (tmp_path / ".owner.json").write_text("")
        assert "another sweep that has just begun" in run_python(ENTER, tmp_path).stdout


def test_an_unwritable_folder_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    rule = r"paths.runs: .* cannot be written"
    with pytest.raises(LabError, match=rule), exclusive(tmp_path / "file" / "runs"):
        pass
