-- +goose Up
-- Names that repeat (business steps, places, parties, connectors) are stored once.
CREATE TABLE terms (
    id   INTEGER PRIMARY KEY,
    text TEXT NOT NULL UNIQUE
);

-- One row an event, in log order. seq is gapless from 0 and is the leaf index. Times are microseconds since 1970 UTC.
-- The leaf record is not stored: it is put together from connector, provider, received_at, raw, hash, salt and body.
CREATE TABLE events (
    seq          INTEGER PRIMARY KEY,
    event_id     TEXT    NOT NULL,
    declared_at  INTEGER NOT NULL DEFAULT 0,
    event_time   INTEGER NOT NULL,
    recorded_at  INTEGER NOT NULL,
    received_at  INTEGER NOT NULL,
    type         INTEGER NOT NULL REFERENCES terms,
    biz_step     INTEGER NOT NULL REFERENCES terms,
    provider     INTEGER NOT NULL REFERENCES terms,
    connector    INTEGER NOT NULL REFERENCES terms,
    record_id    TEXT    NOT NULL,
    hash         TEXT    NOT NULL,
    raw          BLOB    NOT NULL,
    salt         BLOB    NOT NULL,
    leaf_hash    BLOB    NOT NULL,
    body         BLOB    NOT NULL
);
CREATE INDEX events_by_time ON events (event_time, seq);
CREATE INDEX events_by_step ON events (biz_step, event_time, seq);

-- The keys below are 63-bit hashes of what they stand for: eight bytes instead of an identifier keep the pages that
-- random inserts dirty few. Whoever reads compares the full value. things finds events by an identifier they speak of,
-- and by their own event id.
CREATE TABLE things (
    key INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (key, seq)
) WITHOUT ROWID;

-- What became of each raw record; the idempotence of append rests on it.
CREATE TABLE records (
    key         INTEGER PRIMARY KEY,
    connector   INTEGER NOT NULL REFERENCES terms,
    id          TEXT    NOT NULL,
    provider    INTEGER NOT NULL REFERENCES terms,
    raw         BLOB    NOT NULL,
    received_at INTEGER NOT NULL,
    verdict     INTEGER NOT NULL,
    seqs        TEXT    NOT NULL DEFAULT '',
    dead        INTEGER NOT NULL DEFAULT 0
);

CREATE TABLE dead_letters (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    connector    TEXT    NOT NULL,
    record_id    TEXT    NOT NULL,
    provider     TEXT    NOT NULL,
    raw          BLOB    NOT NULL,
    received_at  INTEGER NOT NULL,
    died_at      INTEGER NOT NULL,
    attempts     INTEGER NOT NULL,
    stage        TEXT    NOT NULL,
    code         TEXT    NOT NULL,
    fault        TEXT    NOT NULL,
    content_type TEXT    NOT NULL,
    origin       TEXT    NOT NULL,
    preamble     BLOB    NOT NULL,
    body         BLOB    NOT NULL,
    line         INTEGER NOT NULL,
    col          INTEGER NOT NULL,
    state        INTEGER NOT NULL,
    note         TEXT    NOT NULL
);
CREATE INDEX dead_letters_by_state ON dead_letters (state, id);
CREATE INDEX dead_letters_by_record ON dead_letters (connector, record_id);

-- Master data as each provider states it: attributes is a JSON object name -> [value, statedAt].
CREATE TABLE statements (
    kind       INTEGER NOT NULL,
    id         TEXT    NOT NULL,
    provider   TEXT    NOT NULL,
    stated_at  INTEGER NOT NULL,
    attributes TEXT    NOT NULL,
    PRIMARY KEY (kind, id, provider)
) WITHOUT ROWID;

CREATE TABLE scans (
    id       TEXT PRIMARY KEY,
    count    INTEGER NOT NULL,
    first_at INTEGER NOT NULL,
    last_at  INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE positions (
    connector TEXT PRIMARY KEY,
    position  TEXT    NOT NULL,
    saved_at  INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE checkpoints (
    size          INTEGER PRIMARY KEY,
    origin        TEXT    NOT NULL,
    root          BLOB    NOT NULL,
    note          BLOB    NOT NULL,
    previous_size INTEGER NOT NULL,
    sealed_at     INTEGER NOT NULL,
    state         INTEGER NOT NULL,
    pending       BLOB,
    evidence      TEXT    NOT NULL DEFAULT '[]',
    committed_at  INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE tiles (
    level  INTEGER NOT NULL,
    idx    INTEGER NOT NULL,
    hashes BLOB    NOT NULL,
    PRIMARY KEY (level, idx)
) WITHOUT ROWID;

CREATE TABLE keys (
    id           TEXT PRIMARY KEY,
    hash         BLOB    NOT NULL UNIQUE,
    provider     TEXT    NOT NULL,
    scopes       TEXT    NOT NULL,
    note         TEXT    NOT NULL,
    created_at   INTEGER NOT NULL,
    revoked_at   INTEGER NOT NULL DEFAULT 0,
    last_used_at INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;

-- +goose Down
DROP TABLE keys;
DROP TABLE tiles;
DROP TABLE checkpoints;
DROP TABLE positions;
DROP TABLE scans;
DROP TABLE statements;
DROP TABLE dead_letters;
DROP TABLE records;
DROP TABLE things;
DROP TABLE events;
DROP TABLE terms;
