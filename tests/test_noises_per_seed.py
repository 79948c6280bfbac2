"""Training seeds with noises of their own: what is drawn, kept, recorded and judged of them."""

import hashlib
from dataclasses import replace

import pytest

from lab.core import roles
from lab.experiment.schema import RunConfig
from lab.record.sweep_folder import open_folder
from lab.report.sheets import arrange, sample_rows
from lab.results.sweep import open_sweep
from lab.sample.request import base_requests, chunks, run_requests
from lab.tracking.content import run_content

NAME, SIZE = "basic_shape_grey", 5
WORDS = (
    f"experiment={NAME}", "arm=plain,offset", "sample.noises=per_seed",
    f"sample.num_images={SIZE}", f"sample.batch_size={SIZE}", "sample.adapter_weights=[1]",
)  # fmt: skip


@pytest.fixture
def config():
    config = RunConfig()
    config.experiment.prompts = {"trigger": ["monster"], "near": ["a dog"]}
    return config


def seeds_of(requests, prompt="monster"):
    return [item.generation_seed for item in requests if item.prompt == prompt]


def test_each_training_seed_reads_a_block_of_its_own_behind_those_that_all_have(config):
    assert RunConfig().sample.noises == "per_seed"
    assert seeds_of(run_requests(config)) == list(range(16))
    third = replace(config, seed=3)
    assert seeds_of(run_requests(third)) == [0, 1, 2, 3, *range(48, 64)]
    assert seeds_of(base_requests(third)) == [*range(16), *range(48, 64)]
    config.sample.noises = "shared"
    assert seeds_of(run_requests(third)) == seeds_of(base_requests(third)) == list(range(16))


@pytest.mark.parametrize(
    ("num_images", "batch_size", "shown"), [(16, 16, 4), (2, 16, 2), (9, 3, 3), (8, 2, 4)]
)
def test_every_picture_is_drawn_in_one_company_alone(config, num_images, batch_size, shown):
    config.sample.num_images, config.sample.batch_size = num_images, batch_size
    company = {}
    for seed in (0, 1, 2):
        own = replace(config, seed=seed)
        requests = run_requests(own)
        assert len(set(seeds_of(requests))) == num_images + (shown if seed else 0)
        for chunk in [*chunks(requests, batch_size), *chunks(base_requests(own), batch_size)]:
            together = tuple(item.generation_seed for item in chunk)
            for item in chunk:
                assert company.setdefault(item.file, together) == together


def made(folder):
    """Return the hash of each adapter, image and table of what was drawn, by its place."""
    kinds = ("*.safetensors", "samples/**/*.png", "images.csv")
    paths = sorted(path for kind in kinds for path in folder.rglob(kind))
    kept = [path for path in paths if "_cache" not in path.parts]
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in kept}


@pytest.fixture(scope="module")
def grown(tmp_path_factory, toy_sweep):
    """A sweep of two arms with two training seeds, to which a third was added."""
    folder = tmp_path_factory.mktemp("noises")
    assert toy_sweep(folder, *WORDS, "seed=0,1", compared=False) == 0
    two = made(folder)
    assert toy_sweep(folder, *WORDS, "seed=0,1,2") == 0
    return folder, two, made(folder)


def test_arms_and_base_are_paired_noise_by_noise_and_nothing_else_is_judged(grown):
    sweep = open_sweep(NAME, grown[0])
    assert sweep.record.noises_per_seed == SIZE
    trigger = sweep.images[(sweep.images["prompt"] == "myshape")]
    drawn = trigger[trigger["role"] == roles.ARM]
    blocks = drawn.groupby(["arm", "train_seed"])["block"].agg(set)
    assert blocks.tolist() == [{0}, {0, 1}, {0, 2}] * 2
    judged = sweep.measurements
    judged = judged[(judged["prompt"] == "myshape") & (judged["probe"] == "border_lightness")]
    seeds = judged.groupby(["role", "arm"])["generation_seed"].agg(sorted)
    everything = list(range(3 * SIZE))
    assert seeds[roles.ARM].tolist() == seeds[roles.BASE].tolist() == [everything] * 2
    own = judged[judged["role"] == roles.ARM]
    assert (own["generation_seed"] // SIZE == own["train_seed"]).all()
    read = sweep.verdicts.set_index(["claim", "arm"])
    number = read["num_generation_seeds"]
    assert (read["num_train_seeds"].max(), number.max()) == (3, SIZE)
    values = own.groupby(["arm", "train_seed"])["value"].mean()["plain"]
    base = judged[judged["role"] == roles.BASE].groupby(["arm", "block"])["value"].mean()["plain"]
    effect = (values.to_numpy() - base.to_numpy()).mean()
    assert read.loc[("white_background", "plain"), "effect"] == pytest.approx(effect)


def test_another_training_seed_leaves_what_is_there_and_gives_what_one_command_does(
    grown, toy_sweep, tmp_path
):
    _, two, three = grown
    assert {place: three[place] for place in two} == two
    assert toy_sweep(tmp_path, *WORDS, "seed=0,1,2", compared=False) == 0
    assert made(tmp_path) == three


def test_a_second_sweep_changes_nothing(grown, toy_sweep):
    folder = grown[0]
    files = {p: p.stat().st_mtime_ns for p in folder.rglob("*") if p.is_file()}
    assert toy_sweep(folder, *WORDS, "seed=0,1,2") == 0
    changed = {p.name for p, time in files.items() if p.stat().st_mtime_ns != time}
    assert changed == set()


def test_page_and_sheets_show_arms_and_training_seeds_at_equal_noise(grown):
    folder = grown[0]
    page = (folder / NAME / "report" / "index.html").read_text()
    assert f'"noises_per_seed":{SIZE}' in page
    frame = sample_rows(open_sweep(NAME, folder), "trigger", "myshape")
    rows, columns, cells = arrange(frame)
    seeds = (0, 1, 2)
    labels = [f"{arm} · seed {seed}" for arm in ("plain", "offset") for seed in seeds]
    of_seed = [
        f"{who} · noises of seed {seed}"
        for seed in seeds[1:]
        for who in ("base model", f"plain · seed {seed}", f"offset · seed {seed}")
    ]
    assert rows == ["base model", *labels, *of_seed]
    assert columns == list(range(SIZE))
    shown = [sum(cell is not None for cell in row) for row in cells]
    assert shown == [SIZE, *[SIZE, 4, 4] * 2, *[SIZE] * 6]
    assert (folder / NAME / "sheets" / "trigger--myshape.png").is_file()


def test_diversity_compares_as_many_pictures_of_the_base_as_of_a_run(grown):
    table = open_sweep(NAME, grown[0]).diversity
    assert set(table["num_images"]) == {SIZE}
    assert set(table.loc[table["role"] == roles.BASE, "train_seed"]) == {0, 1, 2}


def test_the_mirror_averages_what_is_judged_and_shows_what_all_have_drawn(grown):
    folder = grown[0]
    sweep_folder, record = open_folder(folder, NAME)
    sweep = open_sweep(NAME, folder)
    for entry in record.runs:
        content = run_content(sweep_folder.output(entry), folder)
        [paths] = [own for (key, _), own in content.pictures.items() if key == "final/myshape"]
        assert [int(path.stem) for path in paths][:4] == [0, 1, 2, 3]
        own = sweep.judged_images[
            (sweep.judged_images["run_id"] == entry.run_id)
            & (sweep.judged_images["prompt"] == "myshape")
        ]
        [point] = [p for p in content.points if p.key == "border_lightness/trigger"]
        assert point.value == pytest.approx(own["border_lightness"].mean())


def test_another_number_of_pictures_is_another_output_of_the_same_training(grown, toy_sweep):
    folder, _, three = grown
    words = [word for word in WORDS if not word.startswith(("sample.num", "sample.batch"))]
    fewer = ("sample.num_images=2", "sample.batch_size=2", "seed=0,1")
    assert toy_sweep(folder, *words, *fewer, compared=False) == 0
    sweep = open_sweep(NAME, folder)
    assert sweep.record.noises_per_seed == 2
    drawn = sweep.images[sweep.images["role"].isin(roles.RUN_ROLES)]
    assert set(drawn["generation_seed"]) == {0, 1, 2, 3}
    now = made(folder)
    assert {place: now[place] for place in three} == three


def test_sharing_noises_again_keeps_the_training(grown, toy_sweep):
    folder, _, three = grown
    shared = [word.replace("per_seed", "shared") for word in WORDS]
    assert toy_sweep(folder, *shared, "seed=0,1", compared=False) == 0
    sweep = open_sweep(NAME, folder)
    assert sweep.record.noises_per_seed == 0
    assert sweep.images["block"].isna().all()
    drawn = sweep.images[sweep.images["role"].isin(roles.RUN_ROLES)]
    assert set(drawn["generation_seed"]) == set(range(SIZE))
    now = made(folder)
    assert {place: now[place] for place in three} == three


def test_a_plan_counts_every_picture_once(toy_sweep, tmp_path, capsys):
    assert toy_sweep(tmp_path, *WORDS, "seed=0,1", command="plan") == 0
    prompts, ceilings = 3, 3
    text = " ".join(capsys.readouterr().out.split())
    base = 2 * SIZE * (prompts + ceilings)
    each = f"{SIZE * prompts} or {(SIZE + 4) * prompts} images each"
    assert f"{each}, {base} of the base model" in text


def test_noises_are_the_same_in_every_arm(toy_sweep, tmp_path, capsys):
    words = ("experiment=base_shape", "seed=0", "sample.noises=per_seed,shared")
    assert toy_sweep(tmp_path, *words, command="plan") == 2
    assert "sample.noises must have one value within a sweep" in capsys.readouterr().err
    words = ("experiment=base_shape", "seed=0", "sample.num_images=2,4", "sample.noises=per_seed")
    assert toy_sweep(tmp_path, *words, command="plan") == 2
    assert "sample.num_images must have one value within a sweep" in capsys.readouterr().err
