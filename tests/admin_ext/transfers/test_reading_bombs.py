"""Bombs: each is refused with its reason, or read, within a minute and a gigabyte, and the asker lives on."""

import pytest

from admin_ext.transfers.reading import FileNotReadable, open_table
from tests.admin_ext.transfers.bombs import BOMBS
from tests.admin_ext.transfers.read_within_limits import MEGABYTES, SECONDS, ReadingServer


@pytest.fixture(scope="module")
def server():
    with ReadingServer() as server:
        yield server


def told_by_the_product(path):
    """What becomes of it through the door that everybody uses."""
    try:
        return {"rows": sum(1 for _ in open_table(path).rows())}
    except FileNotReadable as refused:
        return {"refused": str(refused)}


@pytest.mark.corpus
@pytest.mark.parametrize("bomb", BOMBS, ids=lambda bomb: bomb.__name__)
def test_a_bomb_is_refused_or_read_within_limits(bomb, server, tmp_path):
    path = tmp_path / "mailed.csv"
    expected = bomb(path)
    read = server.read(path)
    print(f"{bomb.__name__}: {read['seconds']} s, {read['rss_mb']} MB, {read.get('refused') or read}"[:200])
    assert read["seconds"] < SECONDS
    assert read["rss_mb"] <= MEGABYTES
    if "died" in read:  # the limit of memory struck; the product tells so, and goes on
        read |= told_by_the_product(path)
    if isinstance(expected, int):
        assert read["rows"] == expected
    else:
        assert expected in read["refused"]
    path.unlink()


def test_a_limit_that_strikes_is_told_and_the_next_file_is_read(tmp_path, write):
    bomb = tmp_path / "bomb.xlsx"
    expected = next(made for made in BOMBS if made.__name__ == "a_text_used_everywhere")(bomb)
    assert expected in told_by_the_product(bomb)["refused"]
    assert told_by_the_product(write("a,b\n1,2\n")) == {"rows": 1}
