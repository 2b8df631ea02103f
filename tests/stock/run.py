"""`python -m tests.stock.run`: the 26 probes against the stock packages, as JSON: {probe: true when it leaked}."""

from __future__ import annotations

import io
import json
import logging
import os
import sys
import warnings
from typing import Any

os.environ["DJANGO_SETTINGS_MODULE"] = "tests.stock.settings"
warnings.simplefilter("ignore")

import django  # noqa: E402

django.setup()

from django.contrib.auth.models import Permission, User  # noqa: E402
from django.contrib.contenttypes.models import ContentType  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.test import Client  # noqa: E402
from django.test.utils import setup_test_environment  # noqa: E402

from tests.stock.models import Folder, Parcel  # noqa: E402

CANARY = "CANARY7531"


class Probes:
    """Each method: did it leak? `clerk` holds view, add, change and delete on parcels, and works on their own ones."""

    def __init__(self) -> None:
        self.other = User.objects.create(username="other")
        self.clerk = self.person("clerk", "view", "add", "change", "delete")
        self.viewer = self.person("viewer", "view")
        self.mine = Folder.objects.create(name="mine", owner=self.clerk)
        self.theirs = Folder.objects.create(name=f"{CANARY} folder", owner=self.other)
        self.own = Parcel.objects.create(name="own", folder=self.mine, owner=self.clerk)
        self.viewers = Parcel.objects.create(name="viewers", folder=self.mine, owner=self.viewer)
        self.foreign = Parcel.objects.create(
            name=f"{CANARY} parcel", secret=f"{CANARY} secret", folder=self.theirs, owner=self.other
        )
        Parcel.objects.filter(pk=self.own.pk).update(secret=f"{CANARY} own secret")

    def person(self, name: str, *actions: str) -> User:
        user = User.objects.create(username=name, is_staff=True)
        kinds = Permission.objects.filter(content_type__app_label="stock")
        user.user_permissions.set(kinds.filter(codename__in=[f"{action}_parcel" for action in actions]))
        return user

    def client(self, user: User) -> Client:
        client = Client()
        client.force_login(user)
        return client

    def shows(self, user: User, url: str, method: str = "get", **data: Any) -> bool:
        response = getattr(self.client(user), method)(url, data)
        return CANARY in response.content.decode() + response.headers.get("Location", "")

    # -- those that leak on the stock packages --

    def history_of_a_foreign_row(self) -> bool:
        return self.shows(self.clerk, f"/admin/stock/parcel/{self.foreign.pk}/history/")

    def historical_form_of_a_foreign_row(self) -> bool:
        return self.shows(self.clerk, f"/admin/stock/parcel/{self.foreign.pk}/history/{self._past()}/")

    def revert_of_a_foreign_row(self) -> bool:
        data = {"name": "reverted", "folder": self.mine.pk, "owner": self.clerk.pk, "shelf": ""}
        self.client(self.clerk).post(f"/admin/stock/parcel/{self.foreign.pk}/history/{self._past()}/", data)
        return Parcel.objects.get(pk=self.foreign.pk).name == "reverted"

    def choices_of_a_list_filter(self) -> bool:
        return self.shows(self.clerk, "/admin/stock/parcel/")

    def choices_of_a_foreign_key(self) -> bool:
        return self.shows(self.clerk, "/admin/stock/parcel/add/")

    def foreign_key_to_a_foreign_row(self) -> bool:
        data = {"name": "own", "folder": self.theirs.pk, "owner": self.clerk.pk, "shelf": ""}
        self.client(self.clerk).post(f"/admin/stock/parcel/{self.own.pk}/change/", data)
        return Parcel.objects.get(pk=self.own.pk).folder == self.theirs

    def label_of_a_raw_id(self) -> bool:
        data = {"name": "", "folder": self.mine.pk, "owner": self.clerk.pk, "shelf": self.theirs.pk}
        response = self.client(self.clerk).post(f"/admin/stock/parcel/{self.own.pk}/change/", data)
        text = response.content.decode()
        return f"{CANARY} folder</a>" in text or f"<strong>{CANARY}" in text or text.count(f"{CANARY} folder") > 1

    def shortcut_to_a_foreign_row(self) -> bool:
        kind = ContentType.objects.get_for_model(Parcel).pk
        return self.shows(self.clerk, f"/admin/r/{kind}/{self.foreign.pk}/")

    def grant_to_oneself(self) -> bool:
        changer = self.person("changer", "view", "change")
        row = Parcel.objects.create(name="changers", folder=self.mine, owner=changer)
        url = f"/admin/stock/parcel/{row.pk}/permissions/user-manage/{changer.pk}/"
        self.client(changer).post(url, {"permissions": ["delete_parcel"], "submit": "1"})
        return User.objects.get(pk=changer.pk).has_perm("stock.delete_parcel", row)

    def import_page_for_a_viewer(self) -> bool:
        return self.client(self.viewer).get("/admin/stock/parcel/import/").status_code == 200

    def import_preview_of_a_foreign_row(self) -> bool:
        response = self._preview(self.viewer, f"id,name\n{self.foreign.pk},other\n")
        return CANARY in response.content.decode()

    def import_over_a_foreign_row(self) -> bool:
        self._import(self.viewer, f"id,name,folder,owner\n{self.foreign.pk},taken,{self.mine.pk},{self.viewer.pk}\n")
        return Parcel.objects.get(pk=self.foreign.pk).name == "taken"

    def import_of_a_new_row(self) -> bool:
        self._import(self.viewer, f"id,name,folder,owner\n,planted,{self.mine.pk},{self.viewer.pk}\n")
        return Parcel.objects.filter(name="planted").exists()

    def export_of_an_excluded_column(self) -> bool:
        return "secret" in self._export(self.clerk).splitlines()[0].lower()

    def search_without_the_right_to_view(self) -> bool:
        adder = self.person("adder", "add")
        Parcel.objects.create(name=f"{CANARY} of the adder", folder=self.mine, owner=adder)
        return self.shows(adder, "/admin/search/", s=CANARY, extended="1")

    def search_after_the_right_was_taken(self) -> bool:
        leaver = self.person("leaver", "view")
        Parcel.objects.create(name=f"{CANARY} of the leaver", folder=self.mine, owner=leaver)
        client, asked = self.client(leaver), {"s": CANARY, "extended": "1"}
        before = client.get("/admin/search/", asked).content.decode()
        leaver.user_permissions.clear()
        return CANARY in before and CANARY in client.get("/admin/search/", asked).content.decode()

    def formula_in_an_export(self) -> bool:
        Parcel.objects.create(name="+1+1", folder=self.mine, owner=self.clerk)
        Parcel.objects.create(name="@SUM(1)", folder=self.mine, owner=self.clerk)
        text = self._export(self.clerk)
        return ",+1+1," in text or ",@SUM(1)," in text

    # -- those that hold --

    def list_of_foreign_rows(self) -> bool:
        return f"{CANARY} parcel" in self.client(self.clerk).get("/admin/stock/parcel/").content.decode()

    def page_of_a_foreign_row(self) -> bool:
        return self.shows(self.clerk, f"/admin/stock/parcel/{self.foreign.pk}/change/")

    def save_of_a_foreign_row(self) -> bool:
        data = {"name": "saved", "folder": self.mine.pk, "owner": self.clerk.pk, "shelf": ""}
        self.client(self.clerk).post(f"/admin/stock/parcel/{self.foreign.pk}/change/", data)
        return Parcel.objects.get(pk=self.foreign.pk).name == "saved"

    def deletion_of_a_foreign_row(self) -> bool:
        self.client(self.clerk).post(f"/admin/stock/parcel/{self.foreign.pk}/delete/", {"post": "yes"})
        return not Parcel.objects.filter(pk=self.foreign.pk).exists()

    def autocomplete_of_foreign_rows(self) -> bool:
        asked = {"app_label": "stock", "model_name": "parcel", "field_name": "folder", "term": CANARY}
        return self.shows(self.clerk, "/admin/autocomplete/", **asked)

    def deletion_of_a_selection_with_foreign_keys(self) -> bool:
        data = {"action": "delete_selected", "_selected_action": [self.foreign.pk], "post": "yes"}
        self.client(self.clerk).post("/admin/stock/parcel/", data)
        return not Parcel.objects.filter(pk=self.foreign.pk).exists()

    def grants_page_of_a_foreign_row(self) -> bool:
        return self.shows(self.clerk, f"/admin/stock/parcel/{self.foreign.pk}/permissions/")

    def export_of_foreign_rows(self) -> bool:
        return f"{CANARY} parcel" in self._export(self.clerk)

    def list_for_an_adder(self) -> bool:
        return self.client(self.person("adder2", "add")).get("/admin/stock/parcel/").status_code == 200

    # -- shared --

    def _past(self) -> int:
        return self.foreign.history.first().pk

    def _preview(self, user: User, text: str) -> Any:
        upload = io.BytesIO(text.encode())
        upload.name = "parcels.csv"
        return self.client(user).post("/admin/stock/parcel/import/", {"format": "0", "import_file": upload})

    def _import(self, user: User, text: str) -> None:
        client = self.client(user)
        upload = io.BytesIO(text.encode())
        upload.name = "parcels.csv"
        response = client.post("/admin/stock/parcel/import/", {"format": "0", "import_file": upload})
        form = (response.context or {}).get("confirm_form")
        if form is not None:
            client.post("/admin/stock/parcel/process_import/", {k: v for k, v in form.initial.items() if v is not None})

    def _export(self, user: User) -> str:
        client = self.client(user)
        page = client.get("/admin/stock/parcel/export/")
        form = page.context["form"]
        data = {name: "on" for name in form.fields if name.startswith("parcelresource_")}
        response = client.post("/admin/stock/parcel/export/", {"format": "0", "resource": "0", **data})
        return response.content.decode()


def main() -> None:
    logging.disable(logging.CRITICAL)
    setup_test_environment()
    call_command("migrate", run_syncdb=True, verbosity=0)
    from django.db import transaction

    results: dict[str, Any] = {}
    names = [name for name in vars(Probes) if not name.startswith("_") and name not in ("person", "client", "shows")]
    for name in names:
        with transaction.atomic():
            try:
                results[name] = getattr(Probes(), name)()
            except Exception as error:  # a probe that cannot be made is told, never taken for a result
                results[name] = f"{type(error).__name__}: {error}"
            transaction.set_rollback(True)
    json.dump(results, sys.stdout)


if __name__ == "__main__":
    main()
