"""What goes in and out of the catalogue as files."""

from admin_ext.transfers.resources import ModelResource
from apps.catalogue.models import Category, Price, Product, Supplier


class CategoryResource(ModelResource):
    class Meta:
        model = Category
        fields = ["code", "name", "description", "parent"]
        import_id_fields = ["code"]


class SupplierResource(ModelResource):
    class Meta:
        model = Supplier
        fields = [
            "code",
            "name",
            "is_active",
            "contact_name",
            "contact_title",
            "email",
            "phone",
            "fax",
            "website",
            "street",
            "city",
            "state",
            "postal_code",
            "country",
            "currency",
            "lead_time_days",
        ]
        import_id_fields = ["code"]


class ProductResource(ModelResource):
    class Meta:
        model = Product
        fields = [
            "sku",
            "name",
            "status",
            "category",
            "supplier",
            "description",
            "unit",
            "quantity_per_unit",
            "barcode",
            "weight",
            "list_price",
            "currency",
            "tax_class",
            "reorder_level",
            "reorder_quantity",
        ]
        import_id_fields = ["sku"]
        synonyms = {
            "sku": ["article", "article number", "item", "item number", "part number", "product", "artikelnummer"],
            "name": ["description", "product name", "bezeichnung"],
            "supplier": ["vendor", "lieferant"],
            "barcode": ["ean", "gtin", "upc"],
            "list_price": ["price", "unit price", "preis"],
            "category": ["group", "warengruppe"],
            "weight": ["gewicht", "kg"],
            "unit": ["uom", "einheit"],
        }
        new_values = {"brought_in": True}


class PriceResource(ModelResource):
    class Meta:
        model = Price
        fields = ["product", "currency", "amount", "valid_from", "valid_until"]
        import_id_fields = ["product", "currency", "valid_from"]
