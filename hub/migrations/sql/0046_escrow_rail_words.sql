-- What rails said of our instructions, hints included: reference and time of theirs (escrow/rail_words.py).

CREATE TABLE escrow.rail_word (
    rail      text NOT NULL,
    number    text NOT NULL,
    reference text NOT NULL DEFAULT '',
    outcome   text NOT NULL,
    told_at   timestamptz,                 -- the rail's time of the fact
    known_at  timestamptz NOT NULL,
    PRIMARY KEY (rail, number, reference, outcome)
);
CREATE INDEX rail_word_by_reference ON escrow.rail_word (rail, reference);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON escrow.rail_word
    FOR EACH ROW EXECUTE FUNCTION exchange.refuse_change();
CREATE TRIGGER never_emptied BEFORE TRUNCATE ON escrow.rail_word
    FOR EACH STATEMENT EXECUTE FUNCTION exchange.refuse_change();
