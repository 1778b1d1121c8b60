-- +goose Up
-- Events are found by segments of the log in place of rows under random keys: store/internal/postings says what is in them.
-- Those of the events that are recorded already are made at the next start. A record whose events are all its own has no row in
-- records any more: its events say it all.
DROP TABLE unindexed;
DROP TABLE facets;
DROP TABLE things;
DROP INDEX events_by_step;
DROP INDEX events_by_time;

CREATE TABLE segments (
    first    INTEGER PRIMARY KEY,
    events   INTEGER NOT NULL,
    earliest INTEGER NOT NULL,
    latest   INTEGER NOT NULL,
    buckets  INTEGER NOT NULL,
    filter   BLOB    NOT NULL,
    keys     BLOB    NOT NULL,
    times    BLOB    NOT NULL
);

-- id is the segment's first seq times 2^20 and the number of the part, so that a part is one look-up and mostly one page.
CREATE TABLE postings (
    id   INTEGER PRIMARY KEY,
    part BLOB NOT NULL
);

-- The bodies of events that were recorded together, packed together; store/internal/body says how. The event's row then says in
-- two bytes at which place its body is, and first is so much before its own seq.
CREATE TABLE bodies (
    first  INTEGER PRIMARY KEY,
    packed BLOB NOT NULL
);

-- +goose Down
SELECT 'the indexes of older releases cannot be made again: restore a backup';
