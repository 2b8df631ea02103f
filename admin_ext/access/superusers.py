"""Superusers are made at the machine, by nobody in the product."""

from __future__ import annotations

import pgtrigger
from django.db import models

from admin_ext.audit.triggers import GuardedTrigger


class SuperuserTrigger(GuardedTrigger):
    """For the model of users: `is_superuser` becomes true only in a shell, by a command or in SQL, and by nobody who
    is not one already. No form, import, bulk edit, plan or task makes a superuser, whatever their code forgets."""

    name = "superusers_are_made_at_the_machine"
    level = pgtrigger.Row
    when = pgtrigger.Before
    operation = pgtrigger.Insert | pgtrigger.Update

    def get_declare(self, model: type[models.Model]) -> list[tuple[str, str]]:
        return [("parts", "text[]")]

    def get_func(self, model: type[models.Model]) -> str:
        table = model._meta.db_table
        return f"""
            IF NOT NEW.is_superuser THEN RETURN NEW; END IF;
            IF TG_OP = 'UPDATE' THEN
                IF OLD.is_superuser AND (OLD.is_active OR NOT NEW.is_active) THEN RETURN NEW; END IF;
            END IF;
            parts := public.opsadmin_named_act();
            IF parts IS NOT NULL AND (
                parts[4] NOT IN ('shell', 'command', 'sql')
                OR EXISTS (
                    SELECT FROM public."{table}" u WHERE u.id = nullif(parts[2], '')::bigint AND NOT u.is_superuser
                )
            ) THEN
                RAISE EXCEPTION USING ERRCODE = 'check_violation',
                    CONSTRAINT = 'a_superuser_is_made_at_the_machine_alone',
                    MESSAGE = 'A superuser is made at the machine, by nobody in the product.';
            END IF;
            RETURN NEW;
        """
