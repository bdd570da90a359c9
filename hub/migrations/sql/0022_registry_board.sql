-- The dispute registry: counts for the board, kept as they change, and indexes of lists with several filters.

-- How many disputes stand where: each change of disputes adds what it takes away and what it gives, so that nobody
-- waits for anybody's count; the board is the sum, and the watch folds the lines together from time to time.
CREATE TABLE registry.board_count (
    county text NOT NULL,
    stage  text NOT NULL,
    holder text NOT NULL,
    town   text NOT NULL,
    lamp   text NOT NULL,
    grade  text NOT NULL,
    n      bigint NOT NULL
);

CREATE FUNCTION registry.count_new() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO registry.board_count
    SELECT county, stage, holder, town, lamp, grade, count(*) FROM came WHERE merged_into IS NULL AND NOT sealed GROUP BY 1, 2, 3, 4, 5, 6;
    PERFORM pg_notify('concord_board', '');
    RETURN NULL;
END $$;
CREATE FUNCTION registry.count_gone() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO registry.board_count
    SELECT county, stage, holder, town, lamp, grade, -count(*) FROM went WHERE merged_into IS NULL AND NOT sealed GROUP BY 1, 2, 3, 4, 5, 6;
    PERFORM pg_notify('concord_board', '');
    RETURN NULL;
END $$;
CREATE FUNCTION registry.count_moved() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO registry.board_count
    SELECT county, stage, holder, town, lamp, grade, sum(n) FROM (
        SELECT county, stage, holder, town, lamp, grade, 1 AS n FROM came WHERE merged_into IS NULL AND NOT sealed
        UNION ALL SELECT county, stage, holder, town, lamp, grade, -1 FROM went WHERE merged_into IS NULL AND NOT sealed) AS moved
    GROUP BY 1, 2, 3, 4, 5, 6 HAVING sum(n) <> 0;
    IF FOUND THEN
        PERFORM pg_notify('concord_board', '');
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER dispute_counted_new AFTER INSERT ON registry.dispute
    REFERENCING NEW TABLE AS came FOR EACH STATEMENT EXECUTE FUNCTION registry.count_new();
CREATE TRIGGER dispute_counted_gone AFTER DELETE ON registry.dispute
    REFERENCING OLD TABLE AS went FOR EACH STATEMENT EXECUTE FUNCTION registry.count_gone();
CREATE TRIGGER dispute_counted_moved AFTER UPDATE ON registry.dispute
    REFERENCING OLD TABLE AS went NEW TABLE AS came FOR EACH STATEMENT EXECUTE FUNCTION registry.count_moved();

-- Alarms of hand-overs, proposals and conflicts stand on the board too: listeners look again when they change.
CREATE FUNCTION registry.tell_board() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('concord_board', '');
    RETURN NULL;
END $$;
CREATE TRIGGER gap_alarm_told AFTER INSERT OR UPDATE ON registry.gap_alarm
    FOR EACH STATEMENT EXECUTE FUNCTION registry.tell_board();
CREATE TRIGGER proposal_told AFTER INSERT OR UPDATE ON registry.proposal
    FOR EACH STATEMENT EXECUTE FUNCTION registry.tell_board();
CREATE TRIGGER conflict_told AFTER INSERT OR UPDATE ON registry.conflict
    FOR EACH STATEMENT EXECUTE FUNCTION registry.tell_board();
