-- Subscriptions: partners who want to be told at once, by webhook or by a queue of the broker.
CREATE TABLE exchange.subscription (
    id         uuid PRIMARY KEY,
    partner    text NOT NULL,
    kind       text NOT NULL CHECK (kind IN ('webhook', 'amqp')),
    topics     text[] NOT NULL CHECK (cardinality(topics) BETWEEN 1 AND 50),
    address    text NOT NULL,                          -- URL of the webhook, name of the queue
    state      text NOT NULL CHECK (state IN ('ASKED', 'ACTIVE', 'PAUSED', 'ENDED')),
    reason     text NOT NULL DEFAULT '',               -- of the last change
    created_at timestamptz NOT NULL,
    created_by text NOT NULL,
    changed_at timestamptz NOT NULL,
    changed_by text NOT NULL,
    failures   int NOT NULL DEFAULT 0,
    open_until timestamptz,                            -- circuit breaker: no call before this instant
    last_ok    timestamptz,
    last_error text
);
CREATE INDEX subscription_by_partner ON exchange.subscription (partner, created_at);
CREATE INDEX subscription_active ON exchange.subscription (state) WHERE state = 'ACTIVE';

CREATE TABLE exchange.subscription_delivery (
    subscription uuid NOT NULL REFERENCES exchange.subscription,
    event        bigint NOT NULL,
    subject      text NOT NULL,                        -- the dispute: order holds within it
    body         bytea NOT NULL,                       -- the same bytes at each try
    state        text NOT NULL DEFAULT 'WAITING' CHECK (state IN ('WAITING', 'SENDING', 'DELIVERED', 'DEAD')),
    attempts     int NOT NULL DEFAULT 0,
    due          timestamptz NOT NULL,
    lease_until  timestamptz,
    last_error   text,
    delivered_at timestamptz,
    PRIMARY KEY (subscription, event)
);
CREATE INDEX subscription_delivery_due ON exchange.subscription_delivery (subscription, event)
    WHERE state IN ('WAITING', 'SENDING');
CREATE INDEX subscription_delivery_dead ON exchange.subscription_delivery (subscription, event) WHERE state = 'DEAD';

-- Where nobody subscribes, an event is born told: nothing is written twice for nobody.
CREATE FUNCTION exchange.nobody_subscribes() RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT NOT EXISTS (SELECT 1 FROM exchange.subscription WHERE state = 'ACTIVE')
$$;
ALTER TABLE exchange.event ADD COLUMN told boolean NOT NULL DEFAULT exchange.nobody_subscribes();
-- An event is told when every transaction that began before its own has ended: numbers are given before commits.
ALTER TABLE exchange.event ADD COLUMN xid xid8 NOT NULL DEFAULT pg_current_xact_id();
CREATE INDEX event_untold ON exchange.event (id) WHERE NOT told;
