-- The dispute registry: clocks, lamps and what people see of them.

-- ---- the watch: clocks and lamps ----------------------------------------------------------------------------

CREATE TABLE registry.clock (
    id           uuid PRIMARY KEY,
    source_case  bigint NOT NULL REFERENCES registry.source_case,
    sub_id       text COLLATE "C" NOT NULL,
    rule         text NOT NULL,                        -- id in deadlines.csv
    rule_version text NOT NULL,
    agency       text NOT NULL,
    started_at   timestamptz NOT NULL,
    state        text NOT NULL DEFAULT 'RUNNING',
    stopped_at   timestamptz,
    lamp         text NOT NULL DEFAULT 'GREEN' CHECK (lamp IN ('GREEN', 'YELLOW', 'RED', 'GREY')),
    total        int NOT NULL,                         -- limit and extension, in the row's unit (months and years: days)
    unit         text NOT NULL,
    due_on       date NOT NULL,
    stated       boolean NOT NULL DEFAULT false,       -- the partner's own date, taken as it stands
    provisional  boolean NOT NULL DEFAULT false,       -- past the published calendar: NOT_YET_PUBLISHED
    yellow_at    timestamptz,
    red_at       timestamptz NOT NULL,
    extended     int NOT NULL DEFAULT 0,
    remind_on    date[] NOT NULL DEFAULT '{}',
    reminded     int NOT NULL DEFAULT 0,
    UNIQUE (source_case, sub_id, rule, started_at)
);
CREATE INDEX clock_to_red ON registry.clock (red_at) WHERE state = 'RUNNING' AND lamp <> 'RED';
CREATE INDEX clock_to_yellow ON registry.clock (yellow_at) WHERE state = 'RUNNING' AND lamp = 'GREEN';
CREATE INDEX clock_provisional ON registry.clock (due_on) WHERE provisional AND state IN ('RUNNING', 'SUSPENDED');
CREATE TRIGGER clock_moves BEFORE UPDATE ON registry.clock
    FOR EACH ROW EXECUTE FUNCTION exchange.guard_state_move('clock', 'state');

-- Every limit that was ever set on a clock, every pause and every change of its lamp: enough to work out the lamp of
-- any past moment again.
CREATE TABLE registry.clock_event (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    clock    uuid NOT NULL REFERENCES registry.clock,
    kind     text NOT NULL CHECK (kind IN ('LIMIT', 'EXTEND', 'SUSPEND', 'RESUME', 'STOP', 'REOPEN', 'LAMP', 'REMIND')),
    at       timestamptz NOT NULL,
    by       text NOT NULL,
    detail   jsonb NOT NULL
);
CREATE INDEX clock_event_by_clock ON registry.clock_event (clock, id);
CREATE TRIGGER clock_event_append_only BEFORE UPDATE OR DELETE ON registry.clock_event
    FOR EACH ROW EXECUTE FUNCTION exchange.refuse_change();

-- ---- the watch: hand-over and unstable factors --------------------------------------------------------------

CREATE TABLE registry.referral (
    id           uuid PRIMARY KEY,
    source_case  bigint NOT NULL REFERENCES registry.source_case,   -- the sender's case
    from_agency  text NOT NULL,
    to_agency    text NOT NULL,
    reason       text NOT NULL,
    papers       jsonb NOT NULL DEFAULT '[]',
    state        text NOT NULL DEFAULT 'DRAFTED',
    limit_days   int NOT NULL CHECK (limit_days > 0),
    drafted_at   timestamptz NOT NULL,
    drafted_by   text NOT NULL,
    sent_at      timestamptz,
    sent_by      text,
    delivered_at timestamptz,
    receipt      text,
    due_at       timestamptz,                          -- first instant after the take-up limit
    act_by       timestamptz,                          -- returned: first instant at which the sender should have acted
    settled      boolean NOT NULL DEFAULT false,       -- returned, and the sender has acted since: nothing left to watch
    ended_at     timestamptz,
    ended_by     text,
    ended_reason text,
    taken_case   bigint REFERENCES registry.source_case,
    CHECK (sent_by IS NULL OR sent_by <> drafted_by)
);
CREATE INDEX referral_by_case ON registry.referral (source_case);
CREATE INDEX referral_sent ON registry.referral (sent_at) WHERE state = 'SENT';
CREATE INDEX referral_delivered ON registry.referral (due_at) WHERE state = 'DELIVERED';
CREATE INDEX referral_returned ON registry.referral (act_by) WHERE state = 'RETURNED' AND NOT settled;
CREATE TRIGGER referral_moves BEFORE UPDATE ON registry.referral
    FOR EACH ROW EXECUTE FUNCTION exchange.guard_state_move('referral', 'state');

-- What a partner's list, or the comparison with it, says it handed over. `native_id`: the partner's own key;
-- `message_id`: where only a message is known that never came.
CREATE TABLE registry.listed_hand_over (
    id          uuid PRIMARY KEY,
    partner     text NOT NULL,
    from_agency text NOT NULL,
    to_agency   text NOT NULL,
    native_id   text COLLATE "C" NOT NULL DEFAULT '',
    message_id  text COLLATE "C" NOT NULL DEFAULT '',
    said_on     date NOT NULL,                         -- the day on which it was handed over, as listed
    list        text NOT NULL,
    learnt_at   timestamptz NOT NULL,
    due_at      timestamptz NOT NULL,                  -- first instant at which it should have arrived
    settled_at  timestamptz,
    settled_why text,
    CHECK ((native_id = '') <> (message_id = '')),
    UNIQUE (partner, to_agency, native_id, message_id, said_on)
);
CREATE INDEX listed_hand_over_open ON registry.listed_hand_over (due_at) WHERE settled_at IS NULL;

-- One alarm a hand-over and reason; it ends by take-up, recall, an act or a new holder, not by a click. `about` names
-- what it hangs on: a referral, an episode's closing, a line of a list. A line of a list may belong to no case here.
CREATE TABLE registry.gap_alarm (
    id          uuid PRIMARY KEY,
    kind        text NOT NULL CHECK (kind IN ('NO_RECEIPT', 'NOT_TAKEN_UP', 'NO_ACT_AFTER_RETURN', 'CLOSED_NOT_HANDED',
                                              'LISTED_NOT_ARRIVED')),
    about       text NOT NULL,
    referral    uuid REFERENCES registry.referral,
    listed      uuid REFERENCES registry.listed_hand_over,
    source_case bigint REFERENCES registry.source_case,
    sub_id      text COLLATE "C" NOT NULL DEFAULT '',
    from_agency text NOT NULL,
    to_agency   text NOT NULL,                         -- '' = the closing does not say
    due_at      timestamptz NOT NULL,                  -- the instant from which it was a gap
    raised_at   timestamptz NOT NULL,
    ended_at    timestamptz,
    ended_why   text,
    UNIQUE (about, kind)
);
CREATE INDEX gap_alarm_open ON registry.gap_alarm (raised_at) WHERE ended_at IS NULL;
CREATE INDEX gap_alarm_by_case ON registry.gap_alarm (source_case);
CREATE INDEX gap_alarm_by_referral ON registry.gap_alarm (referral);
-- Episodes that ended with a word of their outcome: the watch looks through those that say "handed over".
CREATE INDEX episode_ended ON registry.episode (upper(outcome), closed_on) WHERE NOT open AND outcome <> '';

CREATE TABLE registry.factor (
    dispute      uuid PRIMARY KEY REFERENCES registry.dispute,
    score        int NOT NULL,
    computed     text NOT NULL,                        -- grade by the table, after the rules of going down
    lower_since  timestamptz,                          -- since when the score would allow a lower grade
    indicators   jsonb NOT NULL,
    rule_version text NOT NULL,
    changed_at   timestamptz NOT NULL,
    review_on    date
);
CREATE INDEX factor_listed ON registry.factor (computed, changed_at DESC) WHERE computed <> 'NONE';

CREATE TABLE registry.factor_log (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    dispute    uuid NOT NULL REFERENCES registry.dispute,
    at         timestamptz NOT NULL,
    by         text NOT NULL,
    was        text NOT NULL,
    now        text NOT NULL,
    score      int NOT NULL,
    indicators jsonb NOT NULL,
    rule_version text NOT NULL,
    cause      text NOT NULL
);
CREATE INDEX factor_log_by_dispute ON registry.factor_log (dispute, id);
CREATE TRIGGER factor_log_append_only BEFORE UPDATE OR DELETE ON registry.factor_log
    FOR EACH ROW EXECUTE FUNCTION exchange.refuse_change();

-- What only a person or another source can state (a threat, arrears, a bypass petition); missing = not known, never 0.
CREATE TABLE registry.indicator_note (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source_case bigint NOT NULL REFERENCES registry.source_case,
    indicator   text NOT NULL,
    step        text NOT NULL,
    at          timestamptz NOT NULL,
    by          text NOT NULL,
    reason      text NOT NULL,
    source      text NOT NULL DEFAULT '',
    ended_at    timestamptz,
    ended_by    text
);
CREATE INDEX indicator_note_by_case ON registry.indicator_note (source_case);

CREATE TABLE registry.grade_override (
    id         uuid PRIMARY KEY,
    source_case bigint NOT NULL REFERENCES registry.source_case,
    grade      text NOT NULL,
    code       text NOT NULL,
    reason     text NOT NULL CHECK (length(reason) >= 20),
    by         text NOT NULL,
    second     text,
    at         timestamptz NOT NULL,
    until      date NOT NULL,
    document   text NOT NULL DEFAULT '',
    CHECK (second IS NULL OR second <> by)
);
CREATE INDEX grade_override_by_case ON registry.grade_override (source_case, at DESC);

-- ---- published views: what insight and reports may read ------------------------------------------------------

CREATE VIEW registry.disputes_v1 AS
    SELECT id, number, opened_at, stage, stage_since, holder, holder_since, flags, cause, claimed_fen, agreed_fen,
           occurred_on, begun_on, county, town, agencies, lamp, grade, moved_at
    FROM registry.dispute WHERE merged_into IS NULL AND NOT sealed;

CREATE VIEW registry.episodes_v1 AS
    SELECT c.dispute, c.partner, c.agency, c.native_id, e.sub_id, e.kind, e.state, e.outcome, e.open, e.opened_on,
           e.closed_on, e.case_number
    FROM registry.episode e JOIN registry.source_case c ON c.id = e.source_case WHERE NOT e.hidden AND NOT e.sealed;

CREATE VIEW registry.claims_v1 AS
    SELECT k.id, c.dispute, c.partner, c.agency, c.native_id, s.sub_id, s.kind, k.field, k.value, k.raw, k.valid_from,
           k.valid_to, s.version, s.event_at, s.recorded_at, s.message, s.path, s.retracted_at, s.retracted_by,
           COALESCE(e.hidden OR e.sealed, false) AS hidden
    FROM registry.claim k
    JOIN registry.statement s ON s.id = k.statement
    JOIN registry.source_case c ON c.id = s.source_case
    LEFT JOIN registry.episode e ON e.source_case = c.id AND e.sub_id = s.sub_id;

CREATE VIEW registry.clocks_v1 AS
    SELECT k.id, c.dispute, c.agency, k.sub_id, k.rule, k.rule_version, k.state, k.started_at, k.due_on, k.provisional,
           k.lamp, k.stopped_at, k.red_at
    FROM registry.clock k JOIN registry.source_case c ON c.id = k.source_case;

CREATE VIEW registry.factors_v1 AS
    SELECT f.dispute, f.score, f.computed AS grade, f.rule_version, f.changed_at FROM registry.factor f;
