-- +goose Up
-- Finds events by what they say, in the order of their time. key is the 63-bit hash of a kind and a value; whoever reads
-- compares the event itself.
CREATE TABLE facets (
    key        INTEGER NOT NULL,
    event_time INTEGER NOT NULL,
    seq        INTEGER NOT NULL,
    PRIMARY KEY (key, event_time, seq)
) WITHOUT ROWID;

-- The distinct values that each provider's events have of a kind, and the stems of identifiers (kind 100).
CREATE TABLE vocabulary (
    kind     INTEGER NOT NULL,
    value    TEXT    NOT NULL,
    provider TEXT    NOT NULL,
    PRIMARY KEY (kind, value, provider)
) WITHOUT ROWID;

-- Events recorded before the two tables above existed are brought into them at the next start.
CREATE TABLE unindexed (
    next  INTEGER NOT NULL,
    until INTEGER NOT NULL
);
INSERT INTO unindexed SELECT 0, coalesce(max(seq) + 1, 0) FROM events;

CREATE TABLE capture_jobs (
    id           TEXT PRIMARY KEY,
    provider     TEXT    NOT NULL,
    connector    TEXT    NOT NULL,
    proceed      INTEGER NOT NULL,
    content_type TEXT    NOT NULL,
    file         TEXT    NOT NULL,
    events       INTEGER NOT NULL,
    failed       INTEGER NOT NULL,
    errors       TEXT    NOT NULL,
    running      INTEGER NOT NULL,
    success      INTEGER NOT NULL,
    created_at   INTEGER NOT NULL,
    finished_at  INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX capture_jobs_by_time ON capture_jobs (provider, created_at, id);
CREATE INDEX capture_jobs_running ON capture_jobs (created_at) WHERE running;

CREATE TABLE named_queries (
    provider   TEXT    NOT NULL,
    name       TEXT    NOT NULL,
    definition TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (provider, name)
) WITHOUT ROWID;

CREATE TABLE subscriptions (
    id               TEXT PRIMARY KEY,
    provider         TEXT    NOT NULL,
    query            TEXT    NOT NULL,
    view             TEXT    NOT NULL,
    dest             TEXT    NOT NULL,
    secret           TEXT    NOT NULL,
    stream           INTEGER NOT NULL,
    schedule         TEXT    NOT NULL,
    report_if_empty  INTEGER NOT NULL,
    format           TEXT    NOT NULL,
    initial_at       INTEGER NOT NULL,
    created_at       INTEGER NOT NULL,
    next_seq         INTEGER NOT NULL,
    last_run_at      INTEGER NOT NULL,
    last_notified_at INTEGER NOT NULL,
    failures         INTEGER NOT NULL,
    last_error       TEXT    NOT NULL
) WITHOUT ROWID;
CREATE INDEX subscriptions_by_query ON subscriptions (provider, query, id);

-- +goose Down
DROP TABLE subscriptions;
DROP TABLE named_queries;
DROP TABLE capture_jobs;
DROP TABLE unindexed;
DROP TABLE vocabulary;
DROP TABLE facets;
