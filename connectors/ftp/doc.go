// Package ftp reads files that are dropped into folders of an FTP server (RFC 959), over TLS (RFC 4217) unless the
// instance says otherwise. Data connections are passive and go to the host of the control connection, whatever address
// the server states. What is read, remembered and moved is connectors/internal/drop's.
package ftp
