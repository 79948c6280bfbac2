"""The page as a person uses it, in a headless Chromium."""

import json
import re

import pandas as pd
import pytest

from lab.record.documents import Done
from lab.record.run_folder import RunFolder
from lab.report.noise_floor import write_noise_floors
from lab.report.page import pictures, write_page
from lab.results.sweep import open_sweep

HEADS = "[...document.querySelectorAll('#grid thead th')].map(x => x.innerText.trim())"
ROWS = "[...document.querySelectorAll('#grid tbody th[scope=row]')].map(x => x.innerText.trim())"
ARMS = ["template=monster", "template={colour} monster"]
NUM_PICTURES = "document.querySelectorAll('#grid .picture').length"


def choose(label, value):
    return f"""(() => {{
      const field = [...document.querySelectorAll('#controls .field')]
        .find((x) => x.firstChild.textContent === {label!r});
      const input = field.querySelector('select, input');
      input.value = {value!r};
      const kind = input.type === 'range' ? 'input' : 'change';
      input.dispatchEvent(new Event(kind, {{bubbles: true}}));
    }})()"""


def press(text, within="document"):
    return f"""[...{within}.querySelectorAll('button')]
      .find((x) => x.textContent.trim() === {text!r}).click()"""


@pytest.fixture(scope="module")
def page(browser, make_sweep_folder):
    """A judged sweep with two adapter weights and one failed run, as an address."""
    folder = make_sweep_folder(failed=True, weights=(0.5, 1.0), size=32)
    sweep = open_sweep(folder.name, folder.root)
    url = write_page(sweep, folder.path / "report" / "index.html").as_uri()
    yield url
    assert browser.complaints() == []


def test_opens_with_the_answer_and_asks_for_nothing_else(browser, page):
    browser.open(page)
    assert browser.js("document.querySelector('h1').innerText") == (
        "What do colour tags in the captions change?"
    )
    badges = browser.js("[...document.querySelectorAll('.verdict .badge')].map(x => x.innerText)")
    assert "● learned" in badges
    assert browser.js("document.querySelector('.alert').innerText").startswith("1 run failed")
    assert browser.js(NUM_PICTURES) == 3 * 6 * 4
    assert browser.requests() == [page]
    assert browser.complaints() == []


def test_in_short_shows_training_prompts_and_answers_side_by_side(browser, page):
    browser.open(page)
    texts = "[...document.querySelectorAll('%s')].map(x => x.innerText.trim())"
    assert browser.js(texts % ".short .taught q") == [
        *["monster"] * 3,
        "red monster",
        "green monster",
        "blue monster",
    ]
    asked = browser.js(texts % "tr[data-claim=colour_bound] td:not(.nothing)")
    assert asked[0].startswith("−1 % (")  # for comparison: nobody asked
    assert asked[1].startswith("● learned")
    # One training seed and one noise: a row differs by the adapter alone.
    titles = browser.js(
        "[...document.querySelector('.short-pictures').querySelectorAll('td')]"
        ".map(cell => [...cell.querySelectorAll('img')].map(x => x.alt))"
    )
    prompts = ["red monster", "green monster", "blue monster"]
    drawn_by = ["base model", *[f"{arm}, training seed 0" for arm in ARMS]]
    assert titles == [
        [f"{prompt}: {who}, generation seed 0" for prompt in prompts] for who in drawn_by
    ]


def test_answer_in_short_leads_to_its_pictures(browser, page):
    browser.open(page)
    browser.js("document.querySelector('tr[data-claim=white_background] .short-cell').click()")
    banner = browser.js("document.getElementById('banner').innerText")
    assert "the background becomes white in template=monster" in banner


def test_arms_that_were_answered_differently_are_named(browser, page, make_sweep_folder):
    folder = make_sweep_folder(size=16, seeds=2, images=2)
    table = folder.path / "verdicts.csv"
    verdicts = pd.read_csv(table)
    own = verdicts["claim"] == "white_background"
    verdicts.loc[own, "verdict"] = ["LEARNED", "NOT LEARNED"]
    verdicts.to_csv(table, index=False)
    other = write_page(open_sweep(folder.name, folder.root), folder.path / "report" / "index.html")
    browser.open(other.as_uri())
    assert browser.js("document.querySelector('.contrasts li').innerText") == (
        "The background becomes white: learned with template=monster; "
        "not learned with template={colour} monster"
    )


def test_an_arm_that_was_not_asked_shows_the_same_measure_for_comparison(browser, page):
    browser.open(page)
    cells = "[...document.querySelectorAll('[data-claim=colour_bound] td')].slice(1)"
    plain, coloured = browser.js(f"{cells}.map(x => x.innerText)")
    assert "learned" not in plain
    assert re.fullmatch(r"−?\d+ % \(−?\d+ to −?\d+\)", plain)
    assert re.fullmatch(r"● learned\s*\d+ % \(\d+ to \d+\)", coloured)
    differ = "[...document.querySelectorAll('.contrasts li')].map(x => x.innerText)"
    assert any(
        line.startswith("The colour in the prompt decides the colour of the picture: template=")
        and plain in line
        for line in browser.js(differ)
    )


def test_skipping_to_the_pictures_keeps_the_view(browser, page):
    browser.open(page + "#mode=slider")
    browser.js("document.querySelector('.skip').click()")
    assert browser.js("location.hash") == "#mode=slider"
    assert browser.js("document.activeElement.id") == "pictures"


def test_axes_switch_and_the_address_keeps_them(browser, page):
    browser.open(page)
    assert browser.js(ROWS) == ["base model", "template=monster", "template={colour} monster"]
    browser.js(choose("Rows", "prompt"))
    assert browser.js(HEADS)[1:] == ["base model", "template=monster", "template={colour} monster"]
    assert browser.js(ROWS)[:2] == ["monster", "red monster"]
    browser.js(choose("Super-columns", "seed"))
    assert browser.js(HEADS)[0] == "seed 0"
    view = browser.js("location.href")
    browser.open(view)
    assert browser.js(HEADS)[0] == "seed 0"
    assert browser.complaints() == []


def test_works_where_the_address_cannot_be_changed(browser, page):
    browser.open(page)
    browser.js("history.replaceState = () => { throw new DOMException('', 'SecurityError'); }; 0")
    browser.js(choose("Rows", "prompt"))
    assert browser.js(ROWS)[:2] == ["monster", "red monster"]


def test_verdict_row_jumps_to_the_pictures_that_carry_it(browser, page):
    browser.open(page)
    browser.js("document.querySelector('.jump').click()")
    assert "the colour in the prompt decides" in browser.js(
        "document.getElementById('banner').innerText"
    )
    supers = browser.js("[...document.querySelectorAll('tr.super')].map(x => x.innerText.trim())")
    assert supers == ["red monster", "green monster", "blue monster"]
    assert browser.js(NUM_PICTURES) == 3 * (1 + 3) * 4
    assert browser.js("document.querySelectorAll('#grid .value').length") == 3 * (1 + 3) * 4


def test_slider_moves_in_every_picture(browser, page):
    browser.open(page + "#mode=slider")
    clip = "getComputedStyle(document.querySelector('#grid .reference')).clipPath"
    before = browser.js(clip)
    browser.js(choose("Line", "20"))
    assert browser.js(clip) != before
    assert browser.js("document.querySelectorAll('#grid .reference').length") == 2 * 6 * 4
    assert "split=20" in browser.js("location.hash")


def test_dragging_over_a_picture_moves_the_line(browser, page):
    browser.open(page + "#mode=slider&size=200")
    box = browser.js("""(() => {
      const frame = document.querySelectorAll('#grid .frame:has(.reference)')[0];
      frame.scrollIntoView({block: 'center'});
      const {left, top, width} = frame.getBoundingClientRect();
      return {left, top, width};
    })()""")
    y = box["top"] + 20
    mouse = browser.page.mouse
    mouse.move(box["left"] + 0.5 * box["width"], y)
    mouse.down()
    mouse.move(box["left"] + 0.7 * box["width"], y)
    mouse.up()
    assert "split=70" in browser.js("location.hash")
    assert not browser.js("document.getElementById('lightbox').open")


def test_difference_and_blink_show_the_reference(browser, page):
    browser.open(page)
    browser.js(press("Difference"))
    blend = "getComputedStyle(document.querySelector('#grid .reference')).mixBlendMode"
    assert browser.js(blend) == "difference"
    browser.js(press("Blink"))
    shown = "getComputedStyle(document.querySelector('#grid .reference')).visibility"
    assert browser.js(shown) == "hidden"
    browser.js(press("Flip"))
    assert browser.js(shown) == "visible"


def test_another_arm_can_be_the_reference(browser, page):
    browser.open(page + "#mode=slider&ref=0")
    rows = browser.js(
        "[...document.querySelectorAll('#grid tbody tr')]"
        ".map(row => row.querySelectorAll('.reference').length)"
    )
    assert rows == [0, 0, 6 * 4]


def test_zoom_is_shared_and_pixels_stay_crisp(browser, page):
    browser.open(page)
    browser.js(choose("Zoom into all", "4"))
    style = "getComputedStyle(document.querySelectorAll('#grid .frame img')[7])"
    assert browser.js(f"{style}.transform").startswith("matrix(4, 0, 0, 4")
    assert browser.js(f"{style}.imageRendering") == "pixelated"


def test_probe_range_filters_adapters_and_keeps_the_base(browser, page):
    browser.open(page + "#rows=run&cols=g&srows=prompt&limit=all&probe=hue_mass/green&low=0.05")
    values = browser.js(
        "[...document.querySelectorAll('tr:not(.pinned) .value')].map(x => +x.innerText)"
    )
    assert values
    assert min(values) >= 0.05
    assert browser.js("document.querySelectorAll('tr.pinned').length") > 0


def test_lightbox_tells_how_a_picture_was_made(browser, page):
    browser.open(page + "#ref=0")
    browser.js("document.querySelector('#grid tr:last-child .picture').click()")
    text = browser.js("document.getElementById('lightbox').innerText")
    for words in (
        "Generation seed",
        "Adapter weight",
        "Differs from the reference",
        "d1",
        "border",
    ):
        assert words in text
    assert browser.js("document.querySelectorAll('#lightbox .big').length") == 2
    first = browser.js("document.querySelector('#lightbox figcaption').innerText")
    assert first == "template=monster · training seed 0"
    browser.js("document.querySelector('[aria-label=\"Next picture\"]').click()")
    assert browser.js("document.getElementById('lightbox').open")


def test_keyboard_chooses_modes_and_moves_through_pictures(browser, page):
    browser.open(page)
    event = "new KeyboardEvent('keydown', {key: %r, bubbles: true})"
    key = f"document.activeElement.dispatchEvent({event})"
    browser.js("document.querySelector('#grid .picture').focus()")
    first = browser.js("document.activeElement.dataset.id")
    browser.js(key % "ArrowRight")
    assert browser.js("document.activeElement.dataset.id") != first
    browser.js(key % "2")
    assert "mode=slider" in browser.js("location.hash")


def test_everything_that_can_be_operated_has_a_name(browser, page):
    browser.open(page)
    nameless = browser.js("""
      [...document.querySelectorAll('button, select, input, img, [role=img]')]
      .filter((x) => !x.closest('[aria-hidden], .frame'))
      .filter((x) => !(x.getAttribute('aria-label') || x.alt || x.textContent.trim()
        || (x.closest('label') && x.closest('label').textContent.trim())))
      .map((x) => x.outerHTML)""")
    assert nameless == []


def test_phone_needs_no_sideways_scrolling(browser, page):
    browser.open(page, width=390, height=844)
    assert browser.js("document.documentElement.scrollWidth") <= 390


def test_dark_scheme_darkens_the_page(browser, page):
    paper = "getComputedStyle(document.body).backgroundColor"
    browser.open(page)
    light = browser.js(paper)
    browser.open(page, dark=True)
    assert browser.js(paper) != light


def test_markup_in_words_is_shown_as_words(browser, make_sweep_folder):
    folder = make_sweep_folder(seeds=1, images=1, claims=False)
    evil = "<img src=x onerror=document.title=1>"
    for table in (folder.path / "base.csv", *folder.path.glob("*/outputs/*/images.csv")):
        table.write_text(table.read_text().replace(",a dog,", f",{evil},"), encoding="utf-8")
    for done in folder.path.glob("*/outputs/*/DONE.json"):
        output = RunFolder(done.parents[2]).output(done.parent.name)
        output.finish(Done.read(output.path))
    page = write_page(open_sweep(folder.name, folder.root), folder.path / "report" / "index.html")
    browser.open(page.as_uri())
    assert evil in browser.js("document.getElementById('grid').innerText")
    assert browser.js("document.title") == "base_monster_colored · LoRA lab"
    assert browser.complaints() == []


def test_sweep_whose_runs_all_failed_says_why(browser, make_sweep_folder):
    folder = make_sweep_folder(seeds=0, images=1, failed=True, claims=False)
    page = write_page(open_sweep(folder.name, folder.root), folder.path / "report" / "index.html")
    browser.open(page.as_uri())
    assert "became NaN" in browser.js("document.querySelector('.failures').innerText")
    assert browser.complaints() == []


def test_sweep_without_claims_shows_its_pictures(browser, make_sweep_folder):
    folder = make_sweep_folder(seeds=1, images=2, claims=False)
    page = write_page(open_sweep(folder.name, folder.root), folder.path / "report" / "index.html")
    browser.open(page.as_uri())
    assert "makes no claims" in browser.js("document.getElementById('short').innerText")
    assert browser.js(NUM_PICTURES) > 0
    assert browser.complaints() == []


def test_training_steps_are_one_more_dimension(browser, make_sweep_folder):
    folder = make_sweep_folder(seeds=1, images=2, claims=False, steps=(30, 150, 300))
    page = write_page(open_sweep(folder.name, folder.root), folder.path / "report" / "index.html")
    browser.open(page.as_uri())
    assert browser.js(NUM_PICTURES) == 3 * 6 * 2  # of the last step alone
    browser.js(press("Training steps"))
    assert browser.js(HEADS)[1:] == ["step 30", "step 150", "step 300"]
    browser.js(choose("Training step", "30"))
    assert browser.js(HEADS)[1:] == ["step 30"]
    browser.js(press("Overview"))
    browser.js(choose("Training step", "150"))
    browser.js("document.querySelector('#grid tr:last-child .picture').click()")
    text = browser.js("document.getElementById('lightbox').innerText")
    assert "Training steps\t150" in text
    assert browser.complaints() == []


def test_pictures_beside_the_page_are_paged_in(browser, make_sweep_folder, monkeypatch):
    folder = make_sweep_folder(seeds=1, images=2, claims=False)
    monkeypatch.setattr(pictures, "_INSIDE_LIMIT_BYTES", 1000)
    page = write_page(open_sweep(folder.name, folder.root), folder.path / "report" / "index.html")
    browser.open(page.as_uri())
    grid = "[...document.querySelectorAll('#grid .frame > img')]"
    assert browser.js(f"{grid}.every((image) => image.loading === 'lazy')")
    browser.wait(f"{grid}.every((image) => image.naturalWidth > 0)")
    asked = {url for url in browser.requests() if url.endswith(".webp")}
    assert asked <= {path.as_uri() for path in (page.parent / "pictures").iterdir()}
    assert browser.complaints() == []


def test_a_page_without_its_picture_files_says_where_they_are(
    browser, make_sweep_folder, monkeypatch
):
    folder = make_sweep_folder(seeds=1, images=1, claims=False)
    monkeypatch.setattr(pictures, "_INSIDE_LIMIT_BYTES", 1000)
    page = write_page(open_sweep(folder.name, folder.root), folder.path / "report" / "index.html")
    alone = folder.path / "alone.html"
    alone.write_bytes(page.read_bytes())
    browser.open(alone.as_uri())
    said = "[...document.querySelectorAll('#top .alert')].map(line => line.innerText).join()"
    browser.wait(f"{said}.includes('folder')")
    assert "folder “pictures”" in browser.js(said)
    browser.open("about:blank")  # forgets that files were missing


# What MLflow does with an HTML artifact: a frame that may run scripts and has no origin. What
# happens in it is reported by messages, the only thing that leaves such a frame.
FRAMED = """(() => {
  const frame = document.createElement('iframe');
  frame.sandbox = 'allow-scripts';
  window.reports = [];
  addEventListener('message', (event) => window.reports.push(event.data));
  frame.src = URL.createObjectURL(new Blob([%s], { type: 'text/html' }));
  document.body.append(frame);
})()"""
REPORTER = """<script>
const report = (kind, text) => parent.postMessage([kind, String(text)], '*');
addEventListener('error', (event) => report('error', event.message), true);
console.error = (...words) => report('error', words.join(' '));
addEventListener('load', () => {
  const rows = () => [...document.querySelectorAll('#grid tbody th[scope=row]')]
    .map((x) => x.innerText.trim()).join('|');
  report('before', rows());
  const label = [...document.querySelectorAll('#controls .field')]
    .find((x) => x.firstChild.textContent === 'Rows');
  const select = label.querySelector('select');
  select.value = 'prompt';
  select.dispatchEvent(new Event('change', { bubbles: true }));
  report('after', rows());
});
</script>"""


def test_works_in_the_frame_in_which_mlflow_shows_artifacts(browser, make_sweep_folder):
    folder = make_sweep_folder(seeds=1, images=1)
    page = write_page(open_sweep(folder.name, folder.root), folder.path / "report" / "index.html")
    framed = page.read_text(encoding="utf-8").replace("<body>", "<body>" + REPORTER)
    host = folder.path / "host.html"
    host.write_text("<!doctype html><title>host</title><body></body>", encoding="utf-8")
    browser.open(host.as_uri())
    browser.js(FRAMED % json.dumps(framed))
    browser.wait("window.reports.some(([kind]) => kind === 'after')")
    assert browser.js("window.reports") == [
        ["before", "base model|template=monster|template={colour} monster"],
        ["after", "monster|red monster|green monster|blue monster|a dog|(empty prompt)"],
    ]
    assert browser.complaints() == []


# What stands in a row of the table, cell by cell: the pictures, or what they are compared with.
ROW_PICTURES = """Object.fromEntries(
  [...document.querySelectorAll('#grid tbody tr')].map((row) => [
  row.querySelector('th').innerText.trim(),
  [...row.querySelectorAll('td')].map(
    (cell) => [...new Set([...cell.querySelectorAll('%s')].map((x) => x.src))].sort()),
]))"""


def test_arms_are_compared_with_the_base_model_that_was_drawn_as_they_were(browser, guided_folder):
    sweep = open_sweep(guided_folder.name, guided_folder.root)
    page = write_page(sweep, guided_folder.path / "report" / "index.html").as_uri()
    browser.open(page + "#limit=all&mode=slider")
    names = [f"base model, guidance_scale={level}" for level in guided_folder.guidance]
    assert browser.js(ROWS) == [*names, *sweep.arms]
    drawn = browser.js(ROW_PICTURES % ".frame > img")
    assert all(one != other for one, other in zip(*(drawn[name] for name in names), strict=True))
    compared = browser.js(ROW_PICTURES % ".reference img")
    for place, arm in enumerate(sweep.arms):
        assert compared[arm] == drawn[names[place % 2]]

    # Both rows of base models can be seen, one below the other.
    tops = browser.js(
        "[...document.querySelectorAll('#grid tr.pinned th')].map(x => getComputedStyle(x).top)"
    )
    assert len(set(tops)) == 2

    browser.js("[...document.querySelectorAll('#grid .picture')].at(-1).click()")
    text = browser.js("document.getElementById('lightbox').innerText")
    assert f"left {names[1]}, right {sweep.arms[-1]}" in text
    assert "template\t{colour} monster\tno adapter" in text
    assert "guidance_scale\t7.5\tno adapter" not in text

    # On an axis that does not carry them, base models stand beside their own arms alone.
    browser.open(page + "#rows=seed&cols=arm&limit=all")
    full = browser.js(ROW_PICTURES % ".frame > img")
    assert [bool(cell) for cell in full[names[0]]] == [True, False, True, False]
    assert [bool(cell) for cell in full[names[1]]] == [False, True, False, True]
    browser.open(page + "#rows=seed&cols=g&is.arm=1")
    assert browser.js(ROWS) == [names[1], "seed 0", "seed 1"]

    heads = browser.js("[...document.querySelectorAll('.short th.of-base')].map(x => x.innerText)")
    assert [head.splitlines()[0].lower() for head in heads] == names
    columns = browser.js(
        "[...document.querySelector('.short-pictures').querySelectorAll('td')]"
        ".map((cell) => cell.querySelector('img').alt.split(': ')[1].split(', generation')[0])"
    )
    assert columns == [*names, *(f"{arm}, training seed 0" for arm in sweep.arms)]


# For each cell of the table whose middle can be seen: the label beside it is that of its row, and
# the one above it that of its column, wherever the table is scrolled to.
FOREIGN_LABELS = """(() => {
  const grid = document.getElementById('grid');
  grid.scrollIntoView();
  const foreign = [];
  let seen = 0;
  for (const down of [0, 0.2, 0.5, 0.8, 1]) for (const right of [0, 0.5, 1]) {
    const { scrollWidth, clientWidth, scrollHeight, clientHeight } = grid;
    grid.scrollTo(right * (scrollWidth - clientWidth), down * (scrollHeight - clientHeight));
    const box = grid.getBoundingClientRect();
    const heads = [...grid.querySelectorAll('thead tr:last-child th')];
    for (const cell of grid.querySelectorAll('tbody td')) {
      const { left, top, width, height } = cell.getBoundingClientRect();
      const x = left + width / 2, y = top + height / 2;
      if (document.elementFromPoint(x, y)?.closest('td') !== cell) continue;
      seen += 1;
      const own = cell.parentElement;
      const row = document.elementFromPoint(box.left + 20, y).closest('tr');
      if (row !== own) foreign.push(`${row.innerText} beside ${own.innerText}`);
      const head = heads[cell.cellIndex], middle = head.getBoundingClientRect();
      const above = document.elementFromPoint(x, middle.top + middle.height / 2).closest('th');
      if (above !== head) foreign.push(`${above?.innerText} above ${head.innerText}`);
    }
  }
  return [seen, foreign.slice(0, 3)];
})()"""
AXIS_VALUES = """[...[...document.querySelectorAll('#controls .field')]
  .find((x) => x.firstChild.textContent === %r).querySelectorAll('option')].map((x) => x.value)"""


def test_labels_stay_with_their_rows_and_columns_in_every_layout(browser, page):
    browser.open(page, height=700)
    rows, columns = (browser.js(AXIS_VALUES % axis) for axis in ("Rows", "Columns"))
    # Every choice of rows with two of columns, without groups of rows and with some.
    layouts = {("run", "g", "prompt"), ("arm", "g", "prompt")}
    for place, row in enumerate(rows):
        others = [axis for axis in columns if axis != row]
        first, second, third = (others[(place + turn) % len(others)] for turn in range(3))
        layouts |= {(row, first, ""), (row, second, third)}
    for row, column, group in sorted(layouts):
        browser.page.goto(f"{page}#size=90&limit=4&rows={row}&cols={column}&srows={group}")
        browser.page.reload()
        if not browser.js(NUM_PICTURES):
            continue
        seen, foreign = browser.js(FOREIGN_LABELS)
        assert seen > 0
        assert foreign == [], (row, column, group)


def test_training_seeds_with_noises_of_their_own_stand_side_by_side_at_equal_noise(
    browser, make_sweep_folder
):
    folder = make_sweep_folder(size=16, seeds=3, images=5, per_seed=True)
    sweep = open_sweep(folder.name, folder.root)
    write_noise_floors(sweep)
    browser.open(write_page(sweep, folder.path / "report" / "index.html").as_uri())
    facts = browser.js("document.querySelector('.facts').innerText")
    assert "5 noises for each training seed" in facts
    noises = [f"noise {noise}" for noise in range(5)]
    names = [f"{arm} · training seed {seed}" for arm in ARMS for seed in (0, 1, 2)]
    # Noises that all training seeds have drawn: a fifth is that of seed 0 alone.
    browser.js(press("Every training seed"))
    assert browser.js(HEADS)[1:] == noises
    rows = browser.js(ROWS)
    assert rows[:7] == ["base model", *names]
    filled = """[...document.querySelectorAll('#grid tbody tr')].slice(1, 8)
      .map((row) => row.querySelectorAll('.picture').length)"""
    assert browser.js(filled) == [5, 5, 4, 4, 5, 4, 4]
    # What is judged: each block below its own base pictures.
    browser.js(press("Each training seed's own noises"))
    heads = "[...document.querySelectorAll('#grid tr.super')].map(x => x.innerText.trim())"
    assert browser.js(heads) == [f"noises of seed {seed}" for seed in (0, 1, 2)]
    drawn = "[...document.querySelectorAll('#grid .picture')].map(x => x.title)"
    assert all("monster" in title for title in browser.js(drawn))
    for place in (".contrasts .floor", ".claim .floor"):
        floor = browser.js(f"document.querySelector({place!r}).innerText.trim()")
        assert floor.startswith("In 95 of 100 pairs, two runs of the same settings differ by less")
        assert "% of the way (" in floor
        assert floor.endswith("runs of this sweep with noises of their own.")
    assert browser.complaints() == []
