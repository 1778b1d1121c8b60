package exec

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

// program is what to run.
type program struct {
	command []string
	dir     string
	env     []string
	// maxLine bounds one line of standard output, in bytes.
	maxLine int
	// said takes the lines of standard error; it may be nil.
	said func(line string)
}

// child is a running adapter. Its goroutines end with close.
type child struct {
	cmd                   *exec.Cmd
	stdin, stdout, stderr *os.File
	maxLine               int

	// messages is closed when there will be no more; end is then why.
	messages chan message
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

// start runs a program. Ctx is not the child's: it lives until close.
func start(ctx context.Context, p program) (*child, error) {
	c := &child{
		maxLine: p.maxLine, messages: make(chan message), quit: make(chan struct{}), exited: make(chan struct{}),
		silent: make(chan struct{}),
		lines:  outbox{news: make(chan struct{}, 1)}, heardAt: time.Now(),
	}
	path := p.command[0]
	if strings.ContainsRune(path, filepath.Separator) && !filepath.IsAbs(path) {
		path = filepath.Join(p.dir, path)
	}
	c.cmd = exec.CommandContext(context.WithoutCancel(ctx), path, p.command[1:]...)
	c.cmd.Dir, c.cmd.Env = p.dir, p.env
	ownGroup(c.cmd)
	theirs, err := c.pipes()
	if err == nil {
		err = c.cmd.Start()
	}
	for _, f := range theirs {
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		f := hub.Faultf(hub.Invalid, "exec.start", "cannot start %s", filepath.Base(p.command[0])).Because(errors.Join(err, c.closePipes()))
		f.MessageZh = "无法启动适配器 " + filepath.Base(p.command[0])
		f.Hint, f.HintZh = "check command, and that the hub's user may run it", "请检查 command，以及系统用户是否有权执行"
		return nil, f
	}
	c.pid = c.cmd.Process.Pid
	c.tasks.Go(c.read)
	c.tasks.Go(c.write)
	c.tasks.Go(func() {
		defer close(c.silent)
		c.listen(p.said)
	})
	go c.wait()
	return c, nil
}

// pipes connects the child. They are files on both sides, so that waiting for the process does not wait for what it left
// behind. It returns the child's ends.
func (c *child) pipes() ([]*os.File, error) {
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
func (c *child) wait() {
	_ = c.cmd.Wait() // the state tells how it ended
	killGroup(c.pid)
	close(c.exited)
}

// read hands on messages until the output ends or makes no sense; what comes then is thrown away, so that the child can
// write it and hear that it is to stop.
func (c *child) read() {
	in := bufio.NewReaderSize(c.stdout, 64<<10)
	c.end = c.hand(in)
	close(c.messages)
	_, _ = io.Copy(io.Discard, in)
}

func (c *child) hand(in *bufio.Reader) error {
	for {
		line, err := readLine(in, c.maxLine)
		switch {
		case errors.Is(err, errLineTooLong):
			return broken("exec.line", "a line has more than %d bytes", c.maxLine).WithHint("raise maxLine, or make records smaller")
		case err != nil:
			return io.EOF // the process is gone, or about to be: how it ended says more
		case len(line) == 0:
			continue
		}
		c.mu.Lock()
		c.heardAt = time.Now()
		c.mu.Unlock()
		m, err := parseMessage(line)
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

// listen hands on what the child says on standard error.
func (c *child) listen(said func(string)) {
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
func (c *child) write() {
	for range c.lines.news {
		for _, line := range c.lines.take() {
			if _, err := c.stdin.Write(line); err != nil {
				return // the child is gone, or does not listen: the reader tells
			}
		}
	}
	_ = c.stdin.Close()
}

// send queues a message. It does not wait for the child to read it.
func (c *child) send(m any) error {
	line, err := encode(m)
	if err != nil {
		return err
	}
	_, isAck := m.(ackMessage)
	c.lines.put(line, isAck)
	return nil
}

// died says how the process ended, or that its output did.
func (c *child) died(ctx context.Context) error {
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
	f := hub.Faultf(hub.Unavailable, "exec.ended", "the adapter %s", how)
	f.MessageZh = "适配器已退出"
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.lastWords != "" {
		f.Err = fmt.Errorf("it said: %.500s", c.lastWords)
	}
	return f
}

// quietFor is how long nothing was heard.
func (c *child) quietFor() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Since(c.heardAt)
}

// close asks the child to stop, waits for grace, and kills its group. It reports whether the child ended by itself.
func (c *child) close(grace time.Duration) (itself bool) {
	close(c.quit)
	if line, err := encode(stopMessage{"stop"}); err == nil {
		c.lines.put(line, false)
	}
	c.lines.close()
	t := time.NewTimer(grace)
	defer t.Stop()
	select {
	case <-c.exited:
		itself = true
	case <-t.C:
		c.kill()
	}
	_ = c.closePipes() // what is left behind may hold the other ends
	c.tasks.Wait()
	return itself
}

// kill ends the group at once.
func (c *child) kill() {
	killGroup(c.pid)
	_ = c.cmd.Process.Kill() // where there are no groups
	<-c.exited
}

func (c *child) closePipes() error {
	var errs []error
	for _, f := range []*os.File{c.stdin, c.stdout, c.stderr} {
		if f != nil {
			errs = append(errs, f.Close())
		}
	}
	return errors.Join(errs...)
}

// outbox holds the lines that the child has not read yet. An ack stands for all before it, so that a child that does not
// read costs no memory: from maxLines on, a new ack takes the place of the last one.
type outbox struct {
	mu     sync.Mutex
	lines  [][]byte
	closed bool
	// news has one place: it is filled while there are lines, and closed by close.
	news chan struct{}
}

const maxLines = 4096

func (o *outbox) put(line []byte, ack bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return
	}
	if ack && len(o.lines) >= maxLines {
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
