-- Before an order is written: states move by the table of moves, and what others rely on stays.
IF TG_OP = 'DELETE' THEN
    IF OLD.state <> 'draft' AND (NOT OLD.brought_in OR OLD.state = 'allocated') THEN
        RAISE EXCEPTION USING ERRCODE = 'check_violation', CONSTRAINT = 'an_order_under_way_stays',
            MESSAGE = format('Order %s is %s and is not deleted.', OLD.number, OLD.state),
            HINT = 'Cancel it instead.';
    END IF;
    RETURN OLD;
END IF;
IF pg_trigger_depth() = 1 THEN
    -- Only the lines' own trigger, one deeper, writes totals. Saving an order that was read earlier leaves them alone.
    NEW.gross_total := OLD.gross_total;
    NEW.net_total := OLD.net_total;
END IF;
IF NEW.state <> OLD.state AND (OLD.state, NEW.state) NOT IN (:moves) THEN
    RAISE EXCEPTION USING ERRCODE = 'check_violation', CONSTRAINT = 'an_order_moves_by_the_table',
        MESSAGE = format('Order %s is %s and cannot become %s.', OLD.number, OLD.state, NEW.state);
END IF;
IF NEW.brought_in <> OLD.brought_in THEN
    RAISE EXCEPTION USING ERRCODE = 'check_violation', CONSTRAINT = 'an_order_is_brought_in_for_good',
        MESSAGE = format('Whether order %s was brought in is decided once.', OLD.number);
END IF;
IF OLD.state = 'allocated' AND NEW.warehouse_id IS DISTINCT FROM OLD.warehouse_id THEN
    RAISE EXCEPTION USING ERRCODE = 'check_violation', CONSTRAINT = 'an_allocated_order_keeps_its_warehouse',
        MESSAGE = format('Order %s has stock allocated in its warehouse.', OLD.number),
        HINT = 'Release it, then choose another warehouse.';
END IF;
IF (NEW.customer_id, NEW.currency) IS DISTINCT FROM (OLD.customer_id, OLD.currency)
    AND OLD.state <> 'draft' AND NOT OLD.brought_in THEN
    RAISE EXCEPTION USING ERRCODE = 'check_violation', CONSTRAINT = 'a_confirmed_order_keeps_its_customer',
        MESSAGE = format('Order %s is %s and keeps its customer and currency.', OLD.number, OLD.state),
        HINT = 'Reopen it first.';
END IF;
RETURN NEW;
