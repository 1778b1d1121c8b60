package main

import (
	_ "github.com/go-sql-driver/mysql" // registers "mysql" with database/sql
	_ "github.com/jackc/pgx/v5/stdlib" // registers "pgx"; modernc.org/sqlite is registered by store/sqlite

	connsql "github.com/suyuan-io/suyuan/connectors/sql"
)

// sqlDrivers lists the databases that the kind sql reads.
func sqlDrivers() []connsql.Driver {
	return []connsql.Driver{
		{Name: "sqlite", Register: "sqlite", Dialect: connsql.SQLite},
		{Name: "postgres", Register: "pgx", Dialect: connsql.PostgreSQL},
		{Name: "mysql", Register: "mysql", Dialect: connsql.MySQL},
	}
}
