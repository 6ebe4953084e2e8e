"""Files that are either whole or refused: an atomic write, and arrays with a strict header in a safetensors file.

The container is a safetensors file whose metadata holds one entry, ``fastrnn``: JSON of the format's version, the kind
of contents, a SHA-256 and a header. The digest is over the whole file with 64 zeros in the digest's own place, so that
no bit of the file can change unseen. One entry, because safetensors writes several in random order, and equal contents
should give equal files.
"""

import contextlib
import errno
import hashlib
import os
import re
import secrets
import stat
import tempfile
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Annotated, Any, BinaryIO, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from fastrnn.ground.checks import brief
from fastrnn.ground.handed import decoded, encoded

try:
    import fcntl
except ImportError:
    fcntl = None  # type: ignore[assignment]

FORMAT_VERSION = 1
MAX_HEADER = 16 * 2**20  # bytes; a hostile file cannot make the reader parse more JSON than this
_NO_DIGEST = "0" * 64
_TEMPORARY = re.compile(r"\.fastrnn-[0-9a-f]{16}\.part")
_HOSTILE = (KeyError, MemoryError, OverflowError, RecursionError, TypeError, ValueError)
"""What the two parsers raise, beside their own errors, for dtypes, sizes and depths that nobody writes in earnest."""

Array = NDArray[Any]
FilePath = str | os.PathLike[str]
Header = TypeVar("Header", bound=msgspec.Struct)


class _SafetensorsHeader(msgspec.Struct):
    """What safetensors writes before the arrays; the entries of the arrays are left to safetensors."""

    metadata: dict[str, str] = msgspec.field(default_factory=dict, name="__metadata__")


class _Version(msgspec.Struct):
    """The one part of the envelope that every version of the format has."""

    version: int


class _Envelope(msgspec.Struct, forbid_unknown_fields=True):
    """The metadata entry ``fastrnn``."""

    version: int
    kind: str
    sha256: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
    header: msgspec.Raw


class FileFormatError(ValueError):
    """A file is damaged, foreign or hostile; the message names it, what was found and what was expected."""

    def __init__(self, path: FilePath, found: str, expected: str) -> None:
        super().__init__(f"{os.fspath(path)}: {found}; expected {expected}")


def check_path(path: Any) -> None:
    """Refuse what names no file, a number too: `open` would take it for a descriptor.

    Raises
    ------
    TypeError
        Neither text nor a path.
    """
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"path is {brief(path)}; expected the name of a file, such as 'model.safetensors'")


SAFETENSORS, CSV = "safetensors", "CSV"
_ENDINGS = {
    SAFETENSORS: "safetensors ckpt", CSV: "csv tsv", "ONNX": "onnx ort", "Keras": "keras h5 hdf5",
    "PyTorch": "pt pth pt2", "TensorFlow": "pb tflite", "Core ML": "mlmodel mlpackage", "GGUF": "gguf",
    "pickle": "pkl pickle joblib", "NumPy": "npy npz", "MATLAB": "mat", "JSON": "json", "Python": "py", "C": "c h",
    "Parquet": "parquet", "Excel": "xls xlsx", "a picture": "jpeg jpg pdf png svg", "an archive": "gz tar zip",
}  # fmt: skip
_FORM_OF = {f".{ending}": form for form, endings in _ENDINGS.items() for ending in endings.split()}


def check_ending(name: str, path: FilePath, form: str) -> None:
    """Refuse a file name whose ending tells readers of another format than ``form``; unknown endings tell of none.

    Raises
    ------
    ValueError
        It does.
    """
    text = os.fsdecode(path)
    ending = os.path.splitext(text)[1].lower()
    if _FORM_OF.get(ending, form) != form:
        own = " or ".join(f".{each}" for each in _ENDINGS[form].split())
        raise ValueError(
            f"{name} is {text!r}, whose ending {ending} stands for {_FORM_OF[ending]}; expected {own}, or no ending: "
            f"what is written is {form}"
        )


def save_path(name: str, path: Any) -> FilePath:
    """Return ``path`` if a model or a checkpoint may be written there.

    Raises
    ------
    TypeError, ValueError
        As `check_path` and `check_ending`.
    """
    check_path(path)
    check_ending(name, path, SAFETENSORS)
    kept: FilePath = path
    return kept


def atomic_write(path: FilePath, data: bytes) -> None:
    """Write a file so that at any moment, kills and power cuts included, its name holds the old contents or the new.

    A link is followed. The file's mode is kept; a new file's is what the umask leaves. A kill may leave a file named
    ``.fastrnn-*.part`` in the folder, which the next file that is written there removes; it can be deleted.

    Raises
    ------
    OSError
        The subclass that fits: no such folder, no permission, disk full, not a regular file. The old file stays.
    """
    target = Path(os.path.realpath(path))
    try:
        mode = _regular_mode(target)
        _remove_leftovers(target.parent)
        while not _write_beside(target, data, mode):
            pass
    except OSError as error:
        text = f"{error.strerror or error}; nothing was written, and a file that was there is as it was"
        raise OSError(error.errno or errno.EIO, text, os.fspath(path)) from error
    _sync_folder(target.parent)


def _write_beside(target: Path, data: bytes, mode: int | None) -> bool:
    """Write a temporary file and put it in place; False if another process took it for a dead one's and removed it."""
    temporary = os.path.join(target.parent, f".fastrnn-{secrets.token_hex(8)}.part")
    try:
        # The mode is 0o666 less the umask; reading the umask would change it for other threads.
        with open(temporary, "xb") as file:
            if not _hold(file):
                return False
            if mode is not None:
                os.chmod(temporary, mode)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
            if fcntl is not None:
                os.replace(temporary, target)
        if fcntl is None:  # Windows: a file that is open cannot be moved
            os.replace(temporary, target)
    except BaseException:
        # One call of C code at once: no signal comes before it.
        try:  # noqa: SIM105
            os.unlink(temporary)
        except OSError:
            pass
        raise
    return True


def _hold(file: BinaryIO) -> bool:
    """Mark a new temporary file as a living process's, by a lock that ends with it; False if it is gone already."""
    if fcntl is not None:
        with contextlib.suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_EX)
    return os.path.lexists(file.name)


def _remove_leftovers(folder: Path) -> None:
    """Remove the temporary files of dead processes: those that nobody holds. Without such locks they stay."""
    if fcntl is None:
        return
    try:
        names = os.listdir(folder)
    except OSError:
        return
    for path in [os.path.join(folder, name) for name in names if _TEMPORARY.fullmatch(name)]:
        with contextlib.suppress(OSError):
            if stat.S_ISREG(os.lstat(path).st_mode):
                with open(path, "r+b") as file:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    os.unlink(path)


def check_writable(path: FilePath) -> None:
    """Raise now, before any work, when `atomic_write` could not put a file there.

    Raises
    ------
    OSError
        The subclass that fits: no such folder, no permission, not a regular file.
    """
    target = Path(os.path.realpath(path) if os.path.islink(path) else path)
    if not target.parent.is_dir():
        raise FileNotFoundError(f"{path} cannot be written: {target.parent} is no folder; create it first")
    if target.exists() and not target.is_file():
        raise IsADirectoryError(f"{path} cannot be written: it is no file; expected the name of a file")
    try:
        with tempfile.TemporaryFile(dir=target.parent):
            pass
    except OSError as error:
        raise type(error)(f"{path} cannot be written: {error.strerror}; choose another folder") from None


def write_tensors(path: FilePath, tensors: Mapping[str, Array], header: msgspec.Struct) -> None:
    """Write arrays and a header, atomically.

    Parameters
    ----------
    path : file to write or replace
    tensors : arrays of float, int or bool of any memory layout; every bit is kept, NaN's too
    header : a Struct with a tag, which names the kind of contents, and ``forbid_unknown_fields``

    Raises
    ------
    TypeError
        A path that is none; a dtype that the file cannot hold.
    ValueError
        A path with another format's ending; a header of more than ``MAX_HEADER`` bytes.
    OSError
        As `atomic_write`.
    """
    from safetensors.numpy import save

    save_path("path", path)
    plain = {name: _savable(name, array) for name, array in tensors.items()}
    envelope = _Envelope(
        FORMAT_VERSION, _kind(type(header)), _NO_DIGEST, msgspec.Raw(msgspec.json.encode(header, enc_hook=encoded))
    )
    data = save(plain, {"fastrnn": msgspec.json.encode(envelope).decode()})
    length = int.from_bytes(data[:8], "little")
    if length > MAX_HEADER:
        raise ValueError(f"the header takes {length} bytes; expected at most {MAX_HEADER}: keep less beside the arrays")
    digest = hashlib.sha256(data).hexdigest()
    atomic_write(path, data.replace(_NO_DIGEST.encode(), digest.encode(), 1))


def read_tensors(path: FilePath, *header_types: type[Header], cure: str = "") -> tuple[dict[str, Array], Header]:
    """Read what `write_tensors` wrote.

    Parameters
    ----------
    path : file to read
    header_types : the Struct that was written, or several that may have been
    cure : what else to say about files of this kind where one is refused

    Returns
    -------
    tensors : writable arrays by name
    header : of one of ``header_types``

    Raises
    ------
    FileFormatError
        Anything but a whole, unchanged file of this kind; another program's is refused before its arrays are read.
    TypeError
        A path that is none.
    OSError
        The subclass that fits: no such file, a folder, no permission.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    check_path(path)
    kinds = {_kind(header_type): header_type for header_type in header_types}
    expected = f"a file of kind {' or '.join(map(repr, kinds))} written by fastrnn{cure and f': {cure}'}"
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        start = file.read(8)
        length = int.from_bytes(start, "little")
        if len(start) < 8 or length > size - 8:
            raise FileFormatError(path, f"{size} bytes that are not, or not all of, a safetensors file", expected)
        if length > MAX_HEADER:
            raise FileFormatError(path, f"a header of {length} bytes", f"{expected}, of at most {MAX_HEADER} bytes")
        start += file.read(length)
        envelope = _read_envelope(path, start[8:], kinds, expected)
        data = start.replace(envelope.sha256.encode(), _NO_DIGEST.encode(), 1) + file.read()
    if hashlib.sha256(data).hexdigest() != envelope.sha256:
        raise FileFormatError(path, "damaged or cut off: the contents differ from their SHA-256", "the file as written")
    # A digest proves that nothing changed by accident, not who wrote it: what follows still trusts nothing.
    try:
        header = msgspec.json.decode(envelope.header, type=kinds[envelope.kind], dec_hook=decoded)
        tensors = load(data)
    except (msgspec.DecodeError, SafetensorError, *_HOSTILE) as error:
        raise FileFormatError(path, f"a header or arrays that do not fit ({error})", expected) from error
    return tensors, header


def check_tensors(
    path: FilePath, tensors: Mapping[str, Array], shapes: Mapping[str, tuple[int, ...]], dtype: str
) -> None:
    """Hold the arrays of a file against what its header promises.

    Raises
    ------
    FileFormatError
        An array is missing, not expected, or of another shape or dtype.
    """
    if missing := sorted(shapes.keys() - tensors.keys()):
        raise FileFormatError(path, f"no array {missing[0]!r}", "the arrays that its header describes")
    if extra := sorted(tensors.keys() - shapes.keys()):
        raise FileFormatError(path, f"an array {extra[0]!r}", f"only {', '.join(shapes)}")
    for name, shape in shapes.items():
        array = tensors[name]
        if array.shape != shape or array.dtype != dtype:
            found = f"{name} of {array.dtype} and shape {array.shape}"
            raise FileFormatError(path, found, f"{dtype} and {shape}, as its header says")


def _regular_mode(target: Path) -> int | None:
    """Return the permissions of the file that is to be replaced, None where there is none."""
    if not target.parent.exists():
        raise FileNotFoundError(errno.ENOENT, f"there is no folder {target.parent}")
    if not target.exists():
        return None
    mode = target.stat().st_mode
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "not a regular file")  # replacing would put a file where the device was
    return stat.S_IMODE(mode)


def _sync_folder(folder: Path) -> None:
    # By now the new file is in place; where folders cannot be synced, the system writes the new name in its own time.
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _savable(name: str, array: Array) -> Array:
    """Return the array C-contiguous: safetensors writes an array's memory as it is, whatever its strides."""
    if array.dtype.kind not in "biuf" or array.dtype.itemsize > 8:
        raise TypeError(f"{name} is an array of {array.dtype}; expected floats, integers or bools of at most 64 bits")
    return np.asarray(array, order="C")


def _kind(header_type: type[msgspec.Struct]) -> str:
    return str(header_type.__struct_config__.tag)


def _read_envelope(path: FilePath, header: bytes, kinds: Collection[str], expected: str) -> _Envelope:
    try:
        metadata = msgspec.json.decode(header, type=_SafetensorsHeader).metadata
        if "fastrnn" not in metadata:
            raise FileFormatError(path, "a safetensors file that fastrnn did not write", expected)
        version = msgspec.json.decode(metadata["fastrnn"], type=_Version).version
        if version != FORMAT_VERSION:
            cure = f"version {FORMAT_VERSION}: upgrade fastrnn, or save the file again"
            raise FileFormatError(path, f"version {version} of the file format", cure)
        envelope = msgspec.json.decode(metadata["fastrnn"], type=_Envelope)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise FileFormatError(path, f"not a safetensors file, or damaged ({error})", expected) from error
    if envelope.kind not in kinds:
        raise FileFormatError(path, f"a file of kind {envelope.kind!r}", expected)
    return envelope
