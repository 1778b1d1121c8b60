// Package trace tells the journey of one item: it resolves a code to an identity, walks aggregation and transformation
// over the recorded events so that a tin inherits what happened to its case and pallet while it was inside, gathers
// master data with who stated it, and flags where statements contradict one another. It never corrects a statement.
//
// It leaves storage to the [Library] that it is given and presentation to web.
package trace
