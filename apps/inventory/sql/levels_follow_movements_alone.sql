-- Before a level is written: only the movements' own trigger, which is one trigger deeper, writes what is on hand.
IF TG_OP = 'DELETE' THEN
    IF OLD.on_hand <> 0 OR OLD.allocated <> 0 THEN
        RAISE EXCEPTION USING ERRCODE = 'check_violation', CONSTRAINT = 'a_stock_level_with_stock_stays',
            MESSAGE = 'A stock level with stock on hand or allocated is not deleted.',
            HINT = 'Issue or transfer the stock first.';
    END IF;
    RETURN OLD;
END IF;
IF pg_trigger_depth() = 1 AND NEW.on_hand IS DISTINCT FROM coalesce(OLD.on_hand, 0) THEN
    RAISE EXCEPTION USING ERRCODE = 'check_violation', CONSTRAINT = 'stock_on_hand_follows_movements',
        MESSAGE = 'Stock on hand follows from the movements and is not written by hand.',
        HINT = 'Receive, issue, transfer, adjust or count the stock.';
END IF;
IF TG_OP = 'UPDATE' AND (NEW.warehouse_id, NEW.product_id) IS DISTINCT FROM (OLD.warehouse_id, OLD.product_id) THEN
    RAISE EXCEPTION USING ERRCODE = 'check_violation', CONSTRAINT = 'a_stock_level_keeps_its_place',
        MESSAGE = 'A stock level keeps its warehouse and its product.',
        HINT = 'Transfer the stock instead.';
END IF;
RETURN NEW;
