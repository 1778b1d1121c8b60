// Package web is the hub's face for people: the page that a shopper opens by scanning a code, and the console of the
// operator. A page is a template file over a trace: it shows the fields that the template publishes, who stated each
// block, and what contradicts what, in Chinese and English; the receipts of what it shows travel inside the page, so
// that the phone itself checks them without asking the hub again.
//
// It leaves the journey to trace, proofs to whoever it asks for receipts, and machine-readable answers to api.
package web
