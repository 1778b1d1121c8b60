package child

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/suyuan-io/suyuan/hub"
)

// Program is what to run.
type Program struct {
	// Command is the program and its arguments, without a shell; a program with a slash is relative to Dir, where it runs.
	Command []string
	Dir     string
	// Env is its whole environment; see [Environment].
	Env []string
	// MaxLine bounds one line of standard output, in bytes.
	MaxLine int
	// Said takes the lines of standard error; it may be nil.
	Said func(line string)
}

// ErrLongLine says that a line of standard output is over the limit.
var ErrLongLine = errors.New("the line is too long")

// Process is a running program whose lines are messages M. Its goroutines end with Close.
type Process[M any] struct {
	cmd                   *exec.Cmd
	stdin, stdout, stderr *os.File
	maxLine               int
	parse                 func(line []byte) (M, error)

	// messages is closed when there will be no more; end is then why.
	messages chan M
	end      error
	// quit makes the reader throw away what still comes.
	quit chan struct{}
	// exited is closed when the process has ended, silent when nobody has its standard error any more.
	exited, silent chan struct{}
	lines          outbox
	tasks          sync.WaitGroup

	mu        sync.Mutex
	heardAt   time.Time
	lastWords string
	pid       int
}

// Start runs a program. It lives until Close, whatever becomes of ctx.
func Start[M any](ctx context.Context, p Program, parse func(line []byte) (M, error)) (*Process[M], error) {
	c := &Process[M]{
		maxLine: p.MaxLine, parse: parse, messages: make(chan M), quit: make(chan struct{}), exited: make(chan struct{}),
		silent: make(chan struct{}), lines: outbox{news: make(chan struct{}, 1)}, heardAt: time.Now(),
	}
	path := p.Command[0]
	if strings.ContainsRune(path, filepath.Separator) && !filepath.IsAbs(path) {
		path = filepath.Join(p.Dir, path)
	}
	c.cmd = exec.CommandContext(context.WithoutCancel(ctx), path, p.Command[1:]...)
	c.cmd.Dir, c.cmd.Env = p.Dir, p.Env
	ownGroup(c.cmd)
	theirs, err := c.pipes()
	if err == nil {
		err = c.cmd.Start()
	}
	for _, f := range theirs {
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		return nil, errors.Join(err, c.closePipes())
	}
	c.pid = c.cmd.Process.Pid
	c.tasks.Go(c.read)
	c.tasks.Go(c.write)
	c.tasks.Go(func() {
		defer close(c.silent)
		c.listen(p.Said)
	})
	go c.wait()
	return c, nil
}

// pipes connects the process. They are files on both sides, so that waiting for it does not wait for what it left behind.
// It returns its ends.
func (c *Process[M]) pipes() ([]*os.File, error) {
	var theirs []*os.File
	in, mine, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	c.cmd.Stdin, c.stdin, theirs = in, mine, append(theirs, in)
	mine, out, err := os.Pipe()
	if err != nil {
		return theirs, err
	}
	c.cmd.Stdout, c.stdout, theirs = out, mine, append(theirs, out)
	mine, out, err = os.Pipe()
	if err != nil {
		return theirs, err
	}
	c.cmd.Stderr, c.stderr, theirs = out, mine, append(theirs, out)
	return theirs, nil
}

// wait ends with the process, and takes along what the process started. The number of its group is free from then on; it
// is not given to others in the instant before the kill.
func (c *Process[M]) wait() {
	_ = c.cmd.Wait() // the state tells how it ended
	killGroup(c.pid)
	close(c.exited)
}

// Messages returns what the program says. The channel is closed when there will be no more.
func (c *Process[M]) Messages() <-chan M { return c.messages }

// End returns why there are no more messages, once the channel is closed: [ErrLongLine], what parse refused, or io.EOF.
func (c *Process[M]) End() error { return c.end }

// Exited is closed when the process has ended.
func (c *Process[M]) Exited() <-chan struct{} { return c.exited }

// State returns how the process ended, once it has.
func (c *Process[M]) State() *os.ProcessState { return c.cmd.ProcessState }

// read hands on messages until the output ends or makes no sense; what comes then is thrown away, so that the program can
// write it and hear that it is to stop.
func (c *Process[M]) read() {
	in := bufio.NewReaderSize(c.stdout, 64<<10)
	c.end = c.hand(in)
	close(c.messages)
	_, _ = io.Copy(io.Discard, in)
}

func (c *Process[M]) hand(in *bufio.Reader) error {
	for {
		line, err := ReadLine(in, c.maxLine)
		switch {
		case errors.Is(err, ErrLongLine):
			return err
		case err != nil:
			return io.EOF // the process is gone, or about to be: how it ended says more
		case len(line) == 0:
			continue
		}
		c.mu.Lock()
		c.heardAt = time.Now()
		c.mu.Unlock()
		m, err := c.parse(line)
		if err != nil {
			return err
		}
		select {
		case c.messages <- m:
		case <-c.quit:
			return io.EOF
		}
	}
}

// maxSaid is how much of a line of standard error is kept.
const maxSaid = 4 << 10

// listen hands on what the program says on standard error.
func (c *Process[M]) listen(said func(string)) {
	in := bufio.NewReaderSize(c.stderr, maxSaid)
	for {
		line, more, err := in.ReadLine()
		if err != nil {
			return
		}
		text := strings.ToValidUTF8(string(line), "�")
		for more && err == nil { // the rest of a long line
			_, more, err = in.ReadLine()
		}
		if strings.TrimSpace(text) == "" {
			continue
		}
		c.mu.Lock()
		c.lastWords = text
		c.mu.Unlock()
		if said != nil {
			said(text)
		}
	}
}

// write sends the lines of the outbox until it is closed or nobody reads.
func (c *Process[M]) write() {
	for range c.lines.news {
		for _, line := range c.lines.take() {
			if _, err := c.stdin.Write(line); err != nil {
				return // the process is gone, or does not listen: the reader tells
			}
		}
	}
	_ = c.stdin.Close()
}

// Send queues a line with its newline. It does not wait for the program to read it. Where very many wait, one that is
// marked as newest takes the place of the last, for which it stands, too.
func (c *Process[M]) Send(line []byte, newest bool) { c.lines.put(line, newest) }

// Died waits for a moment until the process has ended, and returns a fault of kind Unavailable that says how, with what it wrote
// last to standard error as its cause. The program is called what, and zh says in Chinese that it is gone. It is ctx's error when
// that is done first.
func (c *Process[M]) Died(ctx context.Context, what, zh string) error {
	t := time.NewTimer(time.Second)
	defer t.Stop()
	how := "closed its standard output"
	select {
	case <-c.exited:
		how = "ended: " + c.cmd.ProcessState.String()
		select { // its last words
		case <-c.silent:
		case <-t.C:
		}
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
	}
	f := hub.Faultf(hub.Unavailable, "exec.ended", "%s %s", what, how)
	f.MessageZh = zh
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.lastWords != "" {
		f.Err = fmt.Errorf("it said: %.500s", c.lastWords)
	}
	return f
}

// QuietFor is how long nothing was heard.
func (c *Process[M]) QuietFor() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Since(c.heardAt)
}

// Close sends a last line, closes standard input, waits for grace, and kills the group. It reports whether the process
// ended by itself. It is called once.
func (c *Process[M]) Close(last []byte, grace time.Duration) (itself bool) {
	close(c.quit)
	c.lines.put(last, false)
	c.lines.close()
	t := time.NewTimer(grace)
	defer t.Stop()
	select {
	case <-c.exited:
		itself = true
	case <-t.C:
		c.Kill()
	}
	_ = c.closePipes() // what is left behind may hold the other ends
	c.tasks.Wait()
	return itself
}

// Kill ends the group at once, as kill -9 does.
func (c *Process[M]) Kill() {
	select {
	case <-c.exited: // its number may be another's by now
		return
	default:
	}
	killGroup(c.pid)
	_ = c.cmd.Process.Kill() // where there are no groups
	<-c.exited
}

// Hangup closes both pipes, which is what a hub leaves behind that was killed.
func (c *Process[M]) Hangup() {
	_ = c.stdin.Close()
	_ = c.stdout.Close()
}

func (c *Process[M]) closePipes() error {
	var errs []error
	for _, f := range []*os.File{c.stdin, c.stdout, c.stderr} {
		if f != nil {
			errs = append(errs, f.Close())
		}
	}
	return errors.Join(errs...)
}

// outbox holds the lines that the program has not read yet, so that one that does not read costs no memory: from maxLines
// on, a line that stands for those before it takes the place of the last one.
type outbox struct {
	mu     sync.Mutex
	lines  [][]byte
	closed bool
	// news has one place: it is filled while there are lines, and closed by close.
	news chan struct{}
}

const maxLines = 4096

func (o *outbox) put(line []byte, newest bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return
	}
	if newest && len(o.lines) >= maxLines {
		o.lines[len(o.lines)-1] = line
		return
	}
	o.lines = append(o.lines, line)
	select {
	case o.news <- struct{}{}:
	default:
	}
}

func (o *outbox) take() [][]byte {
	o.mu.Lock()
	defer o.mu.Unlock()
	lines := o.lines
	o.lines = nil
	return lines
}

func (o *outbox) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
	close(o.news)
}
