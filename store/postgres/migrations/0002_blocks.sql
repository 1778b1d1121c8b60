-- +goose Up
-- Events that are recorded together are packed together, and what many events have in common is found by rows of many events in
-- place of one for each. The index of the events that are recorded already is made again at the next start, which reads them all.

-- How far the index has been made again: events from indexed up to to_index are not in it yet.
ALTER TABLE head ADD COLUMN indexed BIGINT NOT NULL DEFAULT 0, ADD COLUMN to_index BIGINT NOT NULL DEFAULT 0;
UPDATE head SET to_index = size;

-- The events of one transaction, packed together, at most 64 in the order of the log; store/internal/body says how. An event is
-- here or in events, never in both: those recorded one by one, and those of older releases, are there.
-- leaves are 32 bytes an event, times the event's as 8 bytes big-endian.
CREATE TABLE blocks (
    first       BIGINT NOT NULL PRIMARY KEY,
    events      BIGINT NOT NULL,
    recorded_at BIGINT NOT NULL,
    leaves      BYTEA NOT NULL,
    times       BYTEA NOT NULL,
    packed      BYTEA NOT NULL
) PARTITION BY RANGE (first);
ALTER TABLE blocks ALTER COLUMN leaves SET STORAGE EXTERNAL; -- neither can be compressed further
ALTER TABLE blocks ALTER COLUMN packed SET STORAGE EXTERNAL;
DROP INDEX events_by_time;
DROP INDEX events_by_step;

-- Events of one key whose times lie close together; first and last bound their seqs, earliest and latest their times, spots holds
-- both of each: facets.go says how, and what width is.
DROP TABLE facets;
CREATE TABLE facets (
    key      BIGINT NOT NULL,
    width    BIGINT NOT NULL,
    earliest BIGINT NOT NULL,
    first    BIGINT NOT NULL,
    latest   BIGINT NOT NULL,
    last     BIGINT NOT NULL,
    events   BIGINT NOT NULL,
    spots    BYTEA NOT NULL,
    PRIMARY KEY (key, width, earliest, first)
) PARTITION BY RANGE (first);
TRUNCATE things;

-- +goose StatementBegin
DO $$
DECLARE
    a BIGINT := 0;
    h RECORD;
BEGIN
    FOR h IN SELECT partitioned, per_partition FROM head LOOP
        WHILE a < h.partitioned LOOP
            EXECUTE format('CREATE TABLE blocks_%s PARTITION OF blocks FOR VALUES FROM (%s) TO (%s)', a, a, a + h.per_partition);
            EXECUTE format('CREATE TABLE facets_%s PARTITION OF facets FOR VALUES FROM (%s) TO (%s)', a, a, a + h.per_partition);
            a := a + h.per_partition;
        END LOOP;
    END LOOP;
END $$;
-- +goose StatementEnd

-- +goose Down
SELECT 'what is packed cannot be read by older releases: restore a backup';
