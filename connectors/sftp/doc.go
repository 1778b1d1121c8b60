// Package sftp reads files that are dropped into folders of an SFTP server (SSH File Transfer Protocol, version 3). It
// brings the connection: whose host key is pinned, how the login is proven, how a dead line is noticed. What is read,
// remembered and moved is connectors/internal/drop's.
package sftp
