"""Names that there are not: what they are called here, or the nearest that there are, in Python's own line.

All of this is reached when Python has refused a name already: what it would have raised is raised, with the cure.
"""

from __future__ import annotations

import dis
import functools
import inspect
import sys
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from fastrnn.ground.dialects import DIALECTS, VALUES

T = TypeVar("T")
Function = TypeVar("Function", bound=Callable[..., Any])


def nearest(name: str, known: Iterable[str]) -> list[str]:
    """Return the one or two of ``known`` that ``name`` may have been meant for, whatever their case."""
    spelt = {each.casefold(): each for each in known}
    return [spelt[found] for found in get_close_matches(name.casefold(), spelt, n=2, cutoff=0.7)]


def instead(name: str, known: Iterable[str], scopes: Iterable[str]) -> str:
    """Say what is expected for a name that is not one of ``known``, by the dialects of the scopes, narrowest first."""
    for scope in scopes:
        if name in DIALECTS.get(scope, {}):
            return DIALECTS[scope][name].format(name=name)
    near = nearest(name, known := list(known))
    if near or len(known) < 2:
        return f"perhaps {' or '.join(near)}" if near else "".join(known) or "none"
    return f"one of {', '.join(known)}"


def choice(value: Any, known: Iterable[str]) -> str:
    """Say what one of ``known`` names is expected for a value that is none of them."""
    known = list(known)
    meant = [VALUES[value]] if isinstance(value, str) and VALUES.get(value) in known else []
    if not meant and isinstance(value, str):
        meant = nearest(value, known)
    return f"one of {', '.join(known)}" + (f"; perhaps {' or '.join(meant)}" if meant else "")


# ---------------------------------------------------------------------------------------------- arguments


def _unexpected(called: str, function: Any, given: Mapping[str, Any], scopes: Iterable[str]) -> str:
    """Return the line for keywords that a function does not take; nothing if it takes them all."""
    parameters = inspect.signature(function).parameters
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        return ""
    scopes, known = list(scopes), [name for name in parameters if name not in ("self", "cls")]
    meant = {name: instead(name, known, scopes) for name in given if name not in parameters}
    if len(meant) < 2:
        return "".join(f"{called}() got an unexpected keyword argument {n!r}; expected {m}" for n, m in meant.items())
    listed = "; ".join(f"for {name!r} expected {cure}" for name, cure in meant.items())
    return f"{called}() got unexpected keyword arguments: {listed}"


def _explain(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let a function say what it calls keywords that it does not take."""

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except TypeError:
            scope = function.__qualname__.removesuffix(".__init__")
            called = type(args[0]).__name__ if function.__name__ == "__init__" else scope
            message = _unexpected(called, function, kwargs, [scope, *_scopes(args[:1]), scope.partition(".")[0]])
            if not message:
                raise
        raise TypeError(message)

    return call


def _scopes(objects: Iterable[Any]) -> list[str]:
    return [kind.__name__ for each in objects for kind in type(each).__mro__[:-1]]


class StructMeta(msgspec.StructMeta):
    """The metaclass of Structs whose constructor says what it calls keywords that it does not take."""

    if not TYPE_CHECKING:

        def __call__(cls, *args, **kwargs):  # noqa: N805
            try:
                return super().__call__(*args, **kwargs)
            except TypeError:
                signature, name = inspect.signature(cls), cls.__name__
                message = _unexpected(name, cls, kwargs, [kind.__name__ for kind in cls.__mro__])
                try:
                    signature.bind(*args, **kwargs)
                except TypeError as error:
                    plain = [each.replace(annotation=each.empty) for each in signature.parameters.values()]
                    message = message or f"{name}(): {error}; expected {name}{signature.replace(parameters=plain)}"
                if not message:
                    raise
            raise TypeError(message)


# ---------------------------------------------------------------------------------------------- attributes


_brief: set[Callable[..., Any]] = set()


def brief(function: Function) -> Function:
    """Leave a method as it is, whose callers would feel what it takes to explain: a third of a microsecond."""
    _brief.add(function)
    return function


def explained(kind: T) -> T:
    """Let a class, or a function, say what it calls attributes and keywords that it does not have.

    The methods of a class are those that are public, and its constructor; a Struct's is that of its `StructMeta`.
    """
    own: Any = kind
    if not isinstance(kind, type):
        explaining: T = _explain(own)  # type: ignore[assignment]
        return explaining
    for name, value in list(vars(kind).items()):
        if name.startswith("_") and name != "__init__":
            continue
        if inspect.isfunction(value) and value not in _brief:
            setattr(kind, name, _explain(value))
        elif isinstance(value, classmethod):
            setattr(kind, name, classmethod(_explain(value.__func__)))
    own.__getattr__ = _no_attribute
    if "()" in DIALECTS.get(kind.__name__, {}):
        own.__call__ = _no_function
    return kind


def _no_attribute(self: Any, name: str) -> Any:
    kind = type(self)
    if hasattr(kind, name):  # a property that raised AttributeError: again, for its own words
        return object.__getattribute__(self, name)
    message = f"{kind.__name__!r} object has no attribute {name!r}"
    if not name.startswith("_"):
        known = sorted(each for each in (*dir(kind), *getattr(self, "__dict__", ())) if not each.startswith("_"))
        message += f"; expected {instead(name, known, _scopes([self]))}"
    raise AttributeError(message)


def _no_function(self: Any, *args: Any, **kwargs: Any) -> Any:
    cure = next(DIALECTS[scope]["()"] for scope in _scopes([self]) if "()" in DIALECTS.get(scope, {}))
    raise TypeError(f"{type(self).__name__!r} object is not callable; expected {cure}")


def attribute_of(module: str, name: str, known: Iterable[str] = ()) -> Any:
    """Refuse a name that a module does not have; ``known`` are those that it has.

    Raises
    ------
    AttributeError
        The module was asked for it.
    ImportError
        It was to be imported, which would lose the line of an AttributeError.
    """
    public = sys.modules["fastrnn"].__all__
    homes = {each: "fastrnn" for each in public if each != "__version__"} | dict.fromkeys(known, module)
    cure = f"{homes[name]}.{name}" if name in homes else instead(name, homes, [module, "fastrnn"])
    frame = sys._getframe(1)
    while frame.f_code.co_name == "__getattr__" and frame.f_back is not None:
        frame = frame.f_back
    if dis.opname[frame.f_code.co_code[frame.f_lasti]] == "IMPORT_FROM":
        raise ImportError(f"cannot import name {name!r} from {module!r}; expected {cure}", name=module)
    raise AttributeError(f"module {module!r} has no attribute {name!r}; expected {cure}")


def asked_of(module: str) -> Callable[[str], Any]:
    """Return the ``__getattr__`` of a module that has other words, too, for its public names."""

    def __getattr__(name: str) -> Any:  # noqa: N807
        if name.startswith("_"):
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        own = vars(sys.modules[module])
        return attribute_of(module, name, [each for each in own.get("__all__", ()) if not each.startswith("_")])

    return __getattr__
