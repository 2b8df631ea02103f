-- The cases that the review covers: acts of others that have ended. What is committed after this statement began was not
-- to be seen by the reviewer and stays open, whatever its number.
UPDATE public.desk_case c SET review_id = NEW.id
FROM public.audit_changeset a
WHERE c.act_id BETWEEN NEW.first_act AND NEW.last_act AND a.id = c.act_id AND a.finished_at IS NOT NULL
    AND a.actor_id IS DISTINCT FROM NEW.reviewer_id AND a.acting_as_id IS DISTINCT FROM NEW.reviewer_id;
RETURN NULL;
