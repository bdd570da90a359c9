-- Indicators that officers enter (supervision.md 5): each with its last day where one was set, and withdrawn with a reason.
ALTER TABLE registry.indicator_note ADD COLUMN until date;             -- the last day on which it counts; NULL = its indicator's window
ALTER TABLE registry.indicator_note ADD COLUMN ended_reason text;
ALTER TABLE registry.indicator_note ADD CHECK (until IS NULL OR until >= CAST(at AT TIME ZONE 'Asia/Shanghai' AS date));
ALTER TABLE registry.indicator_note ADD CHECK ((ended_at IS NULL) = (ended_by IS NULL));
CREATE INDEX indicator_note_ending ON registry.indicator_note (until) WHERE ended_at IS NULL AND until IS NOT NULL;
