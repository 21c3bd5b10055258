"""Weights in memory once: components and pipelines that name the same model share its module."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Value = TypeVar("Value")


class SharedCache(Generic[Value]):
    """Values that live as long as somebody uses them. Safe between threads."""

    def __init__(self) -> None:
        self._values: weakref.WeakValueDictionary[Hashable, Value] = weakref.WeakValueDictionary()
        self._lock = threading.RLock()

    def get(self, key: Hashable, make: Callable[[], Value]) -> Value:
        """The value of that key, made now if nobody holds it."""
        with self._lock:
            value = self._values.get(key)
            if value is None:
                value = make()
                self._values[key] = value
            return value

    def __len__(self) -> int:
        return len(self._values)
