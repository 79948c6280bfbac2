import shutil
from pathlib import Path

import pytest

from lab.experiment.claim import ClaimConfig
from lab.report.dose import write_doses
from lab.results.sweep import open_sweep

nbformat = pytest.importorskip("nbformat", reason="the extra `notebooks` is not installed")
nbclient = pytest.importorskip("nbclient", reason="the extra `notebooks` is not installed")

PROJECT = Path(__file__).parents[2]
NOTEBOOKS = sorted((PROJECT / "notebooks").glob("*.ipynb"))


@pytest.fixture(scope="module")
def project(make_sweep_folder):
    """A place with `runs/`, `datasets/` and `notebooks/` like the project's root."""
    folder = make_sweep_folder(seeds=2, images=4, size=32, weights=(0.5, 1.0))
    root = folder.root.parent / "project"
    root.mkdir()
    folder.root.rename(root / "runs")
    dosed = make_sweep_folder(seeds=2, images=4, size=32, weights=(0.5, 1.0), steps=(150, 300))
    claims = {name: ClaimConfig(**settings) for name, settings in dosed.claims.items()}
    assert write_doses(open_sweep(dosed.name, dosed.root), claims) == []
    dosed.path.rename(root / "runs" / "dose")
    (root / "datasets").symlink_to(PROJECT / "datasets")
    (root / "notebooks").mkdir()
    return root


def test_there_are_five():
    assert [path.stem[:2] for path in NOTEBOOKS] == ["01", "02", "03", "04", "05"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_outputs_are_stripped(path):
    cells = nbformat.read(path, as_version=4).cells
    assert [cell for cell in cells if cell.get("outputs") or cell.get("execution_count")] == []


@pytest.mark.filterwarnings("default")  # of the kernel's own libraries
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs_from_top_to_bottom(path, project, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(PROJECT))
    notebook = nbformat.read(shutil.copy(path, project / "notebooks"), as_version=4)
    resources = {"metadata": {"path": str(project / "notebooks")}}
    nbclient.NotebookClient(notebook, timeout=120, resources=resources).execute()
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert code[-1].outputs
    shown = [item.get("data", {}) for cell in code for item in cell.outputs]
    figures = [data for data in shown if data.get("text/plain", "").startswith("<Figure")]
    assert all("image/png" in data for data in figures)
