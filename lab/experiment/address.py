"""Where results may be written and tracked: the rules of folders and of MLflow's stores."""

from __future__ import annotations

from pathlib import Path

from lab.core.project import PROJECT
from lab.core.settings import Rule

__all__ = ["IS_PLACE", "IS_STORE", "SQLITE"]

# Schemes of the stores that MLflow knows; a database may name its driver: postgresql+psycopg.
_STORES = ("http", "https", "sqlite", "postgresql", "mysql", "mssql", "databricks")
SQLITE = "sqlite:///"


def _is_store(uri: str) -> bool:
    """Say whether MLflow can keep runs at an address; a database's file has an absolute path."""
    scheme, mark, _ = uri.partition("://")
    absolute = not uri.startswith(SQLITE) or Path(uri.removeprefix(SQLITE)).is_absolute()
    return bool(mark) and scheme.split("+")[0] in _STORES and absolute


IS_STORE = Rule(
    "the address of a server or database, such as http://localhost:5000 or, with an absolute "
    f"path, sqlite:////folder/mlflow.db (it begins with one of {', '.join(_STORES)})",
    _is_store,
)


def _is_place(path: str) -> bool:
    return bool(path.strip()) and not {"?", "#"} & {*str(PROJECT / path)}


IS_PLACE = Rule(
    "a folder without '?' and '#' in its path (an address ends there, and MLflow's database has "
    "one)",
    _is_place,
)
