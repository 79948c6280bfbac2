"""The house rules: which room may import what, and what must not lie where."""

import ast
import subprocess
import sys

from lab.core.project import PROJECT

# Who alone may import a library, as path prefixes below the project.
EDGES = {
    "hydra": ("lab/cli/", "hydra_plugins/"),
    "omegaconf": ("lab/cli/", "hydra_plugins/"),
    "mlflow": ("lab/tracking",),
}


def imported(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name.split(".")[0] for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module.split(".")[0]


def sources():
    return sorted([*(PROJECT / "lab").rglob("*.py"), *(PROJECT / "hydra_plugins").rglob("*.py")])


def test_libraries_of_the_edge_stay_at_the_edge():
    strays = [
        f"{path.relative_to(PROJECT)} imports {library}"
        for path in sources()
        for library, allowed in EDGES.items()
        if library in imported(path) and not str(path.relative_to(PROJECT)).startswith(allowed)
    ]
    assert strays == []


def test_no_python_lies_in_datasets():
    assert list((PROJECT / "datasets").rglob("*.py")) == []


def test_nothing_reads_pickle():
    found = [path for path in sources() if {"pickle", "dill", "joblib"} & set(imported(path))]
    assert found == []


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
