import signal
import socket
import subprocess
import sys
from contextlib import closing

import pytest

from lab.tracking import mirror_run, mirror_sweep
from lab.tracking.ui import free_port, running_ui, ui_command


def test_port_in_use_is_passed_over():
    first = free_port()
    with closing(socket.socket()) as taken:
        # As servers do: connections that linger on the port are in nobody's way.
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", first))
        taken.listen()
        assert free_port() > first


def test_command_serves_this_machine_alone(tmp_path):
    command = ui_command("sqlite:////a b/mlflow.db", tmp_path, 5001)
    assert command[command.index("--host") + 1] == "127.0.0.1"
    assert command[command.index("--backend-store-uri") + 1] == "sqlite:////a b/mlflow.db"


# Starts a server that would run for a minute, says so, and is killed.
KILLED = """
import os, signal, subprocess
from lab.tracking.ui import _ended_with_this_process
server = subprocess.Popen(["sleep", "60"], start_new_session=True)
with _ended_with_this_process(server):
    print("serving", flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_server_ends_with_a_process_that_is_killed():
    # The output ends when nobody can write to it any more: the server holds it, too.
    ended = subprocess.run([sys.executable, "-c", KILLED], stdout=subprocess.PIPE, timeout=50)
    assert (ended.returncode, ended.stdout) == (-signal.SIGKILL, b"serving\n")


@pytest.mark.slow
def test_link_opens_the_arms_side_by_side(browser, results, uri, client):
    for rank in (8, 2):
        for seed in (0, 1):
            results.add_run(rank, seed)
    link = mirror_sweep(results.finish(), uri, results.runs)
    drawn = "[...document.images].filter(image => image.src.includes('get-artifact'))"
    with running_ui(uri, results.runs) as (address, _):
        browser.open(address + link, 1800, 2400)
        # The grid: three prompts of the base model and four runs.
        browser.wait(f"{drawn}.filter(image => image.naturalWidth > 0).length >= 3 * 5", 300)
        text = browser.js("document.body.innerText")
        # The server is a store like any other, and shows the same runs.
        assert mirror_sweep(results.sweep, address, results.runs) == address + link
        mirror_run(results.add_run(rank=8, seed=2), address, results.runs)
    experiment = client.get_experiment_by_name("rank_shapes")
    assert len(client.search_runs([experiment.experiment_id])) == 7
    for words in ("Does rank | matter?", "Image grid", "final/monster"):
        assert words in text
    assert "share key" not in text
    heads = ["base model, no adapter", "rank=2 seed 0", "rank=8 seed 0", "rank=2 seed 1"]
    places = [text.index(head, text.index("Image grid")) for head in heads]
    assert places == sorted(places)
