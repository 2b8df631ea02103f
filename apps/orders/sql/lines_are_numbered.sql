-- Before a line is inserted without a number: it gets the next one of its order.
IF coalesce(NEW.number, 0) = 0 THEN
    SELECT coalesce(max(number), 0) + 1 INTO NEW.number FROM public.orders_orderline WHERE order_id = NEW.order_id;
END IF;
RETURN NEW;
