"""What customers ordered, what we sent them, and what came back."""

from apps.orders.models.orders import MOVES, LinesTrigger, Order, OrderLine, State
from apps.orders.models.returns import Return, ReturnLine
from apps.orders.models.shipments import Shipment, ShipmentLine

__all__ = ["MOVES", "LinesTrigger", "Order", "OrderLine", "Return", "ReturnLine", "Shipment", "ShipmentLine", "State"]
