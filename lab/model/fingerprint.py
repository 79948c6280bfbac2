"""Which base model is this? Found on disk and named by its content, without importing torch."""

from __future__ import annotations

from pathlib import Path

from lab.core.errors import LabError, raise_if
from lab.core.identity import content_id, file_hash
from lab.core.project import PROJECT
from lab.core.sealed import recall, remember
from lab.experiment.schema import ModelConfig
from lab.model.family.kinds import find_kind
from lab.model.weights import variant, weight_files

__all__ = ["EMBEDDED", "find_folder", "fingerprint"]

EMBEDDED = Path(__file__).parent / "embedded"
_PICKLED = {".bin", ".ckpt", ".pt", ".pth"}
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
    if folder.is_file():
        raise LabError(_convert(folder))
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


def _convert(file: Path) -> str:
    """Say how a single checkpoint becomes a folder."""
    if file.suffix != ".safetensors":
        return (
            f"model.path: {file} is a file, and only .safetensors is read (pickle runs code): "
            "give a diffusers folder"
        )
    return (
        f"model.path: {file} is a single checkpoint; the lab reads diffusers folders. Convert it "
        "once: python -c 'from diffusers import StableDiffusionPipeline as P; "
        f'P.from_single_file("{file}").save_pretrained("{file.stem}")\' '
        f"and give model.path={file.stem}"
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
            f"{get}give a diffusers folder as model.path; model=embedded needs no download"
        ) from error


def fingerprint(folder: Path, cache: Path) -> str:
    """Return the id of a base model: the content of every file its components load.

    Hashing gigabytes takes seconds, so hashes are remembered by path, size and time of change.

    Args:
        folder: The diffusers folder.
        cache: JSON file for the remembered hashes.
    """
    known: dict[str, str] = recall(cache) or {}
    hashes: dict[str, str] = {}
    fresh: dict[str, str] = {}
    for component in find_kind(folder).components:
        loaded = weight_files(folder / component)
        for path in sorted((folder / component).iterdir()):
            if path.suffix not in _READ or (path.suffix == ".safetensors" and path not in loaded):
                continue
            stat = path.stat()
            key = f"{path.resolve()}:{stat.st_size}:{stat.st_mtime_ns}"
            fresh[key] = known.get(key) or file_hash(path)
            hashes[f"{component}/{path.name}"] = fresh[key]
    if not fresh.keys() <= known.keys():
        remember(cache, known | fresh)
    return content_id(hashes)
