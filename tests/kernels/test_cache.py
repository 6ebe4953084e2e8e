"""The cache of compiled code: never stale, never shared with strangers, and never in the way."""

import contextlib
import ctypes
import logging
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastrnn
from fastrnn.code import cache, store, target
from fastrnn.code.target import TARGET
from fastrnn.engine import ahead, compiling, ready
from fastrnn.ground.settings import DTYPES
from fastrnn.operations.call import CALL, Operation
from fastrnn.operations.updates import UPDATE

posix = pytest.mark.skipif(os.name != "posix", reason="modes, owners, signals and limits of POSIX")

ZERO_GRADIENTS = """
import ctypes, os, sys
from pathlib import Path
import numpy as np
from fastrnn.code import cache
from fastrnn.operations.call import CALL
from fastrnn.operations.updates import UPDATE, zero_gradients

if "FIXED_FOLDER" in os.environ:
    cache.FOLDER = Path(os.environ["FIXED_FOLDER"])
    cache.FOLDER.mkdir(exist_ok=True)
hit = zero_gradients.load("float32")
assert "numba" not in sys.modules
hit = hit or not zero_gradients.make("float32")
gradients = np.full(64, 7, np.float32)
call, spec = np.zeros(1, CALL), np.zeros(1, UPDATE)
call["threads"], spec["count"], spec["gradients"] = 1, gradients.size, gradients.ctypes.data
ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 3)(zero_gradients.address("float32"))(0, call.ctypes.data, spec.ctypes.data)
print(gradients[0], int(hit), cache.FOLDER)
"""
"""A small kernel that calls ``fill`` in another file: prints what it writes, whether it was cached, and where."""

EDIT = """

_fill = fill


@helper
def fill(target, count, value):
    _fill(target, count, value + 1.0)
"""


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A copy of what the kernels need, to be edited."""
    source = Path(fastrnn.__file__).parent
    for room in cache.ROOMS:
        shutil.copytree(source / room, tmp_path / "fastrnn" / room, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("__init__.py", "_version.py"):
        shutil.copy(source / name, tmp_path / "fastrnn" / name)
    return tmp_path


def start(package: Path, **environment: object) -> subprocess.Popen[str]:
    """Run the small kernel with the package that lies in ``package``, its cache in ``package/cache`` unless told."""
    settings = {"PYTHONPATH": package, "FASTRNN_CACHE_DIR": package / "cache"} | environment
    return subprocess.Popen(
        [sys.executable, "-c", ZERO_GRADIENTS],
        env=os.environ | {name: str(value) for name, value in settings.items()},
        cwd=package,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> tuple[float, int, str]:
    """Return what the kernel wrote, whether its code came from the cache, and the folder of the cache."""
    out, error = process.communicate()
    assert process.returncode == 0, error
    value, hits, folder = out.split(maxsplit=2)
    return float(value), int(hits), folder.strip()


def edit_callee(package: Path) -> None:
    rows = package / "fastrnn" / "kernels" / "machine" / "rows.py"
    rows.write_text(rows.read_text(encoding="utf-8") + EDIT, encoding="utf-8")


def test_editing_a_callee_gives_fresh_code_and_what_is_cached_is_used(package: Path) -> None:
    value, hits, folder = finish(start(package))
    assert (value, hits) == (0.0, 0)
    assert Path(folder).parent == package / "cache"
    assert finish(start(package)) == (0.0, 1, folder)
    edit_callee(package)
    value, hits, other = finish(start(package))
    assert (value, hits) == (1.0, 0)
    assert other != folder


def test_a_file_of_other_sources_is_not_used(package: Path) -> None:
    """Not even in the folder that is looked into."""
    assert finish(start(package, FIXED_FOLDER=package / "fixed"))[:2] == (0.0, 0)
    assert finish(start(package, FIXED_FOLDER=package / "fixed"))[:2] == (0.0, 1)
    edit_callee(package)
    assert finish(start(package, FIXED_FOLDER=package / "fixed"))[:2] == (1.0, 0)


def test_processes_that_start_at_once_compile_everything_once(package: Path) -> None:
    several = [finish(process) for process in [start(package) for _ in range(3)]]
    assert [value for value, _, _ in several] == [0.0] * 3
    assert sorted(hits for _, hits, _ in several) == [0, 1, 1]


@posix
def test_a_process_that_compiles_and_dies_keeps_nobody_waiting(package: Path) -> None:
    """Killed at any moment of its life."""
    for pause in (0.5, 1.0, 1.5, 2.0):
        process = start(package)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(pause)
        process.kill()
        process.communicate()
    assert finish(start(package))[0] == 0.0
    (folder,) = (package / "cache").glob("*/float32")
    assert {path.suffix for path in folder.iterdir()} <= {"", ".lock", ".part"}


def test_without_a_place_to_write_every_process_compiles_for_itself(package: Path) -> None:
    (package / "a_file").touch()
    assert finish(start(package, FASTRNN_CACHE_DIR=package / "a_file")) == (0.0, 0, "None")


FIT_ANOTHER_MODEL = """
import sys
import numpy as np
import fastrnn as fr

x, y = np.ones((9, 5, 3)), np.ones((9, 5, 2))
cells = [fr.SimpleRNN(7, return_sequences=True), fr.GRU(3, return_sequences=True, recurrent_dropout=0.1)]
model = fr.Sequential([*cells, fr.Dense(2)])
optimizer = fr.SGD(0.1, momentum=0.9)
trainer = fr.Trainer(model, "mae", optimizer, ["mse"], tbptt=(2, 3), tbptt_update="chunk", threads=2)
trainer.fit(x, y, epochs=2, batch_size=4, validation_split=0.3, lengths=np.arange(9) % 6, verbose=0)
model.predict(x)
model.gradients(x, y)
print("numba" in sys.modules)
"""


def test_after_warmup_another_process_and_another_model_compile_nothing(tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(Path(fastrnn.__file__).parents[1])}
    environment["FASTRNN_CACHE_DIR"] = str(cache.FOLDER.parent if cache.FOLDER else tmp_path)
    for script, expected in (("import fastrnn as fr; fr.warmup()", ""), (FIT_ANOTHER_MODEL, "False")):
        done = subprocess.run(
            [sys.executable, "-c", script],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip() == expected


def test_digest_follows_every_source_file_the_versions_and_the_processor(
    package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = package / "fastrnn"
    assert cache.sources(root) == cache.SOURCES
    for room in cache.ROOMS:
        for path in sorted((root / room).rglob("*.py")):
            source = path.read_bytes()
            path.write_bytes(source + b"\n")
            assert cache.sources(root) != cache.SOURCES, path.name
            path.write_bytes(source)
    (root / "kernels" / "machine" / "rows.py").rename(root / "kernels" / "machine" / "lines.py")
    assert cache.sources(root) != cache.SOURCES
    before = cache.digest()
    for name, other in (
        ("TARGET", TARGET._replace(cpu="another")), ("SOURCES", "0"), ("_numba_version", lambda: b"0.0"),
    ):  # fmt: skip
        with monkeypatch.context() as change:
            change.setattr(cache, name, other)
            assert cache.digest() != before, name


def test_the_folder_is_where_it_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FASTRNN_CACHE_DIR", raising=False)
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "numba"))
    assert cache.root() == tmp_path / "numba" / "fastrnn"
    monkeypatch.setenv("FASTRNN_CACHE_DIR", str(tmp_path / "own"))
    assert cache.root() == tmp_path / "own"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that a fresh process would use."""
    monkeypatch.setenv("FASTRNN_CACHE_DIR", str(tmp_path / "fastrnn"))
    return tmp_path / "fastrnn" / cache.digest()


def test_the_folder_is_private(folder: Path) -> None:
    assert cache._prepare() == (folder, "")
    if os.name == "posix":
        assert {part.stat().st_mode & 0o777 for part in (folder, folder.parent)} == {0o700}


@posix
@pytest.mark.parametrize("part", ["digest", "fastrnn", "above"])
@pytest.mark.parametrize("mode", [0o770, 0o707, 0o777, 0o1777])
def test_a_folder_that_others_may_write_or_put_in_its_place_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: str, mode: int
) -> None:
    """Unless a sticky bit keeps them from putting another in its place."""
    monkeypatch.setattr(cache, "_is_private", lambda group: False)
    monkeypatch.setenv("FASTRNN_CACHE_DIR", str(tmp_path / "above" / "given" / "fastrnn"))
    folder = tmp_path / "above" / "given" / "fastrnn" / cache.digest()
    folder.mkdir(parents=True)
    for each in (folder, folder.parent):
        each.chmod(0o700)
    wide = {"digest": folder, "fastrnn": folder.parent, "above": tmp_path / "above"}[part]
    wide.chmod(mode)
    if mode == 0o1777 and wide != folder:
        assert cache._prepare() == (folder, "")
    else:
        assert cache._prepare() == (None, f"{wide} may be written by others")


@posix
def test_a_group_of_one_is_nobody_else(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import grp
    import pwd

    folder.mkdir(parents=True)
    folder.chmod(0o770)
    name = pwd.getpwuid(os.getuid()).pw_name
    for own, members, is_private in ((name, [], True), (name, [name], True), (name, ["b"], False), ("b", [], False)):
        monkeypatch.setattr(
            grp, "getgrgid", lambda _, own=own, members=members: grp.struct_group((own, "", 7, members))
        )
        assert cache._is_private(7) == is_private
        assert (cache._prepare()[0] is not None) == is_private


@posix
@pytest.mark.parametrize("place", [(), ("..",), ("..", "..")])
def test_a_folder_of_somebody_else_is_not_used(
    folder: Path, monkeypatch: pytest.MonkeyPatch, place: tuple[str, ...]
) -> None:
    folder.mkdir(parents=True, mode=0o700)
    theirs = Path(os.path.normpath(folder.joinpath(*place)))
    stat = Path.stat

    def told(path: Path, **options: Any) -> Any:
        found = stat(path, **options)
        return os.stat_result((*found[:4], os.getuid() + 1, *found[5:10])) if path == theirs else found

    monkeypatch.setattr(Path, "stat", told)
    assert cache._prepare() == (None, f"{theirs} belongs to another user")


@posix
def test_a_link_is_judged_by_where_it_leads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, mode in (("safe", 0o700), ("wide", 0o777)):
        (tmp_path / name).mkdir()
        (tmp_path / name).chmod(mode)
        (tmp_path / "link").unlink(missing_ok=True)
        (tmp_path / "link").symlink_to(name)
        monkeypatch.setenv("FASTRNN_CACHE_DIR", str(tmp_path / "link" / "fastrnn"))
        folder, why = cache._prepare()
        if name == "safe":
            assert folder == tmp_path / "safe" / "fastrnn" / cache.digest()
        else:
            assert (folder, why) == (None, f"{tmp_path / 'wide'} may be written by others")


def test_without_a_home_there_is_no_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    for name in ("FASTRNN_CACHE_DIR", "NUMBA_CACHE_DIR", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", no_home)
    assert cache._prepare()[0] is None


@posix
def test_a_folder_that_may_be_read_is_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.mkdir(parents=True, mode=0o755)
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert cache._prepare() == (folder, f"{folder} cannot be written to")


def test_what_a_read_only_folder_lacks_is_compiled_and_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: list[str]
) -> None:
    monkeypatch.setattr(cache, "FOLDER", tmp_path)
    monkeypatch.setattr(cache, "WHY", "it cannot be written to")
    compiling.prepare([(zero_gradients(), "float32")])
    assert told[-1].endswith(" s, not kept: it cannot be written to")
    assert not list(tmp_path.iterdir())
    monkeypatch.setattr(cache, "WHY", "")
    assert zero_gradients_anew() == 0.0
    monkeypatch.setattr(cache, "WHY", "it cannot be written to")
    assert zero_gradients().load("float32")


def test_digests_that_nobody_used_for_long_are_removed(folder: Path) -> None:
    old, recent, foreign = "0" * 24, "1" * 24, "a folder of the user's"
    ages = {old: cache.KEEP_DAYS + 1, recent: cache.KEEP_DAYS - 1, foreign: cache.KEEP_DAYS + 1}
    for name, days in ages.items():
        (folder.parent / name / "float32").mkdir(parents=True)
        then = time.time() - days * 86400
        os.utime(folder.parent / name, (then, then))
    folder.parent.chmod(0o700)
    assert cache._prepare() == (folder, "")
    assert {path.name for path in folder.parent.iterdir()} == {recent, foreign, folder.name}


def test_using_a_digest_keeps_it_from_being_removed(folder: Path) -> None:
    cache._prepare()
    os.utime(folder, (0, 0))
    cache._prepare()
    assert time.time() - folder.stat().st_mtime < 3600


def zero_gradients() -> Operation:
    """The small kernel, as a new process would have it."""
    return Operation("zero_gradients", "training.optimizers", UPDATE)


def zero_gradients_anew() -> float:
    """Compile the small kernel, or load it from the cache, as a new process would; return what it writes."""
    address = zero_gradients().address("float32")
    gradients = np.full(64, 7, np.float32)
    call, spec = np.zeros(1, CALL), np.zeros(1, UPDATE)
    call["threads"], spec["count"], spec["gradients"] = 1, gradients.size, gradients.ctypes.data
    ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 3)(address)(0, call.ctypes.data, spec.ctypes.data)
    return float(gradients[0])


@pytest.fixture
def told() -> Iterator[list[str]]:
    """What fastrnn says unasked."""
    lines: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger("fastrnn").addHandler(handler)
    yield lines
    logging.getLogger("fastrnn").removeHandler(handler)


@contextlib.contextmanager
def full_disk() -> Iterator[None]:
    """No file can grow: writing to one is an OSError."""
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


@posix
def test_a_full_disk_does_not_stop_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "FOLDER", tmp_path)
    with full_disk():
        with pytest.raises(OSError, match="large"):
            (tmp_path / "a_file").write_bytes(b"full")
        assert zero_gradients_anew() == 0.0


def test_a_damaged_file_is_compiled_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut off, empty, or with any byte changed: in the machine code that would crash, at every start."""
    monkeypatch.setattr(cache, "FOLDER", tmp_path)
    assert zero_gradients_anew() == 0.0
    (path,) = tmp_path.glob("float32/zero_gradients-*[0-9a-f]")
    whole = path.read_bytes()
    monkeypatch.setattr(store.json, "loads", lambda text: {"needs": []})
    assert store.read(path, {}) is not None
    rng = np.random.default_rng(0)
    for place in (0, 22, 23, 54, 55, len(whole) - 1, *map(int, rng.integers(0, len(whole), 200))):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        assert store.read(path, {}) is None
    for end in (0, 22, 40, 55, len(whole) - 1):
        path.write_bytes(whole[:end])
        assert store.read(path, {}) is None
    monkeypatch.undo()
    monkeypatch.setattr(cache, "FOLDER", tmp_path)
    path.write_bytes(whole[:-100])
    assert zero_gradients_anew() == 0.0
    again = path.read_bytes()
    assert zero_gradients_anew() == 0.0
    assert path.read_bytes() == again != whole[:-100]


def test_code_that_needs_what_is_not_there_is_not_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """LLVM would end the process."""
    monkeypatch.setattr(cache, "FOLDER", tmp_path)
    assert zero_gradients_anew() == 0.0
    (path,) = tmp_path.glob("float32/zero_gradients-*[0-9a-f]")
    head, _, code = path.read_bytes()[store._START :].partition(b"\n")
    told = store.json.loads(head)
    told.pop("needs")
    assert store.read(path, told) == (code, [])
    store.write(path, code, ["a_function_of_another_library"], told)
    assert not zero_gradients().load("float32")
    assert zero_gradients_anew() == 0.0
    assert store.read(path, told) is not None
    assert zero_gradients().load("float32")


@pytest.mark.parametrize("error", [MemoryError, KeyboardInterrupt, RuntimeError])
def test_an_error_while_compiling_leaves_what_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
) -> None:
    (tmp_path / "float32").mkdir()
    (tmp_path / "float32" / "another").touch()
    monkeypatch.setattr(cache, "FOLDER", tmp_path)

    def fail(*_: Any) -> None:
        raise error

    with monkeypatch.context() as patch, pytest.raises(error):
        patch.setattr("fastrnn.kernels.machine.compiler.compiled", fail)
        zero_gradients_anew()
    assert {path.name for path in (tmp_path / "float32").iterdir() if path.suffix != ".lock"} == {"another"}
    assert zero_gradients_anew() == 0.0


def test_without_compilation_there_is_a_line_and_the_cache_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "FOLDER", tmp_path)
    assert zero_gradients_anew() == 0.0
    before = sorted(tmp_path.rglob("*"))
    code = "import fastrnn as fr; fr.Sequential([fr.SimpleRNN(2)], input_size=1).predict([[[1.0]]])"
    environment = os.environ | {"NUMBA_DISABLE_JIT": "1", "FASTRNN_CACHE_DIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert "ValueError: NUMBA_DISABLE_JIT is set; expected it not to be" in done.stderr
    assert "compiling" not in done.stderr.replace("compiling.py", "")
    assert set(before) <= set(tmp_path.rglob("*"))


@pytest.mark.parametrize("stream", ["None", "open(os.devnull)", "closed"])
def test_no_fit_fails_for_want_of_a_place_to_tell(tmp_path: Path, stream: str) -> None:
    """While it compiles, and with a bar."""
    code = f"""
import os, sys
closed = open(os.devnull, "w")
closed.close()
sys.stderr = sys.stdout = {stream}
import numpy as np
from fastrnn.engine import compiling
import fastrnn as fr
compiling.OFTEN = -1.0
with compiling._Notice(1) as notice:
    notice.tell(1)
fr.Trainer(fr.Sequential([fr.SimpleRNN(2), fr.Dense(1)])).fit(np.ones((4, 3, 1)), np.ones((4, 1)), epochs=2, verbose=1)
os.write(1, b"fitted")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "fitted", done.stderr


@pytest.mark.parametrize("executable", [sys.executable, "", "/no/such/python"])
def test_compilation_says_what_it_does_and_for_how_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: list[str], executable: str
) -> None:
    """With a second process that compiles, without one, and where it cannot be started."""
    monkeypatch.setattr(compiling, "_WORTH", 1)
    monkeypatch.setattr(cache, "FOLDER", tmp_path)
    monkeypatch.setattr(sys, "executable", executable)
    compiling.prepare([(zero_gradients(), "float32")])
    begun, ended = told
    assert begun == f"compiling 1 kernel for this processor ({TARGET.cpu}) ..."
    assert re.fullmatch(r"1 kernel, \d+\.\d s, kept for later runs", ended)
    compiling.prepare([(zero_gradients(), "float32")])
    assert len(told) == 2


def test_what_a_wheel_brings_is_used_without_a_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ready, "everything", lambda dtype: [(zero_gradients(), dtype)])
    for name, value in (("FOLDER", None), ("WHY", "there is none")):
        monkeypatch.setattr(cache, name, value)
    ready.main(str(tmp_path / TARGET.cpu))
    assert {path.name for path in (tmp_path / TARGET.cpu).iterdir()} == set(DTYPES)
    monkeypatch.setattr(cache, "FOLDER", None)
    assert not zero_gradients().load("float64")
    monkeypatch.setattr(cache, "READY", tmp_path)
    assert zero_gradients().load("float64")


def test_the_best_level_is_chosen_that_the_processor_has_and_a_wheel_brings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(target, "READY", tmp_path)
    everything = dict.fromkeys(target.LEVELS["x86-64-v4"], True)
    for brought, lacking, chosen in (
        ([], "", None), (["x86-64-v3"], "", "x86-64-v3"), (["x86-64-v4"], "", "x86-64-v4"),
        ([], "avx512vl", "x86-64-v3"), ([], "fma", None),
    ):  # fmt: skip
        for level in brought:
            (tmp_path / level).mkdir()
        monkeypatch.setattr(target.llvm, "get_host_cpu_features", lambda lacking=lacking: everything | {lacking: False})
        assert target._level() == chosen, lacking


def test_another_process_keeps_what_it_compiles_where_the_first_looks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The smallest kernel stands for all."""
    monkeypatch.setattr(cache, "FOLDER", tmp_path)
    assert not zero_gradients().load("float64")
    ahead.main([(zero_gradients(), "float64")])
    assert zero_gradients().load("float64")


@posix
def test_what_another_process_is_at_is_left_to_it_and_done_if_it_dies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "FOLDER", tmp_path)
    ahead.main([(zero_gradients(), "float32")])
    (path,) = tmp_path.glob("float32/zero_gradients-*.lock")
    path.with_suffix("").unlink()
    hold = "import fcntl, sys, time; f = open(sys.argv[1], 'ab'); fcntl.lockf(f, fcntl.LOCK_EX); print(flush=True)"
    holder = subprocess.Popen([sys.executable, "-c", f"{hold}; time.sleep(60)", str(path)], stdout=subprocess.PIPE)
    assert holder.stdout is not None
    holder.stdout.readline()
    code = zero_gradients()
    assert not code.make("float32", patience=0.0)
    assert not code.is_ready("float32")
    holder.kill()
    holder.communicate()
    compiling.prepare([(code, "float32")])
    assert code.is_ready("float32")


def test_the_other_process_imports_nothing_from_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "random.py").write_text("from pathlib import Path\nPath('imported').touch()\nraise SystemExit\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["", ".", *sys.path])
    monkeypatch.setattr(compiling, "_WORTH", 1)
    monkeypatch.setattr(compiling, "available_threads", lambda: 2)
    monkeypatch.setattr(cache, "FOLDER", tmp_path)
    started = []
    popen = subprocess.Popen

    def keep(*arguments: Any, **options: Any) -> Any:
        started.append(popen(*arguments, **options))
        return started[-1]

    monkeypatch.setattr(subprocess, "Popen", keep)
    with compiling._others([(zero_gradients(), "float64")]):
        (process,) = started
        assert process.wait() == 0
    assert not (tmp_path / "imported").exists()
