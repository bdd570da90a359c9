-- What a partner is to be asked for because a message of its own calls for it (a lost number, a case without its facts).

CREATE TABLE exchange.ask (
    partner  text NOT NULL,
    kind     text NOT NULL,                -- a kind of the adapter's pull, on demand
    cursor   text NOT NULL,                -- of what: a case's key
    because  uuid NOT NULL,                -- the message
    since    timestamptz NOT NULL,
    tries    int NOT NULL DEFAULT 0,
    next_try timestamptz NOT NULL,
    done_at  timestamptz,
    PRIMARY KEY (partner, kind, cursor)
);
CREATE INDEX ask_due ON exchange.ask (next_try) WHERE done_at IS NULL;
