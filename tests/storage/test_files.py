"""Files: what is written is read back bit for bit, all else is refused, and a failure leaves the old file whole."""

import errno
import os
import stat
import subprocess
import sys
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from safetensors.numpy import save_file

import fastrnn as fr
from fastrnn.ground import files
from fastrnn.ground.files import (
    MAX_HEADER,
    FileFormatError,
    atomic_write,
    check_tensors,
    check_writable,
    read_tensors,
    write_tensors,
)
from tests.helpers.files import HANG_IN_REPLACE, entry, forge, kill_between_write_and_replace

posix = pytest.mark.skipif(os.name != "posix", reason="modes, signals and limits of POSIX")


class Note(msgspec.Struct, forbid_unknown_fields=True, tag="note"):
    text: str = ""


class Other(msgspec.Struct, forbid_unknown_fields=True, tag="other"):
    text: str = ""


TENSORS = {"a": np.arange(3.0), "b": np.array([[1, 2]], dtype=np.int32)}
NOTE = Note('naïve "text"\n\\')


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "note.safetensors"
    write_tensors(path, TENSORS, NOTE)
    return path


def assert_refused(path, match="expected"):
    with pytest.raises(FileFormatError, match=match) as refusal:
        read_tensors(path, Note)
    assert path.name in str(refusal.value)
    assert "; expected " in str(refusal.value)
    assert "\n" not in str(refusal.value)


# ---------------------------------------------------------------------------------------------- atomic_write


def test_new_file_has_the_contents_and_leaves_nothing_beside_it(tmp_path):
    atomic_write(tmp_path / "new", b"contents")
    assert (tmp_path / "new").read_bytes() == b"contents"
    assert os.listdir(tmp_path) == ["new"]


@posix
@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_new_file_has_the_mode_that_the_umask_leaves(tmp_path, umask):
    before = os.umask(umask)
    try:
        atomic_write(tmp_path / "new", b"")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o666 & ~umask


@posix
def test_mode_and_link_are_kept(tmp_path):
    file, link = tmp_path / "file", tmp_path / "link"
    file.write_bytes(b"old")
    file.chmod(0o640)
    link.symlink_to("file")
    atomic_write(link, b"new")
    assert link.is_symlink()
    assert file.read_bytes() == b"new"
    assert stat.S_IMODE(file.stat().st_mode) == 0o640


@pytest.mark.parametrize(
    ("name", "error", "match"),
    [
        ("folder", IsADirectoryError, "directory"),
        ("absent/file", FileNotFoundError, "no folder .*absent"),
        ("file/below", NotADirectoryError, "directory"),
        pytest.param("pipe", OSError, "not a regular file", marks=posix),
    ],
)
def test_a_place_that_no_file_can_take(tmp_path, name, error, match):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_bytes(b"old")
    if name == "pipe":
        os.mkfifo(tmp_path / name)
    before = sorted(os.listdir(tmp_path))
    with pytest.raises(error, match=match) as refusal:
        atomic_write(tmp_path / name, b"new")
    assert str(tmp_path / name) in str(refusal.value)
    with pytest.raises(OSError, match="cannot be written") as refusal:
        check_writable(tmp_path / name)
    assert str(tmp_path / name) in str(refusal.value)
    assert sorted(os.listdir(tmp_path)) == before


@posix
def test_what_can_be_written_is_not_refused_and_stays_as_it_is(tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "old").write_bytes(b"old")
    (tmp_path / "link").symlink_to("there/new")
    for name in ("new", "old", "link"):
        check_writable(tmp_path / name)
    assert sorted(os.listdir(tmp_path)) == ["link", "old", "there"]
    assert (tmp_path / "old").read_bytes() == b"old"
    (tmp_path / "there").rmdir()
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        check_writable(tmp_path / "link")


@pytest.mark.parametrize("call", ["fsync", "replace"])
@pytest.mark.parametrize("failure", [OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), KeyboardInterrupt()])
def test_a_failure_leaves_the_old_file_and_no_other(tmp_path, monkeypatch, call, failure):
    def fail(*_):
        raise failure

    (tmp_path / "file").write_bytes(b"old")
    monkeypatch.setattr(os, call, fail)
    with pytest.raises(type(failure)) as raised:
        atomic_write(tmp_path / "file", b"new")
    if isinstance(failure, OSError):
        assert raised.value.errno == errno.ENOSPC
        assert "as it was" in str(raised.value)
        assert str(tmp_path / "file") in str(raised.value)
    assert os.listdir(tmp_path) == ["file"]
    assert (tmp_path / "file").read_bytes() == b"old"


@posix
def test_a_disk_that_takes_no_more_leaves_the_old_file_and_no_other(tmp_path):
    (tmp_path / "file").write_bytes(b"old")
    code = """
import resource, sys
from fastrnn.ground.files import atomic_write
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, 1 << 16))
try:
    atomic_write(sys.argv[1], bytes(1 << 20))
except OSError as error:
    print(error)
"""
    run = subprocess.run([sys.executable, "-c", code, tmp_path / "file"], capture_output=True, text=True, check=True)
    assert os.strerror(errno.EFBIG) in run.stdout
    assert "as it was" in run.stdout
    assert os.listdir(tmp_path) == ["file"]
    assert (tmp_path / "file").read_bytes() == b"old"


@posix
def test_a_kill_between_write_and_replace_leaves_the_old_file(tmp_path):
    (tmp_path / "file").write_bytes(b"old")
    code = f"from fastrnn.ground.files import atomic_write; atomic_write({str(tmp_path / 'file')!r}, b'new')"
    kill_between_write_and_replace(code)
    assert (tmp_path / "file").read_bytes() == b"old"
    assert len(os.listdir(tmp_path)) == 2
    atomic_write(tmp_path / "file", b"newer")
    assert (tmp_path / "file").read_bytes() == b"newer"
    assert os.listdir(tmp_path) == ["file"]


@posix
def test_only_what_a_dead_process_was_writing_is_removed(tmp_path):
    """Not a living one's file, and nothing that is called or made otherwise."""
    code = f"from fastrnn.ground.files import atomic_write; atomic_write({str(tmp_path / 'other')!r}, b'new')"
    with subprocess.Popen([sys.executable, "-c", HANG_IN_REPLACE + code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "written\n"
        (living,) = os.listdir(tmp_path)
        names = [living[:-1], f"{living}.part", living.upper(), f".fastrnn-{'0' * 16}.tmp"]
        for name in names:
            (tmp_path / name).write_bytes(b"")
        (tmp_path / f".fastrnn-{'0' * 16}.part").mkdir()
        (tmp_path / f".fastrnn-{'1' * 16}.part").symlink_to(living[:-1])
        os.mkfifo(tmp_path / f".fastrnn-{'2' * 16}.part")
        before = set(os.listdir(tmp_path))
        (tmp_path / f".fastrnn-{'3' * 16}.part").write_bytes(b"left")
        atomic_write(tmp_path / "file", b"new")
        assert set(os.listdir(tmp_path)) == before | {"file"}
        process.kill()


@posix
def test_a_file_that_is_removed_before_it_is_held_is_written_again(tmp_path, monkeypatch):
    import fcntl

    flock, removed = fcntl.flock, []

    def remove(file, operation):
        if not removed:
            removed.append(file.name)
            os.unlink(file.name)
        flock(file, operation)

    monkeypatch.setattr(fcntl, "flock", remove)
    atomic_write(tmp_path / "file", b"new")
    assert (tmp_path / "file").read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["file"]
    assert removed


def test_without_such_locks_files_are_written_as_well(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "fcntl", None)
    (tmp_path / f".fastrnn-{'0' * 16}.part").write_bytes(b"somebody's")
    atomic_write(tmp_path / "file", b"new")
    assert (tmp_path / "file").read_bytes() == b"new"
    assert len(os.listdir(tmp_path)) == 2


@posix
def test_kills_at_random_instants():
    """A sample of the search, which says what holds after each."""
    command = [sys.executable, "-m", "tests.searches.kills", "--count", "12"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


# ---------------------------------------------------------------------------------------------- the container

dtypes = st.one_of(
    hnp.boolean_dtypes(),
    hnp.floating_dtypes(sizes=(16, 32, 64), endianness="?"),
    hnp.integer_dtypes(endianness="?"),
    hnp.unsigned_integer_dtypes(endianness="?"),
)
shapes = hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)
layouts = st.sampled_from(
    [lambda a: a, lambda a: a.T, lambda a: a[::-1] if a.ndim else a, lambda a: a[..., ::2] if a.ndim else a]
)


@given(
    arrays=st.dictionaries(st.text(min_size=1, max_size=5), hnp.arrays(dtypes, shapes), max_size=3),
    layout=layouts,
    text=st.text(),
)
def test_every_bit_comes_back(tmp_path_factory, arrays, layout, text):
    arrays = {name: layout(array) for name, array in arrays.items()}
    path = tmp_path_factory.getbasetemp() / "round"
    write_tensors(path, arrays, Note(text))
    tensors, header = read_tensors(path, Note)
    assert header == Note(text)
    assert tensors.keys() == arrays.keys()
    for name, array in arrays.items():
        found = tensors[name]
        assert found.dtype == array.dtype.newbyteorder("=")
        assert found.shape == array.shape
        assert found.tobytes() == array.astype(found.dtype).tobytes()
        assert found.flags.writeable


def test_equal_contents_give_equal_files(path, tmp_path):
    for _ in range(5):
        write_tensors(tmp_path / "again", dict(reversed(TENSORS.items())), NOTE)
        assert (tmp_path / "again").read_bytes() == path.read_bytes()


@pytest.mark.parametrize("array", [np.array(["text"]), np.array([1j]), np.array([None]), np.longdouble([1])])
def test_a_dtype_that_no_file_holds(tmp_path, array):
    if array.dtype == np.float64:
        pytest.skip("long double is double here")
    with pytest.raises(TypeError, match=r"strange is an array of .*; expected"):
        write_tensors(tmp_path / "file", {"strange": array}, NOTE)
    assert not os.listdir(tmp_path)


def test_a_header_too_long_to_be_read_is_not_written(tmp_path):
    with pytest.raises(ValueError, match=f"expected at most {MAX_HEADER}"):
        write_tensors(tmp_path / "file", {}, Note("x" * MAX_HEADER))
    assert not os.listdir(tmp_path)


# ---------------------------------------------------------------------------------------------- refusals


def test_a_file_cut_off_anywhere(path):
    whole = path.read_bytes()
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        assert_refused(path)


def test_any_flipped_bit(path):
    whole = bytearray(path.read_bytes())
    for place in range(len(whole)):
        for bit in range(8):
            whole[place] ^= 1 << bit
            path.write_bytes(whole)
            assert_refused(path)
            whole[place] ^= 1 << bit


@given(data=st.data(), junk=st.binary(max_size=20))
def test_any_stretch_replaced(tmp_path_factory, data, junk):
    path = tmp_path_factory.getbasetemp() / "replaced"
    write_tensors(path, TENSORS, NOTE)
    whole = path.read_bytes()
    start = data.draw(st.integers(0, len(whole)))
    end = data.draw(st.integers(start, len(whole)))
    changed = whole[:start] + junk + whole[end:]
    if changed != whole:
        path.write_bytes(changed)
        assert_refused(path)


@given(junk=st.binary(max_size=200))
def test_any_bytes(tmp_path_factory, junk):
    path = tmp_path_factory.getbasetemp() / "junk"
    path.write_bytes(junk)
    assert_refused(path)


@pytest.mark.parametrize("metadata", [None, {"format": "pt"}, {"fastrnn": "{}"}, {"fastrnn": "["}])
def test_a_safetensors_file_of_another_program(tmp_path, metadata):
    save_file(TENSORS, tmp_path / "foreign", metadata)
    assert_refused(tmp_path / "foreign")


def test_another_kind_is_told_by_name(path):
    with pytest.raises(FileFormatError, match=r"note\.safetensors: a file of kind 'note'; expected .* 'other'"):
        read_tensors(path, Other)


def test_a_later_version_tells_the_cure(tmp_path):
    forge(tmp_path / "later", "{}", version=2)
    assert_refused(tmp_path / "later", "version 2 .* upgrade fastrnn")


@pytest.mark.parametrize(
    "header",
    [
        '{"type":"note","text":"","more":1}',
        '{"type":"other","text":""}',
        '{"text":1}',
        "null",
        "[" * 100_000 + "]" * 100_000,
        '{"type":"note","text":' + '{"a":' * 100_000 + "1" + "}" * 100_001,
    ],
    ids=["unknown field", "other tag", "wrong type", "null", "deep lists", "deep objects"],
)
def test_a_hostile_header(tmp_path, header):
    forge(tmp_path / "hostile", header, kind="note")
    assert_refused(tmp_path / "hostile")


@pytest.mark.parametrize(
    ("arrays", "size"),
    [
        (entry("a", "F64", [2], 0, 8), 8),
        (entry("a", "F64", [1], 0, 8) + "," + entry("b", "F64", [1], 0, 8), 8),
        (entry("a", "F64", [1], 8, 16), 16),
        (entry("a", "F64", [1], 0, 8), 16),
        (entry("a", "F64", [1], 0, 8), 4),
        (entry("a", "F64", [2**62], 0, 2**65), 8),
        (entry("a", "F64", [2**32, 2**32], 0, 0), 0),
        (entry("a", "F64", [0, 2**63], 0, 0), 0),
        (entry("a", "F64", [-1], 0, 8), 8),
        (entry("a", "F64", [1.5], 0, 8), 8),
        (entry("a", "F8_E4M3", [1], 0, 1), 1),
        (entry("a", "X99", [1], 0, 8), 8),
        ('"a":' + "[" * 100_000 + "]" * 100_000, 0),
        ('"a":null', 0),
    ],
)
def test_hostile_arrays(tmp_path, arrays, size):
    forge(tmp_path / "hostile", '{"type":"note"}', kind="note", arrays=arrays, body=bytes(size))
    assert_refused(tmp_path / "hostile")


def test_a_header_of_more_bytes_than_are_read(tmp_path):
    with (tmp_path / "huge").open("wb") as file:
        file.write((MAX_HEADER + 1).to_bytes(8, "little"))
        file.truncate(2 * MAX_HEADER)  # sparse: takes no room
    assert_refused(tmp_path / "huge", f"at most {MAX_HEADER} bytes")


def test_no_file_and_a_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match="absent"):
        read_tensors(tmp_path / "absent", Note)
    with pytest.raises((IsADirectoryError, PermissionError), match="test_no_file"):
        read_tensors(tmp_path, Note)


@pytest.mark.parametrize(
    ("tensors", "match"),
    [
        ({}, "no array 'a'; expected"),
        ({"a": np.zeros((2, 3)), "b": np.zeros(1)}, "an array 'b'; expected only a"),
        ({"a": np.zeros((3, 2))}, r"a of float64 and shape \(3, 2\); expected float64 and \(2, 3\)"),
        ({"a": np.zeros((2, 3), np.float32)}, "a of float32"),
    ],
)
def test_arrays_that_the_header_does_not_describe(tensors, match):
    with pytest.raises(FileFormatError, match=f"file: {match}"):
        check_tensors(Path("file"), tensors, {"a": (2, 3)}, "float64")


# ---------------------------------------------------------------------------------------------- endings


FOREIGN = ["m.onnx", "m.ONNX", "a.b/m.h5", "m.keras", "m.pt", "m.pth", "m.pkl", "m.npz", "m.joblib", "m.tflite", "m.pb"]
FOREIGN += ["m.json", "m.csv", "fit.png", "m.safetensors.gz", "m.tar", ".onnx.h5"]
ALLOWED = ["m", "m.safetensors", "m.ckpt", "m.SafeTensors", "m.model", "onnx", ".onnx", "m.onnx.bak", "v1.2", "h5.d/m"]


@pytest.mark.parametrize("name", FOREIGN)
def test_the_ending_of_another_format_is_refused(tmp_path, name):
    model = fr.Sequential([fr.SimpleRNN(2)], input_size=1)
    trainer, path = fr.Trainer(model), tmp_path / name
    for write in (model.save, trainer.save_checkpoint, fr.ModelCheckpoint):
        for place in (path, str(path)):
            with pytest.raises(ValueError, match=r"whose ending \.\w+ stands for .*; expected \.safetensors or \.ckpt"):
                write(place)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", ALLOWED)
def test_other_endings_and_none_are_taken(tmp_path, name):
    model = fr.Sequential([fr.SimpleRNN(2)], input_size=1)
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    model.save(path)
    assert fr.load(path).count_params() == model.count_params()
    fr.Trainer(model).save_checkpoint(path)
    assert fr.ModelCheckpoint(path).path == path


def test_a_file_under_another_ending_is_still_read(tmp_path):
    """As earlier versions wrote them."""
    fr.Sequential([fr.SimpleRNN(2)], input_size=1).save(tmp_path / "m")
    os.rename(tmp_path / "m", tmp_path / "m.onnx")
    assert fr.load(tmp_path / "m.onnx").built
