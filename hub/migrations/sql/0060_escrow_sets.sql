-- Escrow: what makes many lines and many orders one piece of work.

-- An instruction is looked for by its number alone where a move between two holders may name it.
CREATE INDEX rail_attempt_by_number ON escrow.rail_attempt (number);

-- Post plain entries in their order, each by `post_entry` with all its guards.
CREATE FUNCTION escrow.post_entries(
    p_ids uuid[], p_keys text[], p_kinds text[], p_cases uuid[], p_custodies uuid[], p_lines uuid[], p_orders uuid[],
    p_amounts bigint[], p_at timestamptz, p_actor text, p_debits uuid[], p_credits uuid[]
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    e record;
BEGIN
    FOR e IN SELECT * FROM unnest(p_ids, p_keys, p_kinds, p_cases, p_custodies, p_lines, p_orders, p_amounts, p_debits, p_credits)
             WITH ORDINALITY AS u (id, key, kind, case_id, custody, line, order_id, amount, debit, credit, place)
             ORDER BY place LOOP
        PERFORM escrow.post_entry(e.id, e.key, e.kind, e.case_id, e.custody, e.line, e.order_id, NULL, NULL, e.amount,
                                  p_at, p_actor, ARRAY[e.debit, e.credit], ARRAY[e.amount, -e.amount]);
    END LOOP;
END $$;

-- A file too large for one message: its parts, encrypted; its manifest is a message of the inbox (foundation/file_parts.py).
CREATE TABLE exchange.file_part (
    file    uuid NOT NULL,
    no      int NOT NULL CHECK (no >= 0),
    content bytea NOT NULL,
    PRIMARY KEY (file, no)
);
ALTER TABLE exchange.file_part ALTER COLUMN content SET STORAGE EXTERNAL;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON exchange.file_part
    FOR EACH ROW EXECUTE FUNCTION exchange.refuse_change();
CREATE TRIGGER never_emptied BEFORE TRUNCATE ON exchange.file_part
    FOR EACH STATEMENT EXECUTE FUNCTION exchange.refuse_change();
