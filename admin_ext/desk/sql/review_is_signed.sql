-- A review is signed by who acts, under what somebody else did, of what has ended; when, and on which seals, is not theirs
-- to say. The database alone knows who acts: the act of this transaction was begun by a signed claim.
IF NEW.reviewer_id::text IS DISTINCT FROM (public.opsadmin_named_act())[2] THEN
    RAISE EXCEPTION 'A review is signed in nobody else''s name.' USING ERRCODE = 'insufficient_privilege';
END IF;
IF NEW.first_act = NEW.last_act AND EXISTS (
    SELECT FROM public.audit_changeset a
    WHERE a.id = NEW.first_act AND NEW.reviewer_id IN (a.actor_id, a.acting_as_id)
) THEN
    RAISE EXCEPTION 'Nobody reviews their own changes.' USING ERRCODE = 'check_violation',
        CONSTRAINT = 'nobody_reviews_their_own_changes';
END IF;
IF 2 - (NEW.first_act = NEW.last_act)::int <> (
    SELECT count(*) FROM public.audit_changeset a
    WHERE a.id IN (NEW.first_act, NEW.last_act) AND a.finished_at IS NOT NULL
) THEN
    RAISE EXCEPTION 'A review begins and ends with acts that are on the record and have ended.'
        USING ERRCODE = 'check_violation', CONSTRAINT = 'a_review_is_of_acts_that_have_ended';
END IF;
NEW.signed_at := clock_timestamp();
NEW.block := NULL;
NEW.block_hash := '';
SELECT b.number, encode(b.hash, 'hex') INTO NEW.block, NEW.block_hash
FROM public.audit_block b ORDER BY b.number DESC LIMIT 1;
NEW.block_hash := coalesce(NEW.block_hash, '');
RETURN NEW;
