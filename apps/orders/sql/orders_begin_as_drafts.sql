-- After orders were inserted: a new order begins as a draft; one brought in may be in any state but allocated, because
-- stock is promised by allocating.
SELECT number, state, brought_in INTO wrong FROM new_rows
    WHERE state <> 'draft' AND (NOT brought_in OR state = 'allocated') ORDER BY id LIMIT 1;
IF FOUND THEN
    RAISE EXCEPTION USING ERRCODE = 'check_violation', CONSTRAINT = 'an_order_begins_as_a_draft',
        MESSAGE = format('Order %s cannot begin as %s.', wrong.number, wrong.state),
        HINT = CASE WHEN wrong.brought_in THEN 'Bring it in as confirmed and allocate it here.'
            ELSE 'Make it a draft and confirm it.' END;
END IF;
SELECT number INTO wrong FROM new_rows WHERE gross_total <> 0 OR net_total <> 0 ORDER BY id LIMIT 1;
IF FOUND THEN
    RAISE EXCEPTION USING ERRCODE = 'check_violation', CONSTRAINT = 'order_totals_follow_the_lines',
        MESSAGE = format('Order %s has totals before it has lines.', wrong.number);
END IF;
RETURN NULL;
