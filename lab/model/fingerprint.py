"""Which base model is this? Found on disk and named by its content, without importing torch."""

from __future__ import annotations

from pathlib import Path

from lab.core.errors import LabError, raise_if
from lab.core.identity import content_id, file_hash
from lab.core.project import PROJECT
from lab.core.sealed import recall, remember
from lab.experiment.schema import ModelConfig
from lab.model.family.kinds import find_kind
from lab.model.family.single_file.checkpoint import SingleFile
from lab.model.weights import variant, weight_files

__all__ = ["EMBEDDED", "Model", "find_folder", "find_model", "fingerprint"]

Model = Path | SingleFile  # a diffusers folder, or one file that holds all of it

EMBEDDED = Path(__file__).parent / "embedded"
_PICKLED = {".bin", ".ckpt", ".pt", ".pth"}
_SINGLE = ".safetensors"
_READ = {".json", ".txt", ".safetensors"}  # never pickle


def find_model(config: ModelConfig) -> Model:
    """Return a base model where it lies: a diffusers folder, or a single `.safetensors` file.

    Raises:
        LabError: If there is none, or if it is told what its folder says.
    """
    path = PROJECT / Path(config.path).expanduser()
    if path.is_file():
        if path.suffix != _SINGLE:
            raise LabError(_unread(path))
        return SingleFile(path, config.prediction_type)
    folder = find_folder(config)
    if config.prediction_type is not None:
        raise LabError(
            "model.prediction_type must be null with a diffusers folder, whose scheduler says it "
            f"({folder / 'scheduler'}), got {config.prediction_type!r}"
        )
    return folder


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
    bare = [
        name for name in kind.weights if name not in missing and variant(folder / name) is None
    ]
    pickled = {name: _pickled(folder / name) for name in bare}
    missing += [f"{name}/*.safetensors" for name in bare if not pickled[name]]
    raise_if(
        [
            f"model.path: {folder / name} holds its weights as {file} alone, and loading that "
            "would run code from it: have them saved as safetensors"
            for name, file in pickled.items()
            if file
        ]
        + [
            f"model.path: {folder} is not a diffusers folder of {kind.title}: "
            f"{', '.join(missing)} missing"
        ][: len(missing)]
    )
    return folder


def _pickled(component: Path) -> str:
    """Return a file of pickled weights, empty where there is none."""
    files = sorted(path for path in component.iterdir() if path.suffix in _PICKLED)
    return files[0].name if files else ""


def _unread(file: Path) -> str:
    """Say why a file is not read, and what to do."""
    if file.suffix in _PICKLED:
        return (
            f"model.path: {file} is a pickled checkpoint, and only .safetensors is read (pickle "
            "runs code): have it converted to .safetensors, or give a diffusers folder"
        )
    return (
        f"model.path: {file} is a file of another kind; give a diffusers folder, or a single "
        ".safetensors checkpoint of Stable Diffusion 1.x or 2.x"
    )


def _cached_snapshot(name: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(name, local_files_only=True))
    except (HFValidationError, LocalEntryNotFoundError) as error:
        is_name = isinstance(error, LocalEntryNotFoundError) and name.count("/") == 1
        get = f"get it with `hf download {name}`, or " if is_name else ""
        raise LabError(
            f"model.path: '{name}' is neither a folder nor a model in the Hugging Face cache: "
            f"{get}give a diffusers folder or a .safetensors file as model.path; model=embedded "
            "needs no download"
        ) from error


def fingerprint(model: Model, cache: Path) -> str:
    """Return the id of a base model: the content of its file, or of all that its components load.

    Hashing gigabytes takes seconds, so hashes are remembered by path, size and time of change.

    Args:
        model: Where it lies.
        cache: JSON file for the remembered hashes.
    """
    known: dict[str, str] = recall(cache) or {}
    fresh: dict[str, str] = {}

    def hashed(path: Path) -> str:
        stat = path.stat()
        key = f"{path.resolve()}:{stat.st_size}:{stat.st_mtime_ns}"
        fresh[key] = known.get(key) or file_hash(path)
        return fresh[key]

    if isinstance(model, SingleFile):
        name = model.fingerprint(hashed(model.path))
    else:
        name = content_id({place: hashed(path) for place, path in _loaded(model).items()})
    if not fresh.keys() <= known.keys():
        remember(cache, known | fresh)
    return name


def _loaded(folder: Path) -> dict[str, Path]:
    """Return the files of a folder that its components load."""
    found = {}
    for component in find_kind(folder).components:
        weights = weight_files(folder / component)
        for path in sorted((folder / component).iterdir()):
            if path.suffix in _READ and (path.suffix != _SINGLE or path in weights):
                found[f"{component}/{path.name}"] = path
    return found
