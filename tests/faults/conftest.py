"""The rows need the running lab (`make lab`); each is a test named after its row."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from faults import table
from faults.row import Row


@pytest.fixture
def row(request: pytest.FixtureRequest) -> Iterator[Callable[[str], Row]]:
    """Return a function that starts the row; its result is printed, and stored with KEEP_FAULTS=1."""
    begun: list[Row] = []

    def begin(what: str) -> Row:
        begun.append(Row(request.node.name.split("_")[1], what))
        return begun[-1]

    yield begin
    for each in begun:
        if each.result:
            table.add(each.result)
