"""Attributes: what may be set is checked when it is; what would have no effect is refused, with what has one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, ClassVar, Generic, TypeVar

T = TypeVar("T")


class Setting(Generic[T]):
    """An attribute that is checked whenever it is set: ``check(name, value)`` returns what is kept."""

    def __init__(self, check: Callable[[str, Any], T]) -> None:
        self._check = check

    def __set_name__(self, owner: type, name: str) -> None:
        self._name, self._place = name, f"_{name}"

    def __get__(self, instance: Any, owner: type) -> T:
        if instance is None:
            return self  # type: ignore[return-value]
        kept: T = getattr(instance, self._place)
        return kept

    def __set__(self, instance: Any, value: Any) -> None:
        setattr(instance, self._place, self._check(self._name, value))


class Guarded:
    """Base of classes whose public attributes are settings, or only told; a user's subclass may have more.

    ``_told`` has the attributes that nobody sets but the constructor, once, with what to do instead; ``_plain`` those
    that are neither settings nor told.
    """

    _told: ClassVar[Mapping[str, str]] = {}
    _plain: ClassVar[frozenset[str]] = frozenset()

    def __setattr__(self, name: str, value: Any) -> None:
        if name.startswith("_"):
            super().__setattr__(name, value)
            return
        kind = type(self)
        is_there = hasattr(kind, name)
        if name in kind._told and (is_there or name in self.__dict__):
            raise AttributeError(f"{name} of a {kind.__name__} cannot be set; expected {kind._told[name]}")
        is_known = is_there or name in kind._told or name in kind._plain
        if not is_known and kind.__module__.startswith("fastrnn."):
            known = [each for each in dir(kind) if hasattr(getattr(kind, each), "__set__")]
            known += [field.name for field in fields(kind)] if is_dataclass(kind) else []
            names = ", ".join(each for each in known if not each.startswith("_") and each not in kind._told)
            raise AttributeError(f"a {kind.__name__} has no setting {name!r}; expected {names or 'none to be set'}")
        super().__setattr__(name, value)


class FixedList(list[T]):
    """A list that is not changed in place, where that would have no effect; it says what has.

    Its slices, sums and copies are plain lists.
    """

    def __init__(self, items: Iterable[T], cure: str) -> None:
        super().__init__(items)
        self._cure = cure

    def __reduce__(self) -> tuple[Any, ...]:
        return list, (list(self),)

    def __iadd__(self, items: Iterable[T]) -> list[T]:  # type: ignore[override,misc]
        return [*self, *items]

    def _refuse(self, *_: Any, **__: Any) -> Any:
        raise AttributeError(f"this list cannot be changed; expected {self._cure}")

    append = clear = extend = insert = pop = remove = reverse = sort = _refuse
    __delitem__ = __imul__ = __setitem__ = _refuse


def fix(kind: type, cure: str) -> None:
    """Let a frozen Struct, and those that inherit from it so far, refuse with what to do instead.

    In ``cure`` stand ``{kind}`` and ``{name}`` for the class and the attribute.
    """

    def refuse(self: Any, name: str, *_: Any) -> None:
        own = type(self).__name__
        raise AttributeError(f"{name} of a {own} cannot be set; expected {cure.format(kind=own, name=name)}")

    kind.__setattr__ = kind.__delattr__ = refuse  # type: ignore[assignment]
