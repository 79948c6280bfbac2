"""The architecture as rules over the source, which is parsed and never imported.

An import inside a function or behind `TYPE_CHECKING` is an arrow between rooms like any other: the
one cannot be understood without the other. What a library costs is another matter: importing a
module loads what it imports outside functions, and what those modules import, but nothing that
waits inside a function. "At import" below means the former alone.
"""

import ast
import re
from dataclasses import dataclass
from functools import cache
from graphlib import CycleError, TopologicalSorter

from lab.core import roles
from lab.core.project import PROJECT

# From the ground up: a room imports from lower floors and from itself, never from its own floor.
FLOORS = (
    ("core",),  # errors, files, seeds, names: knows nothing of experiments
    ("display", "probe"),  # lines on a terminal; numbers read off arrays of pixels
    ("experiment",),  # what a person writes, down to the probe that a claim names
    # Four rooms that know what was asked and nothing of each other: where results are stored, what
    # is trained on, what a table of numbers says, and what is trained.
    ("record", "dataset", "judge", "model"),
    ("method", "tracking"),  # what is attached to a model; the mirror of records in MLflow
    # Training and drawing meet in `run` alone. Results fetch what MLflow keeps.
    ("results", "train", "sample"),
    ("report", "run"),  # what people look at; one run. Neither waits for the other.
    # Making the base model uses the sheets of the report; launchers carry out runs.
    ("pretrain", "launch"),
    ("sweep",),
    ("cli",),
    ("bench", "hydra_plugins"),  # a second command; what Hydra finds by its namespace
)
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
# Beside the rooms: the door `lab.open_sweep`, `python -m lab`, and what must run before all else.
OUTSIDE = {"lab", "lab.__main__", "lab._shadow"}

NEURAL = ("torch", "diffusers", "transformers", "peft", "accelerate", "safetensors")
_MODEL_ROOMS = ("lab.model", "lab.method", "lab.train", "lab.sample", "lab.pretrain", "lab.bench")
# Library -> who may name it, and who loads it at import. Prefixes of modules.
LIBRARIES = {
    # Hydra is one way to write down a sweep. The bench composes a run to have something to time.
    **dict.fromkeys(
        ("hydra", "omegaconf"),
        (("lab.cli", "hydra_plugins"), ("lab.cli", "hydra_plugins", "lab.bench")),
    ),
    # It takes seconds to load, so it waits inside functions.
    "mlflow": (("lab.tracking",), ()),
    "matplotlib": (
        ("lab.report", "lab.core.drawing"),
        ("lab.report", "lab.core.drawing", "lab.tracking", "lab.pretrain", "lab.cli.pictures"),
    ),
    # Planning, judging and notebooks start without it. Seeds make generators for it when asked,
    # launchers count devices and threads, and `model.family.kinds` names its types.
    **dict.fromkeys(
        NEURAL,
        (
            (*_MODEL_ROOMS, "lab.probe", "lab.run", "lab.core.seeds", "lab.launch"),
            (
                *_MODEL_ROOMS,
                "lab.probe.bank", "lab.probe.binding", "lab.probe.drift", "lab.probe.encoder",
                "lab.probe.noun_classifier", "lab.probe.threads",
                "lab.run.execute", "lab.run.instruments", "lab.run.training",
            ),
        ),
    ),
}  # fmt: skip
# ... although their room loads them: planning asks these which kinds there are and what they can.
LIGHT = (
    "lab.model.family.kinds", "lab.model.family.stable_diffusion_folder", "lab.model.fingerprint",
    "lab.model.check", "lab.model.family.config_file", "lab.model.tokens", "lab.model.weights",
    "lab.model.window", "lab.method.kinds", "lab.train.order", "lab.sample.request",
    "lab.probe.encoder_folder", "lab.model.compare", "lab.model.family.single_file.checkpoint",
)  # fmt: skip

MOST_PARAMETERS = 5
MOST_LINES = 300
# Names that other people's folders use as well.
FOREIGN_FILES = {
    "config.json": (
        "lab.pretrain.export",
        "lab.probe.encoder_folder",
        "lab.model.family.stable_diffusion_folder",
        "lab.model.family.single_file.convert",
    )
}


@dataclass(frozen=True)
class Import:
    """One import; `target` is a module of the project, or the first name of a library."""

    target: str
    at_import: bool
    line: int


@dataclass(frozen=True)
class Module:
    name: str
    tree: ast.Module
    is_package: bool

    @property
    def room(self):
        first, *rest = self.name.split(".")
        return rest[0] if first == "lab" and rest else first

    def at(self, line):
        return f"{self.name} (line {line})"


@cache
def modules():
    found = {}
    for top in ("lab", "hydra_plugins"):
        for path in sorted((PROJECT / top).rglob("*.py")):
            parts = path.relative_to(PROJECT).with_suffix("").parts
            is_package = parts[-1] == "__init__"
            name = ".".join(parts[:-1] if is_package else parts)
            found[name] = Module(name, ast.parse(path.read_text("utf-8")), is_package)
    return found


@cache
def imports(name):
    return tuple(_imports(modules()[name].tree, at_import=True))


def _imports(node, at_import):
    for child in ast.iter_child_nodes(node):
        waits = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) or (
            isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)
        )
        for target in _targets(child):
            own = isinstance(child, ast.Import | ast.ImportFrom)
            yield Import(target, at_import and own, child.lineno)
        yield from _imports(child, at_import and not waits)


def _targets(node):
    """Yield what a node imports. A registry that names a module as a text imports it later."""
    if isinstance(node, ast.Import):
        yield from (_named(alias.name) for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module:
        assert node.level == 0, "imports are written in full: from lab.room.module import name"
        for alias in node.names:
            deeper = f"{node.module}.{alias.name}"
            yield deeper if deeper in modules() else _named(node.module)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        named = modules().get(node.value)
        if named and not named.is_package:  # a package's name says where other files lie
            yield named.name


def _named(name):
    return name if name in modules() else name.split(".")[0]


@cache
def loaded_at_import(name):
    """Return the modules and libraries that importing a module loads."""
    found, waiting = set(), {name}
    while waiting:
        current = waiting.pop()
        found.add(current)
        if current in modules():
            parts = current.split(".")
            packages = {".".join(parts[:end]) for end in range(1, len(parts))} & modules().keys()
            targets = {item.target for item in imports(current) if item.at_import}
            waiting |= (targets | packages) - found
    return frozenset(found)


def begins_with(name, prefixes):
    return any(name == prefix or name.startswith(prefix + ".") for prefix in prefixes)


def texts(tree):
    """Yield the texts of a module that are no docstrings."""
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef)
    statements = [node.body[0] for node in ast.walk(tree) if isinstance(node, documented)]
    docstrings = {id(item.value) for item in statements if isinstance(item, ast.Expr)}
    for node in ast.walk(tree):
        is_text = isinstance(node, ast.Constant) and isinstance(node.value, str)
        if is_text and id(node) not in docstrings:
            yield node


def refuse(strays, advice):
    strays = sorted(set(strays))
    assert not strays, "\n".join([advice, *strays])


def test_every_module_stands_in_a_room():
    refuse(
        [
            module.name
            for module in modules().values()
            if module.room not in FLOOR and module.name not in OUTSIDE
        ],
        "give it a room (`FLOORS`); lab/ itself holds no modules:",
    )
    assert FLOOR.keys() <= {module.room for module in modules().values()}


def test_no_module_is_named_for_having_no_subject():
    vague = {"utils", "util", "helpers", "helper", "common", "misc", "base", "manager"}
    refuse([name for name in modules() if vague & {*name.split(".")}], "name what it is about:")


def test_rooms_import_downwards_only():
    refuse(
        [
            f"{module.at(item.line)} imports {item.target}"
            for module in modules().values()
            if module.name not in OUTSIDE
            for item in imports(module.name)
            if (goal := modules().get(item.target)) and goal.room != module.room
            and (goal.name in OUTSIDE or FLOOR[goal.room] >= FLOOR[module.room])
        ],
        "move the shared part to a lower room, or hand it over as an argument (see `FLOORS`):",
    )  # fmt: skip


def test_no_modules_import_each_other():
    graph = {
        name: {item.target for item in imports(name)} & modules().keys() - {name}
        for name in modules().keys() - OUTSIDE
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        refuse([" <- ".join(error.args[1])], "move what both need to a third module:")


def test_libraries_are_named_where_they_belong():
    refuse(
        [
            f"{module.at(item.line)} imports {item.target}"
            for module in modules().values()
            for item in imports(module.name)
            if item.target in LIBRARIES and not begins_with(module.name, LIBRARIES[item.target][0])
        ],
        "call the module that wraps the library instead (see `LIBRARIES`):",
    )


def test_libraries_are_loaded_only_where_they_are_worth_it():
    refuse(
        [
            f"{name} loads {library}"
            for name in modules()
            for library, (_, loading) in LIBRARIES.items()
            if library in loaded_at_import(name)
            and (name in LIGHT or not begins_with(name, loading))
        ],
        "import it, or the module that imports it, inside the function (see `LIBRARIES`):",
    )


def test_nothing_reads_pickle():
    banned = {"pickle", "dill", "joblib", "shelve", "marshal"}
    refuse(
        [name for name in modules() if banned & {item.target for item in imports(name)}],
        "loading such a file runs code from it; use JSON, CSV or safetensors:",
    )


def test_files_of_runs_and_sweeps_are_named_in_the_record_alone():
    names = {
        part
        for module in modules().values()
        if module.room == "record"
        for node in texts(module.tree)
        for part in node.value.split("/")
        if re.fullmatch(r"[\w.-]*\w\.[a-z]{2,12}", part)
    }
    assert {"DONE.json", "adapter.safetensors", "verdicts.csv"} <= names
    refuse(
        [
            f"{module.at(node.lineno)} spells {part}"
            for module in modules().values()
            if module.room != "record"
            for node in texts(module.tree)
            for part in names & {*node.value.split("/")}
            if module.name not in FOREIGN_FILES.get(part, ())
        ],
        "ask the classes of lab.record (Table.file, Document.FILE, RunFolder, SweepFolder):",
    )


def test_nothing_takes_more_than_five_parameters():
    strays = []
    for module in modules().values():
        for node in ast.walk(module.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
                taken = node.args
                given = [*taken.posonlyargs, *taken.args, *taken.kwonlyargs]
                given += [item for item in (taken.vararg, taken.kwarg) if item]
                count = len([item for item in given if item.arg not in ("self", "cls")])
                if count > MOST_PARAMETERS:
                    name = getattr(node, "name", "lambda")
                    strays.append(f"{module.at(node.lineno)} {name} takes {count}")
    refuse(strays, "say what belongs together with a dataclass and take that:")


def test_no_file_is_longer_than_one_reads_at_a_time():
    counts = {
        path.relative_to(PROJECT): len(path.read_text(encoding="utf-8").splitlines())
        for path in (PROJECT / "lab").rglob("*.py")
    }
    refuse(
        [f"{path} has {lines} lines" for path, lines in counts.items() if lines > MOST_LINES],
        f"split it by subject, {MOST_LINES} lines at most:",
    )


def test_no_first_element_stands_for_a_sweep():
    def stands_for_all(node):
        """Recognise `jobs[0]`, `self.planned[0]` and `sweep.runs[0]`."""
        if not isinstance(node, ast.Subscript) or ast.unparse(node.slice) != "0":
            return False
        words = ast.unparse(node.value).split(".")
        return words[-1] in ("jobs", "planned", "outcomes") or words[-2:] == ["sweep", "runs"]

    refuse(
        [
            f"{module.at(node.lineno)}: {ast.unparse(node)}"
            for module in modules().values()
            for node in ast.walk(module.tree)
            if stands_for_all(node)
        ],
        "what all runs share is a field of lab.experiment.sweep.Sweep:",
    )


def test_roles_are_compared_by_their_names():
    known = {*roles.RUN_ROLES, *roles.IMAGE_ROLES, *roles.EXAMPLE_ROLES, roles.SUMMARY}
    refuse(
        [
            f"{module.at(node.lineno)}: {ast.unparse(node)}"
            for module in modules().values()
            for node in ast.walk(module.tree)
            if isinstance(node, ast.Compare) and "role" in ast.unparse(node.left)
            if known & {item.value for item in ast.walk(node) if isinstance(item, ast.Constant)}
        ],
        "use the names of lab.core.roles:",
    )
