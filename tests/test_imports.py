"""The house: who may import whom, what `import fastrnn` must not load, and what is said where an extra is missing."""

import ast
import subprocess
import sys
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
    "reference": Floor({"reference"}, set()),
    "kernels": Floor({"kernels"}, set()),
    "ground": Floor(
        {
            "_version",
            "attributes",
            "checks",
            "console",
            "dialects",
            "extras",
            "files",
            "locks",
            "memory",
            "names",
            "notices",
            "reading",
            "settings",
            "unknown",
        },
        set(),
    ),
    "model": Floor(
        {"initializers", "layers", "lowering", "model", "network", "optimizers", "plan", "states", "stream", "summary"}
        | {"cells", "compiling", "lane", "losses", "team", "threads", "trainer_settings", "training_data", "update"},
        {"ground", "kernels"},
    ),
    "trainer": Floor({"callbacks", "history", "monitors", "trainer", "warm"}, {"ground", "kernels", "model"}),
    "data": Floor(
        {"baselines", "clock", "data", "datasets", "dates", "delimited", "moments", "numerals", "sources", "tables"},
        {"ground"},
    ),
    "artefacts": Floor({"checkpoint", "plots", "report", "trainer_file"}, {"ground", "model", "data"}),
    "faces": Floor(
        {"__main__", "cli", "forecast", "text", "tutorials"}, {"ground", "model", "trainer", "data", "artefacts"}
    ),
}
UPWARD = {("model", "checkpoint"), ("trainer", "trainer_file"), ("monitors", "trainer_file"), ("history", "plots")}
"""Conveniences of a class for what is above it; only inside a function."""
CLOSED = {"reference": {"numpy"}, "kernels": {"numpy", "numba", "llvmlite"}}
"""What the two rooms may import from outside, beside the standard library."""


class Import(NamedTuple):
    """One imported module: who imports it, and whether that is at the top of a module rather than in a function."""

    file: Path
    module: str
    target: str
    at_top: bool


def imports_of(file: Path) -> list[Import]:
    """List what a file imports when it runs; what only type checkers read is left out."""
    module = file.relative_to(ROOT).with_suffix("").parts[0]
    found: list[Import] = []

    def visit(node: ast.AST, at_top: bool) -> None:
        match node:
            case ast.If(test=ast.Name(id="TYPE_CHECKING")):
                return
            case ast.Import():
                found.extend(Import(file, module, alias.name, at_top) for alias in node.names)
            case ast.ImportFrom(level=0, module="fastrnn"):
                found.extend(Import(file, module, f"fastrnn.{alias.name}", at_top) for alias in node.names)
            case ast.ImportFrom():
                assert node.level == 0, f"{file}: a relative import; expected the full name"
                found.append(Import(file, module, str(node.module), at_top))
        for child in ast.iter_child_nodes(node):
            visit(child, at_top and not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))

    visit(ast.parse(file.read_text(encoding="utf-8")), True)
    return found


FILES = sorted(file for file in ROOT.rglob("*.py") if file != ROOT / "__init__.py")
IMPORTS = [found for file in FILES for found in imports_of(file)]
FLOOR_OF = {module: name for name, floor in FLOORS.items() for module in floor.modules}


def test_every_module_has_its_floor():
    modules = {file.relative_to(ROOT).with_suffix("").parts[0] for file in FILES}
    assert modules == FLOOR_OF.keys()


def test_imports_point_down():
    wrong = []
    for found in IMPORTS:
        package, _, rest = found.target.partition(".")
        target = rest.split(".")[0]
        if package != "fastrnn" or ((found.module, target) in UPWARD and not found.at_top):
            continue
        mine, theirs = FLOOR_OF[found.module], FLOOR_OF.get(target, "faces")
        if theirs != mine and theirs not in FLOORS[mine].below:
            wrong.append(f"{found.file}: {mine} imports fastrnn.{rest} of {theirs}")
    assert not wrong


@pytest.mark.parametrize("room", CLOSED)
def test_closed_rooms_know_nothing_outside(room):
    allowed = CLOSED[room] | sys.stdlib_module_names | {"fastrnn"}
    wrong = [found for found in IMPORTS if found.module == room and found.target.split(".")[0] not in allowed]
    assert not wrong


def test_packages_of_extras_are_imported_when_used():
    wrong = [found for found in IMPORTS if found.at_top and found.target.split(".")[0] in OPTIONAL]
    assert {found.file for found in wrong} <= {ROOT / "cli" / f"{name}.py" for name in ("app", "run", "text")}


def test_tutorials_use_what_users_have():
    """The public names and the modules of data; of the rest only what says which extra is missing."""
    public = {"fastrnn", "fastrnn.datasets", "fastrnn.extras", "fastrnn.initializers", "fastrnn.text"}
    targets = {found.target for found in IMPORTS if found.module == "tutorials" and "fastrnn" in found.target}
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
