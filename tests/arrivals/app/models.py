"""Purchase orders and their lines, rates of exchange, deliveries, and what citizens complain about."""

from django.db import models

from admin_ext.models import Record
from apps.customers.models import currency_choices


def money() -> models.DecimalField:
    return models.DecimalField(max_digits=16, decimal_places=4)


class Rate(Record):
    """What one unit of a currency cost in another on a day."""

    natural_key_fields = ("number",)

    number = models.PositiveIntegerField(unique=True)
    day = models.DateField()
    base = models.CharField(max_length=3, choices=currency_choices)
    currency = models.CharField(max_length=3, choices=currency_choices)
    average = money()
    closing = money()


class PurchaseOrder(Record):
    class State(models.TextChoices):
        PENDING = "pending", "Pending"
        APPROVED = "approved", "Approved"
        REJECTED = "rejected", "Rejected"
        COMPLETE = "complete", "Complete"

    natural_key_fields = ("number",)
    controlled_fields = ("state",)

    number = models.CharField(max_length=20, unique=True)
    supplier = models.ForeignKey("catalogue.Supplier", on_delete=models.PROTECT)
    state = models.CharField(max_length=10, choices=State.choices, default=State.PENDING)
    ordered_on = models.DateField()
    shipped_on = models.DateField(null=True, blank=True)
    net = money()
    total = money()


class PurchaseLine(Record):
    part_of = "order"
    natural_key_fields = ("number",)

    number = models.PositiveIntegerField(unique=True)
    order = models.ForeignKey(PurchaseOrder, on_delete=models.CASCADE, related_name="lines")
    product = models.ForeignKey("catalogue.Product", on_delete=models.PROTECT)
    due_on = models.DateField()
    quantity = models.PositiveIntegerField()
    unit_price = money()
    received = models.PositiveIntegerField()
    rejected = models.PositiveIntegerField()

    class Meta:
        default_permissions = ()
        constraints = [
            models.CheckConstraint(condition=models.Q(rejected__lte=models.F("received")), name="rejected_came"),
        ]


class Delivery(Record):
    """A line of a shipment; freight and weight may stand on the line of another, and a note says so."""

    natural_key_fields = ("number",)

    number = models.PositiveIntegerField(unique=True)
    project = models.CharField(max_length=20)
    country = models.CharField(max_length=60)
    vendor = models.CharField(max_length=100)
    item = models.CharField(max_length=200)
    quoted_on = models.DateField(null=True, blank=True)
    ordered_on = models.DateField(null=True, blank=True)
    delivered_on = models.DateField()
    quantity = models.PositiveIntegerField()
    value = money()
    weight = models.DecimalField(max_digits=12, decimal_places=3, null=True, blank=True)
    weight_note = models.CharField(max_length=60, blank=True)
    freight = models.DecimalField(max_digits=14, decimal_places=2, null=True, blank=True)
    freight_note = models.CharField(max_length=60, blank=True)
    insurance = models.DecimalField(max_digits=14, decimal_places=2, null=True, blank=True)

    class Meta(Record.Meta):
        verbose_name_plural = "deliveries"


class ServiceRequest(Record):
    class State(models.TextChoices):
        IN_PROGRESS = "in_progress", "In progress"
        CLOSED = "closed", "Closed"

    natural_key_fields = ("number",)
    controlled_fields = ("state",)

    number = models.PositiveBigIntegerField(unique=True)
    state = models.CharField(max_length=12, choices=State.choices)
    opened_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True)
    agency = models.CharField(max_length=10)
    complaint = models.CharField(max_length=100)
    borough = models.CharField(max_length=20, blank=True)

    class Meta(Record.Meta):
        constraints = [
            models.CheckConstraint(
                condition=models.Q(closed_at=None) | models.Q(closed_at__gte=models.F("opened_at")),
                name="a_request_closes_after_it_opens",
            ),
        ]
