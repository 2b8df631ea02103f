"""Text that could run as a formula is made harmless, and comes back as it was."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from admin_ext.transfers.writing import neutralise, strip_neutralising

RISKY = st.text(alphabet="=+-@\t\r\n＝＋－＠'\" \xa0\ufeff1.5e,aé", max_size=8)


@given(st.one_of(st.text(), RISKY))
@example("'=1+1")
@example("''''-x")
@example(" '=1")
def test_stripping_undoes_neutralising_for_every_text(text):
    assert strip_neutralising(neutralise(text)) == text


@given(RISKY)
def test_no_neutralised_text_begins_like_a_formula(text):
    seen = neutralise(text).lstrip(" \xa0\ufeff\t\r\n")
    harmless = not seen or seen[0] not in "=+-@＝＋－＠" or set(seen) <= set("+-0123456789.,e")
    assert harmless


@pytest.mark.parametrize(
    "text",
    [
        "=1+1",
        "+1+1",
        "-2+3",
        "@SUM(1)",
        "\t=1",
        "\r=1",
        "\n=1",
        "  =1+1",
        "＝1+1",
        "＋1+1",
        "－2+3",
        "＠x",
        "'=1+1",
        "-",
    ],
)
def test_what_could_run_gets_a_quote(text):
    assert neutralise(text) == "'" + text


@pytest.mark.parametrize(
    "text", ["", "plain", "-3.5", "+4", "-1,234.50", "1e5", "'quoted'", "a=b", "  ", "O'Neil", "'"]
)
def test_what_cannot_run_is_left_alone(text):
    assert neutralise(text) == text


@pytest.mark.parametrize("text", ["'plain", "'-3.5", "'", "''", "'a=b"])
def test_a_quote_that_we_did_not_add_stays(text):
    assert strip_neutralising(text) == text
