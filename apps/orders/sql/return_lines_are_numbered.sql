-- Before a line of a return is inserted without a number: it gets the next one of its return.
IF coalesce(NEW.number, 0) = 0 THEN
    SELECT coalesce(max(number), 0) + 1 INTO NEW.number FROM public.orders_returnline
        WHERE goods_return_id = NEW.goods_return_id;
END IF;
RETURN NEW;
