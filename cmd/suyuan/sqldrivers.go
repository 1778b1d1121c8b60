package main

import (
	_ "github.com/go-sql-driver/mysql"  // registers "mysql" with database/sql
	_ "github.com/jackc/pgx/v5/stdlib"  // registers "pgx"; modernc.org/sqlite is registered by store/sqlite
	_ "github.com/microsoft/go-mssqldb" // registers "sqlserver"
	_ "github.com/sijms/go-ora/v2"      // registers "oracle"

	connsql "github.com/suyuan-io/suyuan/connectors/sql"
)

// sqlDrivers lists the databases that the kind sql reads.
func sqlDrivers() []connsql.Driver {
	return []connsql.Driver{
		{Name: "sqlite", Register: "sqlite", Dialect: connsql.SQLite},
		{Name: "postgres", Register: "pgx", Dialect: connsql.PostgreSQL},
		{Name: "mysql", Register: "mysql", Dialect: connsql.MySQL},
		{Name: "sqlserver", Register: "sqlserver", Dialect: connsql.SQLServer},
		{Name: "oracle", Register: "oracle", Dialect: connsql.Oracle},
	}
}
