"""Holes that Django's admin, or an admin built on it, once had, each as a regression by the name it is known by.

What each says was looked up in the public advisories. One could not be found there: CVE-2026-87975, of which we know
only what our list of hazards says (formsets of models whose primary keys people can write); its test holds that.
"""

from __future__ import annotations

import pytest
from django.conf import settings
from django.contrib import admin
from django.contrib.admin.sites import AdminSite
from django.contrib.contenttypes.admin import GenericInlineModelAdmin
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import models
from django.urls import NoReverseMatch, reverse

from admin_ext.filtering.selection import Selection, UnknownFilter
from apps.customers.models import Contact, Customer
from tests.contracts.world import ids, make, page, person_for, registered
from tests.factories import ContactFactory, CustomerFactory, UserFactory, give_role

pytestmark = pytest.mark.django_db
every_admin = pytest.mark.parametrize("model_admin", registered(), ids=ids)
EVERYWHERE = "customers.access_all_region"
VALUES = ("\x00", "9" * 400, "1e999999", "-1e999999", "NaN", "Infinity", "0001-01-01", "99999-01-01", "x" * 5000)


@pytest.fixture
def log_in(client):
    def as_somebody(person):
        client.force_login(person)
        return client

    return as_somebody


def customer_form(customer, **changes):
    empty = {"TOTAL_FORMS": 0, "INITIAL_FORMS": 0}
    inlines = {f"{prefix}-{name}": value for prefix in ("contacts", "addresses") for name, value in empty.items()}
    columns = {"code": customer.code, "name": customer.name, "region": customer.region_id, "credit_limit": "0"}
    rest = {"currency": "EUR", "payment_terms_days": "30", "record_version": customer.version}
    return {**columns, **rest, **inlines, **changes}


class TestQueries:
    """CVE-2025-64459: `filter(**dictionary)` takes SQL in `_connector` (and `_negated`) from whoever fills the
    dictionary. CVE-2025-57833, CVE-2025-59681, CVE-2026-1287: the same through names of annotations.
    """

    INJECTED = (
        "_connector",
        "_negated",
        "credit_limit__gt) OR 1=1 --",
        "name__regex",
        "region__code__startswith",
        "a.b",
    )

    @every_admin
    def test_no_parameter_of_an_address_becomes_a_keyword(self, model_admin, log_in):
        row = make(model_admin.model)
        client = log_in(UserFactory(is_superuser=True))
        for name in self.INJECTED:
            response = client.get(page(model_admin, "changelist"), {name: ") OR 1=1 OR ("})
            # Through a relation Django refuses the whole request, whatever was asked for.
            assert response.status_code == 400 or "no rows are shown" in response.text, name
            assert page(model_admin, "change", row.pk) not in response.text

    @pytest.mark.parametrize("name", INJECTED)
    def test_no_filter_of_a_selection_becomes_a_keyword(self, name):
        selection = Selection(model="customers.Customer", filters={name: [") OR 1=1 OR ("]})
        with pytest.raises(UnknownFilter):
            selection.resolve(actor=UserFactory(is_superuser=True), action="view")

    @every_admin
    def test_no_ordering_is_a_column_that_people_write(self, model_admin, log_in):
        """CVE-2021-35042, CVE-2026-1312: `order_by` with a person's words."""
        client = log_in(UserFactory(is_superuser=True))
        for words in ("name", "-password", "1;SELECT 1", "customer.name", "99", "-", "1.-2.x"):
            assert client.get(page(model_admin, "changelist"), {"o": words}).status_code in (200, 302), words

    @every_admin
    def test_no_value_of_a_filter_is_a_fault(self, model_admin, log_in):
        """CVE-2024-24680, CVE-2024-41989 and others: numbers and texts of a size that nobody means."""
        user = UserFactory(is_superuser=True)
        client = log_in(user)
        names = sorted(model_admin.get_filterset_class().parameters(user))
        # All parameters at once: a form looks at each of its fields, whatever is wrong with the others. One by one, a
        # value that the form takes would reach the database.
        for value in VALUES:
            assert client.get(page(model_admin, "changelist"), dict.fromkeys(names, value)).status_code in (200, 302)
        for number, name in enumerate(names):
            value = VALUES[number % len(VALUES)]
            response = client.get(page(model_admin, "changelist"), {name: value})
            assert response.status_code in (200, 302), (name, value[:20])

    @pytest.mark.rights
    @every_admin
    def test_no_value_of_any_filter_is_a_fault(self, model_admin, log_in):
        user = UserFactory(is_superuser=True)
        client = log_in(user)
        for name in sorted(model_admin.get_filterset_class().parameters(user)):
            for value in VALUES:
                response = client.get(page(model_admin, "changelist"), {name: value})
                assert response.status_code in (200, 302), (name, value[:20])

    @every_admin
    def test_no_words_of_a_search_are_a_fault(self, model_admin, log_in):
        client = log_in(UserFactory(is_superuser=True))
        for value in ("\x00", "& | !", "':*", "x" * 5000, "\\"):
            assert client.get(page(model_admin, "changelist"), {"q": value}).status_code in (200, 302), value[:20]

    @pytest.mark.parametrize("value", ["\x00", "& | !", "':*", "x" * 5000, "\\", "%"])
    def test_no_words_of_the_palette_are_a_fault(self, value, log_in):
        client = log_in(UserFactory(is_superuser=True))
        assert client.get(reverse("admin:search"), {"s": value, "extended": "1"}).status_code == 200


class TestForms:
    def test_who_may_only_look_at_a_record_does_not_write_its_parts(self, log_in):
        """CVE-2019-19118: editable inlines below a record that is shown only."""
        contact = ContactFactory()
        looker = give_role(UserFactory(), "customers.view_customer", EVERYWHERE)
        lines = {"contacts-TOTAL_FORMS": 1, "contacts-INITIAL_FORMS": 1, "contacts-0-id": contact.pk}
        changed = {**lines, "contacts-0-customer": contact.customer_id, "contacts-0-name": "Changed"}
        address = reverse("admin:customers_customer_change", args=[contact.customer_id])
        assert log_in(looker).post(address, customer_form(contact.customer, **changed)).status_code == 403
        assert Contact.objects.get(pk=contact.pk).name == contact.name
        assert Customer.history.filter(id=contact.customer_id).count() == 1

    def test_saving_as_new_asks_for_the_right_to_add(self, log_in):
        """CVE-2016-2048: with `save_as`, the right to change was enough to add."""
        customer = CustomerFactory()
        changer = give_role(UserFactory(), "customers.view_customer", "customers.change_customer", EVERYWHERE)
        address = reverse("admin:customers_customer_change", args=[customer.pk])
        data = customer_form(customer, code="COPY-1", _saveasnew="1")
        assert log_in(changer).post(address, data).status_code == 403
        assert not Customer.objects.filter(code="COPY-1").exists()

    @every_admin
    def test_a_list_adds_no_rows(self, model_admin, log_in):
        """CVE-2026-4292: forged POSTs to a list with editable cells added rows."""
        row = make(model_admin.model)
        client = log_in(UserFactory(is_superuser=True))
        before = model_admin.model._base_manager.count()
        values = {f"form-0-{f.name}": f.value_from_object(row) for f in model_admin.model._meta.concrete_fields}
        values = {name: value for name, value in values.items() if value is not None and not name.endswith("-id")}
        lies = {"form-TOTAL_FORMS": 1, "form-INITIAL_FORMS": 0, "_save": "Save"}
        assert client.post(page(model_admin, "changelist"), {**values, **lies}).status_code in (200, 302, 403)
        assert model_admin.model._base_manager.count() == before

    @every_admin
    def test_no_inline_hangs_by_a_generic_key(self, model_admin):
        """CVE-2026-4277: generic inlines took new rows without the right to add. Notes and files go through services."""
        for inline in model_admin.inlines:
            assert not issubclass(inline, GenericInlineModelAdmin)

    @every_admin
    def test_no_formset_is_of_a_model_with_a_key_that_people_write(self, model_admin):
        """CVE-2026-87975, as far as we know it: UUID, natural and one-to-one primary keys in formsets."""
        for model in (model_admin.model, *(inline.model for inline in model_admin.inlines)):
            assert isinstance(model._meta.pk, models.BigAutoField | models.AutoField), model
            assert "id" not in getattr(model_admin, "list_editable", ())

    @every_admin
    def test_no_column_is_read_through_a_reference(self, model_admin, log_in):
        """CVE-2014-0483: `_to_field` told of any column."""
        client = log_in(person_for(model_admin.model))
        for name in ("password", "user__password", "created_at", "no_such"):
            response = client.get(page(model_admin, "changelist"), {"_popup": "1", "_to_field": name})
            assert response.status_code == 400, name


class TestSecrets:
    def test_nobody_reads_a_password_hash(self, log_in):
        """CVE-2018-16984: who might look at people saw their hashes."""
        person = UserFactory(username="hashed", email="hashed@example.com")
        person.set_password("what-nobody-knows")
        from admin_ext.audit.context import change_set

        with change_set(actor=None, door="shell", verb="tests.arrange"):
            person.save()
        for who in (person_for(type(person)), UserFactory(is_superuser=True)):
            client = log_in(who)
            for name in ("change", "history", "compare"):
                text = client.get(reverse(f"admin:accounts_user_{name}", args=[person.pk]), follow=True).text
                assert person.password not in text and person.password.split("$")[-1] not in text, name
            response = client.get(reverse("admin:accounts_user_changelist"), {"password__startswith": "md5"})
            assert "no rows are shown" in response.text

    @pytest.mark.parametrize("name", ["admin_password_reset", "password_reset", "password_reset_confirm"])
    def test_no_password_is_reset_by_mail(self, name):
        """CVE-2019-19844 and the poisoning of links by the Host header: there is no such page, administrators do it."""
        for space in ("", "admin:"):
            with pytest.raises(NoReverseMatch):
                reverse(f"{space}{name}")
        assert not getattr(settings, "USE_X_FORWARDED_HOST", False)


class TestSizes:
    """CVE-2023-24580 and others: more fields and files than a form has."""

    def test_too_many_fields_are_refused(self, log_in):
        client = log_in(UserFactory(is_superuser=True))
        response = client.post(reverse("admin:customers_customer_changelist"), {f"f{n}": "1" for n in range(10_001)})
        assert response.status_code == 400

    def test_too_many_files_are_refused(self, log_in):
        client = log_in(UserFactory(is_superuser=True))
        files = {f"f{n}": SimpleUploadedFile("x", b"x") for n in range(101)}
        assert client.post(reverse("admin:customers_customer_import"), files).status_code == 400

    def test_a_formset_makes_no_more_forms_than_a_page_can_have(self, log_in):
        customer = CustomerFactory()
        client = log_in(UserFactory(is_superuser=True))
        address = reverse("admin:customers_customer_change", args=[customer.pk])
        for total in ("1000000", str(10**12)):
            response = client.post(address, customer_form(customer, **{"contacts-TOTAL_FORMS": total}))
            assert response.status_code == 200
            assert max(len(each.formset.forms) for each in response.context["inline_admin_formsets"]) <= 2000


# -- replaced, not wrapped -------------------------------------------------------------------------

# Views of packages that answer with rows; none of them is mounted.
REPLACED = (
    "guardian.",
    "simple_history.",
    "import_export.",
    "unfold.contrib.",
    "django.contrib.admindocs.",
    "django.contrib.auth.views.PasswordReset",
)
# What Django's or unfold's own views still do, each with the reason why it may.
STOCK = {
    "index": "the dashboard's content is made by opsadmin.dashboard, within rights",
    "login": "asks for a password, shows no row",
    "logout": "ends a session",
    "password_change_done": "says that it was done",
    "jsi18n": "translations, the same for everybody",
    "autocomplete": "asks the offered model's admin for its restricted rows and its right",
    "app_list": "lists what has_module_permission lets through",
    "": "redirects, and 404s with the same words for everybody",
}


class TestStockViews:
    def test_none_that_answers_with_rows_is_mounted(self):
        from tests.contracts.matrix.addresses import addresses

        for address in addresses():
            assert not _origin(address.callback).startswith(REPLACED), address.route

    def test_each_that_is_left_is_known(self):
        from tests.contracts.matrix.addresses import addresses

        for address in addresses():
            origin = _origin(address.callback)
            if origin.startswith(("django.", "unfold.")) and address.model_admin is None:
                assert address.name in STOCK or address.name == "anything else", f"{address.route} is {origin}"

    def test_what_the_site_shows_is_ours(self):
        """The shortcut, the search and the change of a password; each of them once."""
        from tests.contracts.matrix.addresses import addresses

        found = [address for address in addresses() if address.name in ("view_on_site", "search", "password_change")]
        assert len(found) == 3
        for address in found:
            assert _origin(address.callback).startswith("opsadmin."), address.route

    @every_admin
    def test_history_deletion_and_lists_are_ours(self, model_admin):
        for name in ("history_view", "delete_view", "changelist_view", "changeform_view", "get_deleted_objects"):
            assert getattr(type(model_admin), name).__module__.startswith("admin_ext."), name
        for name in ("get_queryset", "formfield_for_foreignkey", "formfield_for_manytomany"):
            owner = next(each for each in type(model_admin).__mro__ if name in vars(each))
            assert owner.__module__.startswith(("admin_ext.", "apps.")), name
        bases = {base.__module__.partition(".")[0] for base in type(model_admin).__mro__}
        assert not bases & {"guardian", "simple_history", "import_export"}

    def test_the_site_is_not_djangos(self):
        assert type(admin.site._wrapped if hasattr(admin.site, "_wrapped") else admin.site) is not AdminSite


def _origin(callback: object) -> str:
    """The module and name of the view below its decorators."""
    while hasattr(callback, "__wrapped__"):
        callback = callback.__wrapped__
    callback = getattr(callback, "view_class", callback)
    callback = getattr(callback, "__func__", callback)
    return f"{callback.__module__}.{getattr(callback, '__qualname__', '')}"
