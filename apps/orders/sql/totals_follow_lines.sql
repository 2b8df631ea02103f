-- After lines were written, by whatever path: totals are the sum of the lines, and lines change only while they may.
-- The orders are found by lists of keys: the function forbids nested loops, and a join would read the whole table.
SELECT array_agg(DISTINCT order_id) INTO touched FROM :changed;
IF touched IS NULL THEN
    RETURN NULL;
END IF;

-- In key order, so that two writers wait for each other instead of locking each other out; and in a statement of its
-- own, so that the sums below see what the other one wrote.
PERFORM 1 FROM public.orders_order WHERE id = ANY (touched) ORDER BY id FOR NO KEY UPDATE;

SELECT number, state INTO settled FROM public.orders_order
    WHERE id = ANY (touched) AND state <> 'draft' AND (NOT brought_in OR state = 'allocated') ORDER BY id LIMIT 1;
IF FOUND THEN
    RAISE EXCEPTION USING ERRCODE = 'check_violation', CONSTRAINT = 'lines_change_while_an_order_is_a_draft',
        MESSAGE = format('Order %s is %s; its lines change only while it is a draft.', settled.number, settled.state),
        HINT = 'Reopen the order first.';
END IF;

UPDATE public.orders_order o
SET gross_total = sums.gross, net_total = sums.net
FROM (
    SELECT t.id, coalesce(sum(l.unit_price * l.quantity), 0) AS gross, coalesce(sum(l.amount), 0) AS net
    FROM unnest(touched) AS t (id)
    LEFT JOIN public.orders_orderline l ON l.order_id = t.id AND l.order_id = ANY (touched)
    GROUP BY t.id
) sums
WHERE o.id = ANY (touched) AND o.id = sums.id AND (o.gross_total, o.net_total) IS DISTINCT FROM (sums.gross, sums.net);
RETURN NULL;
