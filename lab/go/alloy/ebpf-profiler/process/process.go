// Package process has what Alloy's packages name of the real one: see libpf.
package process

import "io"

// ReadAtCloser reads anywhere in a file, and closes it.
type ReadAtCloser interface {
	io.ReaderAt
	io.Closer
}
