"""Settings that are tables of their own: a TypedDict says which keys a dict may have, and of what kinds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class CheckedAs:
    """`Annotated[dict[str, Any], CheckedAs(Table)]`: pydantic checks the dict as that TypedDict.

    confection's own checker of arguments knows no TypedDict, and sees a dict.
    """

    def __init__(self, table: Any) -> None:
        self.table = table

    def __get_pydantic_core_schema__(self, source: Any, handler: Callable[[Any], Any]) -> Any:
        return handler(self.table)
