// Package file reads files that other systems drop into folders of this machine. A file is taken when it is ready (old
// enough, unchanged over several looks, or announced by a marker), its identity is the SHA-256 of its content, and
// afterwards it is moved, deleted or kept. The same name with new content is a new file; the same content under a new
// name is the same one.
//
// Files are opened below the fixed part of each path only (os.Root): neither a symbolic link nor a name leads out of it.
// It leaves decoding and splitting to the host.
package file
