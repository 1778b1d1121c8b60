// Package drop reads files that others drop into folders of another machine, whatever the protocol: it decides what is
// ready, fetches it, remembers what was taken and moves it aside. The kinds sftp, ftp and s3 bring a [Place] each.
//
// A file's identity is the SHA-256 of its content, so it is fetched before it is handed over: a small one into memory, a
// large one into a spool file, and only if it was the same before and after is it taken. The position remembers every
// file that was handed over and not moved yet, so that neither a restart nor a connection lost while moving makes a file
// be published again. Clocks of other machines are not trusted: a file's age is how long it was seen unchanged.
//
// It leaves decoding and splitting to the host, and connecting to the places.
package drop
