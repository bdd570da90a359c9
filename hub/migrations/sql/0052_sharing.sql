-- Sharing agreements (exchange rule 8) and the comparison of holdings with partners (rule 10).

-- Agreements of partners that are rows; those of an adapter lie in its folder. The terms are kept as they were entered.
CREATE TABLE exchange.sharing_agreement (
    id         text PRIMARY KEY CHECK (id ~ '^[A-Za-z0-9._-]{1,60}$'),
    partner    text NOT NULL,
    terms      jsonb NOT NULL,
    sha256     text NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),  -- of the file that was entered
    entered_at timestamptz NOT NULL,
    entered_by text NOT NULL
);
CREATE INDEX sharing_agreement_by_partner ON exchange.sharing_agreement (partner);
CREATE TRIGGER sharing_agreement_append_only BEFORE UPDATE OR DELETE ON exchange.sharing_agreement
    FOR EACH ROW EXECUTE FUNCTION exchange.refuse_change();

-- A stop acts on the next record that would leave. The latest row of an agreement counts.
CREATE TABLE exchange.sharing_stop (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    agreement text NOT NULL,
    stopped   boolean NOT NULL,
    reason    text NOT NULL CHECK (reason <> ''),
    at        timestamptz NOT NULL,
    by        text NOT NULL
);
CREATE INDEX sharing_stop_by_agreement ON exchange.sharing_stop (agreement, id DESC);
CREATE TRIGGER sharing_stop_append_only BEFORE UPDATE OR DELETE ON exchange.sharing_stop
    FOR EACH ROW EXECUTE FUNCTION exchange.refuse_change();

ALTER TABLE exchange.disclosure
    ADD COLUMN agreement text NOT NULL DEFAULT '',   -- '' = within the hub: a duty, no agreement
    ADD COLUMN data_set  text NOT NULL DEFAULT '';
-- Under which agreement a message was made: when that ends or is stopped, what still waits does not leave.
ALTER TABLE exchange.outbox ADD COLUMN agreement text NOT NULL DEFAULT '';
CREATE INDEX disclosure_by_subject ON exchange.disclosure (subject, at DESC);
CREATE INDEX disclosure_by_agreement ON exchange.disclosure (agreement, at DESC) WHERE agreement <> '';

-- Published for the look "who saw this person's data": a party of a proceeding and every number its dispute bears.
CREATE VIEW registry.person_number AS
    SELECT p.id_number, p.credit_code, p.name, p.phone, d.number AS dispute, n.number
    FROM registry.party p
    JOIN registry.episode e ON e.id = p.episode
    JOIN registry.source_case c ON c.id = e.source_case
    JOIN registry.dispute d ON d.id = c.dispute
    CROSS JOIN LATERAL (SELECT unnest(d.numbers) UNION SELECT d.number UNION SELECT c.native_id) AS n (number);

-- ---- comparison of holdings ---------------------------------------------------------------------------------
-- Messages that a later one of their sender took back (published for the comparison).
CREATE INDEX statement_retracted ON registry.statement (message) WHERE retracted_at IS NOT NULL;
CREATE VIEW registry.retracted_message AS
    SELECT DISTINCT message FROM registry.statement WHERE retracted_at IS NOT NULL;

-- SHA-256 of the wire bytes that a partner was sent, by which both sides know that they mean the same.
ALTER TABLE exchange.outbox ADD COLUMN content_hash bytea;
CREATE INDEX inbox_holding ON exchange.inbox (partner, received_at)
    WHERE message_id IS NOT NULL AND state IN ('RECEIVED', 'APPLIED', 'PARKED');
CREATE INDEX outbox_holding ON exchange.outbox (partner, created_at);

-- What we hold of partner p by the days (Beijing) since..until, each message once. Its place in a day is the SHA-256 of
-- its id, its leaf that place and the first half of the SHA-256 of what is said under the id (schemas/holdings.py).
CREATE FUNCTION exchange.holding(p text, which text, since date, until date)
RETURNS TABLE (day date, id text, digest text, withdrawn boolean, place bytea, leaf bytea) LANGUAGE sql STABLE AS $$
    SELECT h.day, h.id, h.digest, h.withdrawn, l.place,
        l.place || substr(sha256(convert_to(h.digest || E'\n' || CASE WHEN h.withdrawn THEN 'withdrawn' ELSE 'held' END, 'UTF8')), 1, 16)
    FROM (
        SELECT (i.received_at AT TIME ZONE 'Asia/Shanghai')::date AS day, i.message_id AS id,
            COALESCE(i.compare_digest, encode(i.content_hash, 'hex')) AS digest, w.message IS NOT NULL AS withdrawn
        FROM exchange.inbox i LEFT JOIN registry.retracted_message w ON w.message = i.id
        WHERE which = 'to_hub' AND i.partner = p AND i.message_id IS NOT NULL
          AND i.state IN ('RECEIVED', 'APPLIED', 'PARKED')
          AND i.received_at >= since::timestamp AT TIME ZONE 'Asia/Shanghai'
          AND i.received_at < (until + 1)::timestamp AT TIME ZONE 'Asia/Shanghai'
        UNION ALL
        SELECT (o.created_at AT TIME ZONE 'Asia/Shanghai')::date, o.message_id,
            COALESCE(encode(o.content_hash, 'hex'), ''), false
        FROM exchange.outbox o
        WHERE which = 'from_hub' AND o.partner = p
          AND o.created_at >= since::timestamp AT TIME ZONE 'Asia/Shanghai'
          AND o.created_at < (until + 1)::timestamp AT TIME ZONE 'Asia/Shanghai'
    ) h CROSS JOIN LATERAL (SELECT sha256(convert_to(h.id, 'UTF8')) AS place) l
$$;

CREATE TABLE exchange.comparison (
    id          uuid PRIMARY KEY,
    partner     text NOT NULL,
    since       date NOT NULL,
    until       date NOT NULL CHECK (until >= since),
    at          timestamptz NOT NULL,
    finished_at timestamptz,
    ours        int NOT NULL DEFAULT 0,          -- messages compared
    theirs      int NOT NULL DEFAULT 0,
    calls       int NOT NULL DEFAULT 0,          -- asked of the partner
    rows        int NOT NULL DEFAULT 0,          -- hashes and ids that it gave
    error       text NOT NULL DEFAULT ''
);
CREATE INDEX comparison_by_partner ON exchange.comparison (partner, at DESC);

-- One difference is one row from the day it is found until it is gone; what was done stands in it.
CREATE TABLE exchange.difference (
    id          uuid PRIMARY KEY,
    partner     text NOT NULL,
    way         text NOT NULL CHECK (way IN ('to_hub', 'from_hub')),
    day         date NOT NULL,
    message_id  text NOT NULL,
    kind        text NOT NULL CHECK (kind IN ('MISSING_HERE', 'MISSING_THERE', 'DIFFERENT', 'WITHDRAWN')),
    ours        text NOT NULL DEFAULT '',        -- digest, '' = not held; "withdrawn" after it where taken back
    theirs      text NOT NULL DEFAULT '',
    comparison  uuid NOT NULL REFERENCES exchange.comparison,
    found_at    timestamptz NOT NULL,
    done        text NOT NULL DEFAULT 'OPEN' CHECK (done IN ('OPEN', 'ASKED', 'SENT', 'PERSON', 'GONE')),
    done_at     timestamptz,
    note        text NOT NULL DEFAULT ''
);
CREATE UNIQUE INDEX difference_once ON exchange.difference (partner, way, message_id) WHERE done <> 'GONE';
CREATE INDEX difference_by_time ON exchange.difference (found_at DESC, id);
