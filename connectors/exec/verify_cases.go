package exec

import (
	"context"
	"time"

	"github.com/suyuan-io/suyuan/hub"
)

func (v *verifier) becomesReady(ctx context.Context) error {
	c, err := v.at(ctx, "")
	if err != nil {
		return err
	}
	c.abandon()
	return nil
}

func (v *verifier) givesRecords(ctx context.Context) error {
	c, err := v.at(ctx, "")
	if err != nil {
		return err
	}
	defer c.abandon()
	if v.all, err = v.take(ctx, c, mostRecords); err != nil {
		return err
	}
	if n := len(v.all); n < leastRecords {
		return failed("%d records came, at least %d are needed to go on", n, leastRecords).
			WithHint("let the adapter read a sample with more records; it must not wait for acks")
	}
	return nil
}

func (v *verifier) uniqueIDs(context.Context) error {
	ids := map[string]int{}
	for i, m := range v.all {
		if first, twice := ids[m.ID]; twice {
			return failed("records %d and %d have the same id %q", first+1, i+1, m.ID)
		}
		ids[m.ID] = i
	}
	return nil
}

func (v *verifier) staysAlive(ctx context.Context) error {
	c, err := v.at(ctx, "")
	if err != nil {
		return err
	}
	defer c.abandon()
	if _, err := v.take(ctx, c, len(v.all)); err != nil {
		return err
	}
	_, err = v.next(ctx, c, v.Quiet) // more records are no fault: the upstream may grow
	return err
}

// again reads everything anew and compares.
func (v *verifier) again(ctx context.Context, from int) error {
	position := ""
	if from > 0 {
		position = v.all[from-1].Pos
	}
	c, err := v.at(ctx, position)
	if err != nil {
		return err
	}
	defer c.abandon()
	got, err := v.take(ctx, c, len(v.all)-from)
	if err != nil {
		return err
	}
	return v.same(got, from)
}

func (v *verifier) sameAgain(ctx context.Context) error {
	c, err := v.at(ctx, "")
	if err != nil {
		return err
	}
	_, err = v.take(ctx, c, len(v.all)/2)
	c.abandon()
	if err != nil {
		return err
	}
	return v.again(ctx, 0)
}

func (v *verifier) sameAfterFullPipe(ctx context.Context) error {
	c, err := v.at(ctx, "")
	if err != nil {
		return err
	}
	err = rest(ctx, v.Quiet)
	c.abandon()
	if err != nil {
		return err
	}
	return v.again(ctx, 0)
}

func (v *verifier) waitsForReader(ctx context.Context) error {
	c, err := v.at(ctx, "")
	if err != nil {
		return err
	}
	defer c.abandon()
	if err := rest(ctx, v.Quiet); err != nil {
		return err
	}
	select {
	case <-c.Exited():
		return c.died(ctx)
	default:
	}
	got, err := v.take(ctx, c, len(v.all))
	if err != nil {
		return err
	}
	return v.same(got, 0)
}

func (v *verifier) resumes(ctx context.Context) error {
	n := len(v.all)
	for _, from := range []int{1, n / 2, n - 1} {
		if err := v.again(ctx, from); err != nil {
			return err
		}
	}
	return nil
}

// killBeforeAck dies with the first half durable but not acknowledged: the hub knows the position, the adapter does not.
func (v *verifier) killBeforeAck(ctx context.Context) error {
	half := len(v.all) / 2
	c, err := v.at(ctx, "")
	if err != nil {
		return err
	}
	_, err = v.take(ctx, c, half)
	c.abandon()
	if err != nil {
		return err
	}
	return v.again(ctx, half)
}

func (v *verifier) killAfterAck(ctx context.Context) error {
	half := len(v.all) / 2
	c, err := v.at(ctx, "")
	if err != nil {
		return err
	}
	got, err := v.take(ctx, c, half)
	if err == nil && len(got) > 0 {
		err = c.send(ackMessage{"ack", got[len(got)-1].Pos})
	}
	if err == nil {
		err = rest(ctx, v.Quiet/10)
	}
	c.abandon()
	if err != nil {
		return err
	}
	return v.again(ctx, half)
}

func (v *verifier) acksMeanwhile(ctx context.Context) error {
	return v.withAcks(ctx, func(c *adapter, got []message) error {
		return c.send(ackMessage{"ack", got[len(got)-1].Pos})
	})
}

// acksLate sends one ack for everything, when everything has come.
func (v *verifier) acksLate(ctx context.Context) error {
	return v.withAcks(ctx, func(c *adapter, got []message) error {
		if len(got) < len(v.all) {
			return nil
		}
		return c.send(ackMessage{"ack", got[len(got)-1].Pos})
	})
}

// withAcks reads everything from the middle on, so that an upstream that forgets what was acknowledged has it still.
func (v *verifier) withAcks(ctx context.Context, ack func(*adapter, []message) error) error {
	half := len(v.all) / 2
	c, err := v.at(ctx, v.all[half-1].Pos)
	if err != nil {
		return err
	}
	defer c.abandon()
	var got []message
	for len(got) < len(v.all)-half {
		m, err := v.next(ctx, c, v.Patience)
		if err != nil {
			return err
		}
		if m == nil {
			break
		}
		got = append(got, *m)
		if err := ack(c, got); err != nil {
			return err
		}
	}
	return v.same(got, half)
}

func (v *verifier) stops(ctx context.Context) error {
	c, err := v.at(ctx, v.all[len(v.all)-1].Pos)
	if err != nil {
		return err
	}
	if _, err := v.next(ctx, c, v.Quiet); err != nil {
		c.abandon()
		return err
	}
	return v.endsItself(c)
}

func (v *verifier) stopsWhenFull(ctx context.Context) error {
	c, err := v.at(ctx, "")
	if err != nil {
		return err
	}
	if err := rest(ctx, v.Quiet); err != nil {
		c.abandon()
		return err
	}
	return v.endsItself(c)
}

// endsItself says stop and waits.
func (v *verifier) endsItself(c *adapter) error {
	if !c.close(v.Patience) {
		return failed("it still runs %s after stop", v.Patience)
	}
	if code := c.State().ExitCode(); code != 0 {
		return failed("it ended with %s, not with status 0", c.State())
	}
	return nil
}

// endsWithHub closes both pipes, which is what a hub leaves behind that was killed.
func (v *verifier) endsWithHub(ctx context.Context) error {
	c, err := v.at(ctx, "")
	if err != nil {
		return err
	}
	defer c.abandon()
	c.Hangup()
	select {
	case <-c.Exited():
		return nil
	case <-time.After(v.Patience):
		return failed("it still runs %s after its standard input has ended", v.Patience)
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (v *verifier) refusesProtocol(ctx context.Context) error {
	c, err := v.start(ctx)
	if err != nil {
		return err
	}
	defer c.abandon()
	var name string
	const unknown = 1_000_000
	switch err := c.begin(ctx, initMessage{"init", unknown, v.Config, ""}, v.Patience, &name); {
	case err == nil:
		return failed("it is ready for protocol %d", unknown).WithHint("answer with an error, or end with a status other than 0")
	case ctx.Err() != nil:
		return ctx.Err()
	case hub.AsFault(err).Code == "exec.not-ready":
		return failed("it neither answers nor ends").WithHint("answer with an error, or end with a status other than 0")
	}
	return nil
}

// rest waits, so that the adapter can do something wrong.
func rest(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
