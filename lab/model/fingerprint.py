"""Which base model is this? Found on disk and named by its content, without importing torch."""

from __future__ import annotations

from pathlib import Path

from lab.core.errors import LabError
from lab.core.files import read_json, write_json
from lab.core.identity import content_id, file_hash
from lab.core.project import PROJECT
from lab.experiment.schema import ModelConfig
from lab.model.family.kinds import find_kind

__all__ = ["EMBEDDED", "find_folder", "fingerprint"]

EMBEDDED = Path(__file__).parent / "embedded"
_READ = {".json", ".txt", ".safetensors"}  # never pickle


def find_folder(config: ModelConfig) -> Path:
    """Return the diffusers folder of a base model, from disk or from the hub's local cache.

    A relative folder starts at the project's root, as a dataset's does.

    Raises:
        LabError: If there is no such folder, or if a component is missing from it.
    """
    if config.path == "embedded":
        return EMBEDDED
    folder = PROJECT / Path(config.path).expanduser()
    if not folder.is_dir():
        folder = _cached_snapshot(config.path)
    kind = find_kind(folder)
    missing = [name for name in kind.components if not (folder / name).is_dir()]
    missing += [
        f"{name}/*.safetensors"
        for name in kind.weights
        if name not in missing and not list((folder / name).glob("*.safetensors"))
    ]
    if missing:
        raise LabError(
            f"model.path: {folder} is not a diffusers folder of {kind.title}: "
            f"{', '.join(missing)} missing"
        )
    return folder


def _cached_snapshot(name: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(name, local_files_only=True))
    except (HFValidationError, LocalEntryNotFoundError) as error:
        raise LabError(
            f"model.path: '{name}' is neither a folder nor a model in the Hugging Face cache; "
            "model=embedded needs no download"
        ) from error


def fingerprint(folder: Path, cache: Path) -> str:
    """Return the id of a base model: the content of every file its components load.

    Hashing gigabytes takes seconds, so hashes are remembered by path, size and time of change.

    Args:
        folder: The diffusers folder.
        cache: JSON file for the remembered hashes.
    """
    known: dict[str, str] = read_json(cache) or {}
    hashes: dict[str, str] = {}
    fresh: dict[str, str] = {}
    for component in find_kind(folder).components:
        for path in sorted((folder / component).iterdir()):
            if path.suffix not in _READ or _is_variant(path):
                continue
            stat = path.stat()
            key = f"{path.resolve()}:{stat.st_size}:{stat.st_mtime_ns}"
            fresh[key] = known.get(key) or file_hash(path)
            hashes[f"{component}/{path.name}"] = fresh[key]
    if not fresh.keys() <= known.keys():
        write_json(cache, known | fresh)
    return content_id(hashes)


def _is_variant(path: Path) -> bool:
    """Say whether a weight file is one that is not loaded, such as `model.fp16.safetensors`."""
    return path.suffix == ".safetensors" and len(path.suffixes) > 1
