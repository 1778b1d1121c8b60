-- +goose Up
-- The rows of events that were recorded together, packed together, at most 64 in the order of the log; store/internal/body says
-- how. An event is here or in events, never in both: those recorded one by one, and those of older releases, are there.
-- leaves are 32 bytes an event, times the event's as 8 bytes big-endian.
CREATE TABLE blocks (
    first       INTEGER PRIMARY KEY,
    events      INTEGER NOT NULL,
    recorded_at INTEGER NOT NULL,
    leaves      BLOB    NOT NULL,
    times       BLOB    NOT NULL,
    packed      BLOB    NOT NULL
);

-- +goose Down
SELECT 'what is packed cannot be read by older releases: restore a backup';
