-- Forms of the console: each is taken once, so that a second click has no second effect and gets the first answer.
CREATE TABLE exchange.form_sent (
    id     uuid PRIMARY KEY,
    actor  text NOT NULL,
    at     timestamptz NOT NULL,
    path   text NOT NULL,
    target text NOT NULL DEFAULT '/',
    notice text NOT NULL DEFAULT ''
);
