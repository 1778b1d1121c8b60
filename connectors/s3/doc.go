// Package s3 reads objects that are dropped into a bucket of an S3-compatible store, as files in folders: a key's parts
// between slashes are its folders. Moving an object is a copy and a deletion; what a crash leaves between the two is
// cleared after the restart. What is read, remembered and moved is connectors/internal/drop's.
package s3
