"""What stands where a value is that the person may not read."""

from __future__ import annotations

from typing import Any

DOTS = "••••••"


class Veiled(str):
    """A value that is not told. What is worked out from it is not told either."""

    __slots__ = ()

    def __getattr__(self, name: str) -> Veiled:
        # What stood here may have been a row or a span of time; but it never becomes part of a query.
        if name.startswith("_") or name in ("resolve_expression", "as_sql"):
            raise AttributeError(name)
        return self

    def __call__(self, *args: Any, **kwargs: Any) -> Veiled:
        return self

    def __format__(self, spec: str) -> str:
        return str(self)

    def _itself(self, *others: Any) -> Veiled:
        return self

    def _never(self, other: Any) -> bool:
        return False

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = _itself  # type: ignore[assignment]
    __truediv__ = __rtruediv__ = __floordiv__ = __mod__ = __neg__ = __abs__ = __round__ = _itself  # type: ignore[assignment]
    __lt__ = __le__ = __gt__ = __ge__ = _never  # type: ignore[assignment]


MASKED, HIDDEN = Veiled(DOTS), Veiled("")
