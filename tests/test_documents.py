"""README, CONTRIBUTING and their like agree with the tree: paths, names, commands."""

import re
import tomllib
from datetime import date
from importlib import import_module
from importlib.util import find_spec

import pytest
import yaml

from lab.core.project import CONF, PROJECT, list_experiments
from lab.experiment.schema import AdapterConfig
from lab.method.kinds import METHODS

DOCUMENTS = ("README.md", "CONTRIBUTING.md")
PROJECT_FOLDERS = "lab|tests|conf|experiments|datasets|notebooks|hydra_plugins"
MAKEFILE = (PROJECT / "Makefile").read_text(encoding="utf-8")


def text(name):
    return (PROJECT / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_path_of_a_document_exists(name):
    linked = re.findall(r"\]\(([^):#]+)\)", text(name))
    spelled = re.findall(rf"\b(?:{PROJECT_FOLDERS})/[\w./-]*\w/?", text(name))
    assert spelled
    missing = [
        path
        for path in (*linked, *spelled)
        if "NAME" not in path and not (PROJECT / path).exists()
    ]
    assert missing == []


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_name_of_a_document_exists(name):
    for dotted in set(re.findall(r"\b(?:lab|hydra_plugins)(?:\.\w+)+", text(name))):
        module, _, attribute = dotted.rpartition(".")
        assert find_spec(module), dotted
        assert hasattr(import_module(module), attribute) or find_spec(dotted), dotted


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_command_of_a_document_is_a_target(name):
    targets = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))
    commands = re.findall(r"(?:^|`)make ((?:[a-z-]+ ?)+)", text(name), re.MULTILINE)
    assert commands
    assert {word for words in commands for word in words.split()} <= targets
    assert set(re.findall(r"EXP=(\w+)", text(name))) - {"NAME"} <= list_experiments().keys()
    options = {path.stem for path in (CONF / "dataset").glob("*.yaml")}
    assert set(re.findall(r"DATASET=(\w+)", text(name))) - {"NAME"} <= options


def test_the_readme_says_what_happens_in_each_room():
    rooms = {path.parent.name for path in (PROJECT / "lab").glob("*/__init__.py")}
    assert rooms == set(re.findall(r"`lab/(\w+)/`", text("README.md")))


def test_every_target_of_the_makefile_has_help():
    targets = re.findall(r"^([a-z-]+):(.*)$", MAKEFILE, re.MULTILINE)
    phony = re.search(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)[1].split()
    assert {name for name, _ in targets} == set(phony)
    assert [name for name, rest in targets if "## " not in rest] == []


def test_hooks_run_what_make_lint_runs():
    recipe = re.search(r"^lint:.*\n((?:\t.*\n)+)", MAKEFILE, re.MULTILINE)[1]
    linted = re.findall(r"\$\(RUN\) (.*)", recipe)
    [local] = yaml.safe_load(text(".pre-commit-config.yaml"))["repos"]
    hooks = [hook["entry"].removeprefix(".venv/bin/python -m ") for hook in local["hooks"]]
    assert hooks == linted


def test_versions_agree():
    version = tomllib.loads(text("pyproject.toml"))["project"]["version"]
    cited = yaml.safe_load(text("CITATION.cff"))
    assert cited["version"] == version
    assert date.fromisoformat(cited["date-released"])
    assert {"cff-version", "message", "title", "authors"} <= cited.keys()
    released = f"## {version} - {cited['date-released']}"
    assert released in text("CHANGELOG.md").splitlines()


def test_every_method_that_may_be_asked_for_has_its_kind():
    [setting] = [
        item for item in AdapterConfig.__dataclass_fields__.values() if item.name == "method"
    ]
    assert [word for word in METHODS if not setting.metadata["rule"].holds(word)] == []
    assert setting.metadata["rule"].text == f"one of {', '.join(METHODS)}"
