package drop

import "io"

// Round gives out what a look found, one after the other. Between two looks there is always an end, so that the host waits
// its interval between them.
type Round[F any] struct {
	queue  []F
	looked bool
	// trouble is the last file that could not be taken. It is reported when the others are through.
	trouble error
}

// Head returns the file that is next, and looks when none is left of the last look. When that look has had its end, it
// returns the trouble that it met, or io.EOF. The same file is the head until it is passed.
func (r *Round[F]) Head(look func() ([]F, error)) (head F, err error) {
	if len(r.queue) == 0 {
		if err := r.refill(look); err != nil {
			return head, err
		}
	}
	return r.queue[0], nil
}

func (r *Round[F]) refill(look func() ([]F, error)) error {
	if r.looked {
		err := r.trouble
		r.looked, r.trouble = false, nil
		if err == nil {
			err = io.EOF
		}
		return err
	}
	found, err := look()
	if err != nil {
		return err
	}
	if len(found) == 0 {
		return io.EOF
	}
	r.queue, r.looked = found, true
	return nil
}

// Pass goes on after the head; trouble is why it could not be taken now, or nil.
func (r *Round[F]) Pass(trouble error) {
	r.queue = r.queue[1:]
	if trouble != nil {
		r.trouble = trouble
	}
}
