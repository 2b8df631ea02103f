-- After movements were written, by whatever path: what is on hand is the sum of the movements.
-- The levels are found by lists of keys: the function forbids nested loops, and a join would read the whole table.
SELECT array_agg(DISTINCT warehouse_id), array_agg(DISTINCT product_id) INTO warehouses, products FROM new_rows;
IF warehouses IS NULL THEN
    RETURN NULL;
END IF;

-- In key order, so that two postings wait for each other instead of locking each other out.
PERFORM 1 FROM public.inventory_stocklevel
    WHERE warehouse_id = ANY (warehouses) AND product_id = ANY (products)
    ORDER BY id FOR NO KEY UPDATE;

-- The first movement of a product in a warehouse begins its level. Another posting may begin it at the same moment:
-- that is why known and new levels are one statement, which sees the table as it was at one moment, and a conflict adds.
WITH moved AS (
    SELECT warehouse_id, product_id, sum(quantity) AS quantity
    FROM new_rows GROUP BY warehouse_id, product_id HAVING sum(quantity) <> 0
), known AS (
    UPDATE public.inventory_stocklevel l
    SET on_hand = l.on_hand + moved.quantity
    FROM moved
    WHERE l.warehouse_id = ANY (warehouses) AND l.product_id = ANY (products)
        AND l.warehouse_id = moved.warehouse_id AND l.product_id = moved.product_id
    RETURNING l.warehouse_id, l.product_id
)
INSERT INTO public.inventory_stocklevel AS l
    (warehouse_id, product_id, on_hand, allocated, reorder_level, reorder_quantity)
SELECT moved.warehouse_id, moved.product_id, moved.quantity, 0, p.reorder_level, p.reorder_quantity
FROM moved JOIN public.catalogue_product p ON p.id = moved.product_id AND p.id = ANY (products)
WHERE NOT EXISTS (
    SELECT FROM known WHERE known.warehouse_id = moved.warehouse_id AND known.product_id = moved.product_id
)
ORDER BY moved.warehouse_id, moved.product_id
ON CONFLICT (warehouse_id, product_id) DO UPDATE SET on_hand = l.on_hand + EXCLUDED.on_hand;
RETURN NULL;
