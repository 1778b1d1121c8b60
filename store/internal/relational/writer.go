package relational

// Table is one of the tables that every event or record adds rows to.
type Table uint8

// The tables. A row's values stand in the order of its table's Columns.
const (
	Events Table = iota
	Records
	// Blocks holds events that were recorded together.
	Blocks
)

// Tables is how many there are.
const Tables = 3

// Name is the table's name in the database.
func (t Table) Name() string {
	return [...]string{"events", "records", "blocks"}[t]
}

// Columns are the table's columns in the order of a row's values.
func (t Table) Columns() []string {
	return [...][]string{
		{
			"seq", "event_id", "declared_at", "event_time", "recorded_at", "received_at", "type", "biz_step", "provider", "connector",
			"record_id", "hash", "raw", "salt", "leaf_hash", "body",
		},
		{"key", "connector", "id", "provider", "raw", "received_at", "verdict", "seqs", "dead"},
		{"first", "events", "recorded_at", "leaves", "times", "packed"},
	}[t]
}

// Writer inserts the rows of one transaction of Append. It is used by one goroutine.
type Writer interface {
	// Add inserts rows whose values stand one after the other, now or at Flush. No row is there already.
	Add(t Table, values []any) error
	// Replace puts one row of Records in the place of the one with its key, whether that was there before or added just now.
	Replace(values []any) error
	// Flush returns when everything is inserted.
	Flush() error
	// Close releases what the writer holds; it is called once, after Flush or without it.
	Close()
}
