// Package strictyaml reads configuration files so that a mistake cannot pass: unknown keys, wrong types, missing keys,
// duplicate keys and bad values are all reported at once, each with file, line, column and the nearest allowed key.
//
// The shape is a Go struct. A field is named by its tag `yaml:"name"`, or `yaml:"name,required"`; `enum:"a,b"` lists the
// values of a string, `min:"1"` and `max:"9"` bound a number. What the struct holds beforehand are the defaults. Fields
// may be strings, [Text] (a string with its place), bools, integers, floats, [time.Duration] ("30s"), [*time.Location] ("Asia/Shanghai" or "+08:00"), [Size] ("1MiB"),
// [Rate] ("500/s"), [Secret] ("${env:NAME}" or "${file:PATH}", never a literal), [Choice] (one key that selects a kind,
// and its settings), anything with UnmarshalText, and structs, pointers to structs, slices and string maps of these.
// The fields of a struct that is embedded with the tag `yaml:",inline"` count as the struct's own, and so do the rules of its
// [Checker] unless the outer struct has some.
//
// A plain text may hold ${env:NAME}, which is replaced. Anchors, aliases, merge keys, tags and further documents are refused: a configuration says what it says in one place.
//
// It leaves the meaning of the values to the structs, which may implement [Checker], and the resolving of secrets to the
// lookup that it is given.
package strictyaml
