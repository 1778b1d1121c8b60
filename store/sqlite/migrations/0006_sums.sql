-- +goose Up
-- Every part of the index ends with a checksum. Those that are kept without one are made again at the next start.
DELETE FROM segments;
DELETE FROM runs;
DELETE FROM postings;

-- +goose Down
SELECT 'the indexes of older releases cannot be made again: restore a backup';
