-- +goose Up
-- Old segments are merged into runs. What is in segments and runs keeps other bits of the keys than before, so that those of the events that
-- are recorded already are made again at the next start.
DROP TABLE segments;
DELETE FROM postings;

-- names and things are how many entries the run has that the segment begins with.
CREATE TABLE segments (
    first    INTEGER PRIMARY KEY,
    events   INTEGER NOT NULL,
    earliest INTEGER NOT NULL,
    latest   INTEGER NOT NULL,
    names    INTEGER NOT NULL,
    things   INTEGER NOT NULL,
    keys     BLOB    NOT NULL,
    times    BLOB    NOT NULL
);

-- step counts the slices that are written, and after them those whose sources are deleted.
CREATE TABLE runs (
    level  INTEGER NOT NULL,
    first  INTEGER NOT NULL,
    events INTEGER NOT NULL,
    names  INTEGER NOT NULL,
    things INTEGER NOT NULL,
    step   INTEGER NOT NULL,
    PRIMARY KEY (level, first)
) WITHOUT ROWID;

-- +goose Down
SELECT 'the indexes of older releases cannot be made again: restore a backup';
