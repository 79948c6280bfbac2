import base64
import io
import json
import re
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from lab.report.page import pictures, write_page
from lab.results.sweep import open_sweep


def content(page, part="content"):
    text = page.read_text(encoding="utf-8")
    return json.loads(re.search(rf'id="{part}">(.*?)</script>', text, re.DOTALL)[1])


@pytest.fixture(scope="module")
def page(sweep_folder):
    sweep = open_sweep(sweep_folder.name, sweep_folder.root)
    return write_page(sweep, sweep_folder.path / "report" / "index.html")


def test_page_holds_every_picture_once(page, sweep_folder):
    images = content(page)["images"]
    assert len(images) == len(open_sweep(sweep_folder.name, sweep_folder.root).images) - 6
    sources = content(page, "sources")
    assert all(source.startswith("data:image/webp;base64,") for source in sources)
    assert {image["picture"] for image in images} <= set(range(len(sources)))


def test_page_names_no_address_outside_itself(page):
    text = page.read_text(encoding="utf-8")
    without_data = re.sub(
        r'<script type="application/json".*?</script>', "", text, flags=re.DOTALL
    )
    addresses = set(re.findall(r"https?://[^\"' ]+", without_data))
    assert addresses <= {"http://www.w3.org/2000/svg"}
    assert not re.search(r'(?:src|href)="(?!#)[^"]', without_data)


def test_page_holds_verdicts_with_every_training_seed(page):
    verdicts = content(page)["verdicts"]
    learned = next(row for row in verdicts if row["claim"] == "colour_bound")
    assert learned["verdict"] == "LEARNED"
    assert len(learned["seeds"]) == 3
    assert sum(learned["seeds"]) / 3 == pytest.approx(learned["learning_index"], rel=1e-4)


def test_a_pilot_is_called_one_with_the_reasons(make_sweep_folder, page):
    assert content(page)["pilot"] == ""
    pilot = make_sweep_folder(seeds=2, images=2, steps=(30, 60), claims=False)
    path = write_page(open_sweep(pilot.name, pilot.root), pilot.path / "index.html")
    assert content(path)["pilot"] == (
        "a pilot: 2 training seeds where a result needs 3 and 60 training steps where a result "
        "needs 100"
    )


def test_failed_run_is_there_with_its_reason(page):
    failed = [run for run in content(page)["runs"] if run["status"] == "FAILED"]
    assert [run["reason"] for run in failed] == ["the loss became NaN at step 42"]


def test_words_from_outside_cannot_end_the_script(make_sweep_folder):
    folder = make_sweep_folder(seeds=1, images=1, claims=False)
    evil = "</script><script>alert(1)</script>\u2028&amp;"
    table = folder.path / "training.csv"
    table.write_text(table.read_text().replace("red monster", f'"{evil}"'), encoding="utf-8")
    page = write_page(open_sweep(folder.name, folder.root), folder.path / "report" / "index.html")
    assert "alert(1)</script>" not in page.read_text(encoding="utf-8")
    captions = [item["caption"] for arm in content(page)["arms"] for item in arm["training"]]
    assert evil in captions


def test_pictures_of_a_very_large_sweep_lie_beside_the_page(make_sweep_folder, monkeypatch):
    folder = make_sweep_folder(seeds=1, images=1, claims=False)
    sweep, path = open_sweep(folder.name, folder.root), folder.path / "report" / "index.html"
    with monkeypatch.context() as patch:
        patch.setattr(pictures, "_INSIDE_LIMIT_BYTES", 1000)
        sources = content(write_page(sweep, path), "sources")
        assert all((path.parent / source).is_file() for source in sources)
    write_page(sweep, path)
    assert not (path.parent / "pictures").exists()


def test_many_large_pictures_are_reduced_before_they_leave_the_page(tmp_path, monkeypatch):
    noise = np.random.default_rng(0).integers(0, 256, (400, 400, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "large.png")
    collected = pictures.Pictures()
    collected.number(str(tmp_path / "large.png"))
    full = collected.sources(tmp_path / "index.html")[0]
    monkeypatch.setattr(pictures, "_INSIDE_LIMIT_BYTES", len(full) - 1000)
    reduced = collected.sources(tmp_path / "index.html")[0]
    data = base64.b64decode(reduced.removeprefix("data:image/webp;base64,"))
    assert Image.open(io.BytesIO(data)).size == (320, 320)


def test_two_thousand_pictures_stay_below_50_megabytes(page):
    num_pictures = len(content(page, "sources"))
    assert page.stat().st_size / num_pictures * 2000 < 50e6


def test_base_value_follows_the_arm_whose_training_set_it_is_compared_with(make_sweep_folder):
    folder = make_sweep_folder(seeds=1, images=1, claims=False)
    table = folder.path / "base.csv"
    lines = table.read_text().splitlines()
    position = lines[0].split(",").index("border_lightness")
    for number, line in enumerate(lines):
        cells = line.split(",")
        if cells[0] == "d1":
            cells[position] = "7.5"
            lines[number] = ",".join(cells)
    table.write_text("\n".join(lines))
    page = write_page(open_sweep(folder.name, folder.root), folder.path / "report" / "index.html")
    base = next(image for image in content(page)["images"] if image["role"] == "base")
    probe = [item["name"] for item in content(page)["probes"]].index("border_lightness")
    assert base["own"]["1"][probe] == 7.5
    assert "0" not in base["own"]


def test_the_same_results_are_the_same_page_whenever_and_however_fast(make_sweep_folder):
    folder = make_sweep_folder(seeds=1, images=1)
    path = folder.path / "report" / "index.html"
    first = write_page(open_sweep(folder.name, folder.root), path).read_bytes()
    times = {"started": "2027-05-06T07:08:09+00:00", "finished": "2027-05-06T08:00:00+00:00"}
    replace(folder.folder.record, **times, stage_seconds={"train": 1.5}).write(folder.path)
    for output in folder.folder.outputs:
        output.finish(replace(output.done, train_seconds=99.5, sample_seconds=0.1))
    assert write_page(open_sweep(folder.name, folder.root), path).read_bytes() == first
