"""One mechanism for all extension points: a folder in which each file registers one thing."""

from __future__ import annotations

import importlib
import pkgutil
import threading
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Generic, TypeVar

from domain.errors import UserFacingError

T = TypeVar("T")


class Registry(Generic[T]):
    """Named entries that live one per file in a package; the files are imported on first use."""

    def __init__(self, kind: str, package: str) -> None:
        self.kind = kind
        self._package = package
        self._entries: dict[str, T] = {}
        self._loaded = False
        self._loading = False
        self._lock = threading.RLock()  # two threads may ask first; none may see half of the entries

    def register(self, name: str) -> Callable[[T], T]:
        """Decorator that enters a class or function under a name; a name is given once."""

        def enter(entry: T) -> T:
            if name in self._entries:
                raise ValueError(f"{self.kind} {name!r} is registered twice")
            self._entries[name] = entry
            return entry

        return enter

    def names(self) -> list[str]:
        """All registered names, sorted."""
        self._load()
        return sorted(self._entries)

    def get(self, name: str) -> T:
        """The entry of that name.

        Raises:
            UserFacingError: no such entry; the hint lists those there are.
        """
        self._load()
        try:
            return self._entries[name]
        except KeyError:
            raise UserFacingError(
                f"There is no {self.kind} called {name!r}.", f"Known: {', '.join(self.names())}."
            ) from None

    def __contains__(self, name: str) -> bool:
        self._load()
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(self.names())

    def _load(self) -> None:
        if self._loaded:
            return
        with self._lock:
            if self._loading or self._loaded:
                return
            self._loading = True
            try:
                package: ModuleType = importlib.import_module(self._package)
                for module in sorted(pkgutil.iter_modules(package.__path__), key=lambda found: found.name):
                    importlib.import_module(f"{self._package}.{module.name}")
                self._loaded = True
            finally:
                self._loading = False
