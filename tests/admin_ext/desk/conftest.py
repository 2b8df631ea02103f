from __future__ import annotations

import pytest

from admin_ext.audit.seals.keys import public_text
from tests.admin_ext.audit.seals.conftest import check, key, keys, open_sealer, publisher, seal
from tests.factories import UserFactory, give_role

# A sealed record, as the tests of the seals have it.
__all__ = ["check", "key", "keys", "open_sealer", "publisher", "seal"]

READS_ALL = (
    "audit.view_changeset",
    "customers.view_customer",
    "customers.view_region",
    "customers.access_all_region",
    "accounts.view_user",
    "accounts.view_role",
)


@pytest.fixture
def auditor(db):
    return give_role(UserFactory(), *READS_ALL)


@pytest.fixture
def actor(db):
    return UserFactory(first_name="Jan", last_name="de Vries")


@pytest.fixture
def evidence_taker(db):
    return give_role(UserFactory(), *READS_ALL, "desk.take_evidence", "desk.verify_record")


@pytest.fixture
def sealed(seal, key, publisher, settings, tmp_path):
    """Seals what was committed, as the product's own settings know it; call it after writing."""
    settings.AUDIT_SEALING_PUBLIC_KEY_FILE = str(tmp_path / "known.pem")
    settings.AUDIT_CHECKPOINT_DIR = str(publisher.directory)
    (tmp_path / "known.pem").write_text(public_text(key.public_key()))
    return seal
