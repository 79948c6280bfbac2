"""What importing the lab loads in a fresh process, and what must not lie where."""

import subprocess
import sys

from lab.core.project import PROJECT


def test_no_python_lies_in_datasets():
    assert list((PROJECT / "datasets").rglob("*.py")) == []


def test_planning_and_reading_results_import_no_torch():
    code = (
        "import sys, lab.run.spec, lab.results.sweep, lab.judge, lab.dataset, lab.probe;"
        "import lab.cli.compose;"
        "heavy = {'torch', 'mlflow', 'diffusers', 'transformers'} & set(sys.modules);"
        "sys.exit(', '.join(heavy) or None)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    assert done.returncode == 0


def test_the_folder_datasets_does_not_pose_as_the_library():
    code = (
        "import lab, transformers; from transformers.utils import is_datasets_available;"
        "import sys; sys.exit(is_datasets_available() and 'datasets' not in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
