// Package child runs programs of others that speak in lines on standard input and output. It starts each in a process
// group of its own, kills the whole group where one crashes, hangs or does not stop, bounds its lines, never waits for it
// to read, and keeps the hub's environment from it.
//
// It leaves what the lines mean, and starting anew, to its users.
package child
