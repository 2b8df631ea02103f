"""Trees that rights follow: the database keeps them trees."""

from __future__ import annotations

from typing import Any

import pgtrigger
from django.db import models

from admin_ext.audit.triggers import GuardedTrigger


class TreeTrigger(GuardedTrigger):
    """Refuses a row that would stand below itself, over however many steps, and whoever else moves rows meanwhile.

    For a model with a foreign key `parent` to itself. Moves in one tree wait for each other until their transactions
    end: of two that would close a circle together, the second sees the first.
    """

    name = "stays_a_tree"
    level = pgtrigger.Row
    # After the whole statement: a bulk update is judged by what it leaves.
    when = pgtrigger.After
    operation = pgtrigger.Insert | pgtrigger.Update

    def get_func(self, model: type[models.Model]) -> str:
        table, kind = model._meta.db_table, model._meta.verbose_name
        options: Any = model._meta
        parent, key = options.get_field("parent").column, options.pk.column
        return f"""
            IF NEW."{parent}" IS NULL THEN RETURN NULL; END IF;
            IF TG_OP = 'UPDATE' THEN
                IF NEW."{parent}" IS NOT DISTINCT FROM OLD."{parent}" THEN RETURN NULL; END IF;
            END IF;
            PERFORM pg_advisory_xact_lock(hashtext('opsadmin.tree'), hashtext(TG_TABLE_NAME));
            IF EXISTS (
                WITH RECURSIVE above(id) AS (
                    SELECT NEW."{parent}"
                    UNION
                    SELECT t."{parent}" FROM public."{table}" t JOIN above a ON t."{key}" = a.id
                    WHERE t."{parent}" IS NOT NULL
                )
                SELECT FROM above WHERE id = NEW."{key}"
            ) THEN
                RAISE EXCEPTION USING ERRCODE = 'check_violation',
                    CONSTRAINT = 'a_{options.model_name}_is_not_below_itself',
                    MESSAGE = 'No {kind} can stand below itself.';
            END IF;
            RETURN NULL;
        """
