"""What goes in and out of customers as files."""

from admin_ext.transfers.resources import ModelResource
from apps.customers.models import Customer, Region


class RegionResource(ModelResource):
    class Meta:
        model = Region
        fields = ["code", "name", "parent"]
        import_id_fields = ["code"]


class CustomerResource(ModelResource):
    class Meta:
        model = Customer
        fields = [
            "code",
            "name",
            "status",
            "region",
            "account_manager",
            "tax_number",
            "credit_limit",
            "currency",
            "payment_terms_days",
            "contact_name",
            "contact_title",
            "email",
            "phone",
            "fax",
            "street",
            "city",
            "state",
            "postal_code",
            "country",
        ]
        import_id_fields = ["code"]
        new_values = {"brought_in": True}
        synonyms = {
            "code": ["customer", "customer id", "customer number", "kundennummer", "kunde"],
            "name": ["company", "company name", "firma"],
            "region": ["sales region", "territory"],
            "tax_number": ["vat", "vat number", "ust-id"],
            "credit_limit": ["limit", "kreditlimit"],
            "payment_terms_days": ["payment terms", "terms", "zahlungsziel"],
            "contact_name": ["contact", "ansprechpartner"],
            "email": ["e-mail", "mail"],
            "phone": ["telephone", "tel", "telefon"],
            "street": ["address", "straße", "strasse"],
            "city": ["town", "ort", "stadt"],
            "state": ["county", "province", "bundesland"],
            "postal_code": ["zip", "zip code", "postcode", "plz"],
            "country": ["land", "nation"],
        }
