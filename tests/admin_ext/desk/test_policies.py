"""Policies in evidence: what the taker may not read is in no file of the pack, nor in the proof."""

from __future__ import annotations

import json

import pytest

from admin_ext.access.rights import NotPermitted
from admin_ext.access.veils import DOTS
from admin_ext.desk.asking import Asked, Of
from admin_ext.desk.timeline import Question
from admin_ext.jobs.models import JobFile
from admin_ext.transfers.outputs import download
from apps.customers.models import Customer
from tests.admin_ext.desk.test_packs import act_of, pack_of, taken
from tests.factories import CustomerFactory, police

pytestmark = pytest.mark.django_db(transaction=True)
LIMIT = "customers.Customer:credit_limit"


@pytest.mark.parametrize("kind", ["hidden", "masked"])
def test_a_pack_holds_no_value_that_its_taker_may_not_read(evidence_taker, actor, sealed, kind):
    CustomerFactory(credit_limit=100)
    act = act_of(actor, credit_limit=777)
    sealed()
    person = police(evidence_taker, LIMIT, kind)
    pack = pack_of(taken(person, Asked(Of.ACT, act=act)))
    for name in pack.namelist():
        assert b"777.00" not in pack.read(name), name
    summary = pack.read("summary.html").decode()
    assert "is withheld" in summary and (DOTS in summary) == (kind == "masked")


@pytest.mark.parametrize("kind", ["hidden", "masked"])
def test_a_pack_made_before_a_policy_is_not_handed_out_after_it(evidence_taker, actor, sealed, kind):
    CustomerFactory(credit_limit=100)
    act = act_of(actor, credit_limit=777)
    sealed()
    job = taken(evidence_taker, Asked(Of.ACT, act=act))
    file = job.files.get(kind=JobFile.Kind.OUTPUT)
    assert download(actor=evidence_taker, file=file)
    person = police(evidence_taker, LIMIT, kind)
    with pytest.raises(NotPermitted, match="tells credit limit"):
        download(actor=person, file=file)


@pytest.mark.parametrize("kind", ["hidden", "masked"])
def test_a_pack_does_not_answer_whether_a_field_had_a_value(evidence_taker, actor, sealed, kind):
    CustomerFactory(credit_limit=100)
    act_of(actor, credit_limit=777)
    sealed()
    asked = Asked(Of.TIMELINE, question=Question(model=Customer, field="credit_limit", value="777.00"))
    assert json.loads(pack_of(taken(evidence_taker, asked)).read("request.json"))["acts"] == 1
    person = police(evidence_taker, LIMIT, kind)
    assert json.loads(pack_of(taken(person, asked)).read("request.json"))["acts"] == 0
