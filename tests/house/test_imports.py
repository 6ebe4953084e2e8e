"""The house: who may import whom, what `import fastrnn` must not load, and what is said where an extra is missing."""

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import NamedTuple

import pytest

import fastrnn as fr

ROOT = Path(fr.__file__).parent
OPTIONAL = {"cyclopts", "matplotlib", "narwhals", "pandas", "polars", "pyarrow", "sklearn", "tqdm"}


class Floor(NamedTuple):
    """Modules that may import each other, and the floors they may look down to."""

    modules: set[str]
    below: set[str]


FLOORS = {
    "reference": set(),
    "code": set(),
    "operations": {"code"},
    "kernels": {"code", "operations"},
    "ground": set(),
    "equations": set(),
    "initializers": {"ground"},
    "layers": {"ground", "equations", "initializers"},
    "losses": {"ground", "equations"},
    "optimizers": {"ground"},
    "engine": {"ground", "code", "operations", "equations", "layers", "losses", "optimizers"},
    "model": {"ground", "layers", "losses", "engine"},
    "callbacks": {"ground"},
    "training": {"ground", "layers", "losses", "optimizers", "engine", "model", "callbacks"},
    "storage": {"ground", "layers", "engine", "model", "training"},
    "data": {"ground"},
    "datasets": {"data"},
    "forecast": {"ground", "layers", "optimizers", "model", "callbacks", "training", "storage", "data"},
    "pictures": {"ground", "forecast"},
    "text": {"ground", "initializers", "layers", "optimizers", "model", "callbacks", "training", "storage", "pictures"},
    "tutorials": {"", "ground", "initializers", "datasets", "text"},
    "cli": {"", "ground", "engine", "callbacks", "data", "datasets", "forecast", "pictures", "text", "tutorials"},
    "": {"cli"},
}
"""Every folder, from the lowest floor up, and the folders that it may look down to; "" is the package's own door."""
UPWARD = {
    ("model.sequential", "storage.model_file"),
    ("training.trainer", "storage.trainer_file"),
    ("training.history", "pictures.plots"),
    ("callbacks.monitors", "storage.trainer_file"),
}
"""Conveniences of a class for what is above it; only inside a function."""
CLOSED = {
    "reference": {"numpy"},
    "code": {"numpy", "llvmlite"},
    "operations": {"numpy"},
    "kernels": {"numpy", "numba", "llvmlite"},
}
"""What the rooms may import from outside, beside the standard library."""


class Import(NamedTuple):
    """One imported module: who imports it, and whether at the top of a module or in a function."""

    file: Path
    module: str
    target: str
    at_top: bool
    runs: bool

    @property
    def room(self) -> str:
        return room_of(self.module)


MODULES = {
    ".".join(file.relative_to(ROOT.parent).with_suffix("").parts).removesuffix(".__init__"): file
    for file in sorted(ROOT.rglob("*.py"))
}


def room_of(module: str) -> str:
    """The folder of a module of the package, "" for what lies beside the folders."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and (ROOT / parts[1]).is_dir() else ""


def imports_of(module: str, file: Path) -> list[Import]:
    """List what a file imports, for type checkers as well."""
    found: list[Import] = []

    def visit(node: ast.AST, at_top: bool, runs: bool) -> None:
        match node:
            case ast.Import():
                found.extend(Import(file, module, alias.name, at_top, runs) for alias in node.names)
            case ast.ImportFrom():
                assert node.level == 0, f"{file}: a relative import; expected the full name"
                whole = [f"{node.module}.{alias.name}" for alias in node.names]
                targets = {name if name in MODULES else str(node.module) for name in whole}
                found.extend(Import(file, module, target, at_top, runs) for target in sorted(targets))
        for child in ast.iter_child_nodes(node):
            is_type = isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING" and child in node.body
            visit(child, at_top and not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef), runs and not is_type)

    visit(ast.parse(file.read_text(encoding="utf-8")), True, True)
    return found


IMPORTS = [found for name, file in MODULES.items() if name != "fastrnn" for found in imports_of(name, file)]


def is_upward(found: Import) -> bool:
    pair = found.module.removeprefix("fastrnn."), found.target.removeprefix("fastrnn.")
    return pair in UPWARD and not found.at_top


def test_every_folder_has_its_floor():
    folders = {folder.name for folder in ROOT.iterdir() if folder.is_dir() and list(folder.glob("*.py"))}
    assert folders | {""} == FLOORS.keys()
    assert {file.name for file in ROOT.glob("*.py")} == {"__init__.py", "__main__.py", "_version.py"}


def test_floors_stand_on_each_other():
    order = list(FLOORS)
    for room, below in FLOORS.items():
        assert below <= set(order[: order.index(room)]) | {""}


def test_imports_point_down():
    wrong = [
        f"{found.file}: {found.room} imports {found.target}"
        for found in IMPORTS
        if found.target.split(".")[0] == "fastrnn"
        and found.target != "fastrnn._version"
        and room_of(found.target) not in FLOORS[found.room] | {found.room}
        and not is_upward(found)
    ]
    assert not wrong


def test_there_is_no_circle_of_files():
    """Neither of imports that run nor of those for type checkers; a package's `__init__` says what its files say."""
    below: dict[str, set[str]] = {}
    for found in IMPORTS:
        if found.target in MODULES and found.target != "fastrnn" and not is_upward(found):
            below.setdefault(found.module, set()).add(found.target)
    TopologicalSorter(below).prepare()


@pytest.mark.parametrize("room", CLOSED)
def test_closed_rooms_know_nothing_outside(room):
    allowed = CLOSED[room] | sys.stdlib_module_names | {"fastrnn"}
    wrong = [found for found in IMPORTS if found.room == room and found.target.split(".")[0] not in allowed]
    assert not wrong


def test_packages_of_extras_are_imported_when_used():
    wrong = [found for found in IMPORTS if found.at_top and found.runs and found.target.split(".")[0] in OPTIONAL]
    assert {found.file for found in wrong} <= {ROOT / "cli" / f"{name}.py" for name in ("app", "run", "text")}


def test_tutorials_use_what_users_have():
    """The public names and the modules of data; of the rest only what says which extra is missing."""
    public = {"fastrnn", "fastrnn.datasets", "fastrnn.ground.extras", "fastrnn.initializers", "fastrnn.text"}
    targets = {found.target for found in IMPORTS if found.room == "tutorials" and "fastrnn" in found.target}
    assert "fastrnn" in targets
    assert not {target for target in targets - public if not target.startswith("fastrnn.tutorials.")}


# ---------------------------------------------------------------------------------------------- what is loaded


def run(code: str) -> str:
    """Run code in a process of its own and return what it printed."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


LOADED = "import sys; print(*{name.split('.')[0] for name in sys.modules})"


def test_import_alone_loads_nothing_heavy():
    assert not set(run(f"import fastrnn; {LOADED}").split()) & (OPTIONAL | {"msgspec", "numba", "numpy", "safetensors"})


def test_training_loads_no_package_of_an_extra():
    code = "import fastrnn as fr; fr.Sequential([fr.SimpleRNN(2), fr.Dense(1)], input_size=1); fr.Trainer; fr.load;"
    assert not set(run(code + LOADED).split()) & OPTIONAL


def test_every_public_name_is_there():
    assert set(fr.__all__) <= set(dir(fr))
    for name in fr.__all__:
        assert getattr(fr, name) is not None
    with pytest.raises(AttributeError, match="LSTM9"):
        fr.LSTM9  # noqa: B018


# ---------------------------------------------------------------------------------------------- the package


def test_the_version_is_written_once():
    try:
        installed = version("fastrnn")
    except PackageNotFoundError:
        pytest.skip("fastrnn runs from its sources and is not installed")
    assert installed == fr.__version__


def test_the_package_says_that_it_is_typed():
    assert (ROOT / "py.typed").exists()


def test_data_and_licences_are_in_the_package():
    series = [file for file in (ROOT / "datasets").iterdir() if file.suffix in {".csv", ".txt", ".npz"}]
    assert series
    assert [file.name for file in (ROOT / "datasets").iterdir() if file.suffix == ".md"]


@pytest.mark.parametrize("missing", ["cyclopts"])
def test_the_command_names_the_missing_extra_in_one_line(missing):
    code = f"import sys; sys.modules[{missing!r}] = None; from fastrnn.cli import main; sys.exit(main(['info']))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert 'pip install "fastrnn[cli]"' in done.stderr
