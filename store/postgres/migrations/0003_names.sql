-- +goose Up
-- What Append asks of every record and event, whether it is there already, is answered by filters in the memory of each process
-- (names.go) in place of a look-up in every partition. The index is made again at the next start, which reads all events.

-- The keys of the records and event ids of one transaction, 8 bytes big-endian each, those of one partition: part is its number, which
-- counts from 0. They are in the order in which they were committed. mark is a random number, by which a process knows the row that it
-- read last from another under the same id.
CREATE TABLE names (
    id   BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    part BIGINT NOT NULL,
    mark BIGINT NOT NULL,
    keys BYTEA NOT NULL
);
ALTER TABLE names ALTER COLUMN keys SET STORAGE EXTERNAL; -- hashes cannot be compressed

-- The filters of partitions that nothing is added to any more.
CREATE TABLE filters (
    part BIGINT PRIMARY KEY,
    bits BYTEA NOT NULL
);
ALTER TABLE filters ALTER COLUMN bits SET STORAGE EXTERNAL;

INSERT INTO names (part, mark, keys)
    SELECT r.at / h.per_partition, 0, string_agg(int8send(r.key), ''::bytea) FROM records r, head h GROUP BY 1;

-- A row for each key of an event: those of its record and its id, and of what it is about. Its name is new, so that a process of an
-- older release, which would not write names, fails in place of recording.
DROP TABLE things;
CREATE TABLE postings (
    key BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    PRIMARY KEY (key, seq)
) PARTITION BY RANGE (seq);
TRUNCATE facets;
UPDATE head SET indexed = 0, to_index = size;

-- +goose StatementBegin
DO $$
DECLARE
    a BIGINT := 0;
    h RECORD;
BEGIN
    FOR h IN SELECT partitioned, per_partition FROM head LOOP
        WHILE a < h.partitioned LOOP
            EXECUTE format('CREATE TABLE postings_%s PARTITION OF postings FOR VALUES FROM (%s) TO (%s)', a, a, a + h.per_partition);
            a := a + h.per_partition;
        END LOOP;
    END LOOP;
END $$;
-- +goose StatementEnd

-- +goose Down
SELECT 'older releases do not keep the names: restore a backup';
