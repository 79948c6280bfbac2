import shutil
import socket
import subprocess
from contextlib import closing

import pytest

from lab.tracking import mirror_run, mirror_sweep
from lab.tracking.ui import free_port, running_ui, ui_command


def test_port_in_use_is_passed_over():
    first = free_port()
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", first))
        taken.listen()
        assert free_port() > first


def test_command_serves_this_machine_alone(tmp_path):
    command = ui_command("sqlite:////a b/mlflow.db", tmp_path, 5001)
    assert command[command.index("--host") + 1] == "127.0.0.1"
    assert command[command.index("--backend-store-uri") + 1] == "sqlite:////a b/mlflow.db"


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("chromium"), reason="needs the browser chromium")
def test_link_opens_the_arms_side_by_side(results, uri, client, tmp_path):
    for rank in (2, 8):
        results.add_run(rank)
    link = mirror_sweep(results.finish(), uri, results.runs)
    with running_ui(uri, results.runs) as (address, _):
        browser = ["chromium", "--headless=new", "--no-sandbox", "--virtual-time-budget=30000"]
        browser += ["--window-size=1800,2400", f"--user-data-dir={tmp_path / 'profile'}"]
        command = [*browser, "--dump-dom", address + link]
        for _ in range(4):  # the browser's clock runs ahead of a server on a busy machine
            page = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            if "Image grid" in page:
                break
        # The server is a store like any other, and shows the same runs.
        assert mirror_sweep(results.folder, address, results.runs) == address + link
        mirror_run(results.add_run(rank=8, seed=1), address, results.runs)
    experiment = client.get_experiment_by_name("rank_shapes")
    assert len(client.search_runs([experiment.experiment_id])) == 5
    assert "Does rank | matter?" in page
    assert "Image grid" in page
    assert "base model, no adapter" in page
    assert "final/monster" in page
    assert "share key" not in page
