package drop_test

import (
	"errors"
	"fmt"
	"io"
	"path"
	"testing"

	"github.com/suyuan-io/suyuan/connectors/internal/drop"
	"github.com/suyuan-io/suyuan/hub"
)

// A round gives out each file once, then an end, or the trouble that it met; only then it looks again.
func TestRoundEndsBetweenLooks(t *testing.T) {
	looks := [][]int{{1, 2, 3}, nil, {4}}
	var r drop.Round[int]
	look := func() ([]int, error) {
		if len(looks) == 0 {
			return nil, errors.New("the folder is gone")
		}
		found := looks[0]
		looks = looks[1:]
		return found, nil
	}
	var got []string
	for range 9 {
		n, err := r.Head(look)
		if err == nil {
			if again, err := r.Head(look); again != n || err != nil {
				t.Errorf("%d is the head, and then %d, %v", n, again, err)
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			got = append(got, "end")
		case err != nil:
			got = append(got, err.Error())
		case n == 2:
			got = append(got, "2")
			r.Pass(errors.New("2 is locked"))
		default:
			got = append(got, fmt.Sprint(n))
			r.Pass(nil)
		}
	}
	want := "[1 2 3 2 is locked end 4 end the folder is gone the folder is gone]"
	if fmt.Sprint(got) != want {
		t.Errorf("got  %v\nwant %s", got, want)
	}
}

// FuzzPosition holds that a position that an operator set, or another version stored, is refused or stays what it is.
func FuzzPosition(f *testing.F) {
	f.Add(`{"/out/a.csv":{"s":7,"m":1,"t":"x","d":"0123456789abcdef","r":true}}`)
	f.Add(`{"2fff":{}}`)
	f.Add(`{"out":{}}`)
	f.Add(`{"0000":{}}`)
	f.Fuzz(func(t *testing.T, text string) {
		once, err := drop.Again(hub.Position(text))
		if err != nil {
			if code := hub.AsFault(err).Code; code != "file.position" && code != "file.too-many-kept" {
				t.Fatal(err)
			}
			return
		}
		if twice, err := drop.Again(once); err != nil || twice != once {
			t.Fatalf("%s becomes %s, %v", once, twice, err)
		}
	})
}

// FuzzPattern holds that a pattern is cut into a folder without wildcards and the steps below it, none of them lost.
func FuzzPattern(f *testing.F) {
	for _, p := range []string{"/out/*.csv", "/in/[a-z]/x/*", "/*", "/a/../b/?", "/a\\*/b", "//"} {
		f.Add(p)
	}
	f.Fuzz(func(t *testing.T, pattern string) {
		dir, steps := drop.Fixed("/" + pattern)
		if len(steps) == 0 || !path.IsAbs(dir) {
			t.Fatalf("%q is cut into %q and %q", pattern, dir, steps)
		}
		for _, step := range steps[:len(steps)-1] {
			if step == "" || step == "/" {
				t.Fatalf("%q has the step %q", pattern, step)
			}
		}
	})
}
