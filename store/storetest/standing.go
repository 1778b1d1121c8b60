package storetest

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/suyuan-io/suyuan/hub"
)

// Standing is what a store keeps for the EPCIS binding besides events.
type Standing interface {
	Jobs
	Queries
	Subscriptions
}

// Jobs keeps capture jobs.
type Jobs interface {
	PutJob(ctx context.Context, j hub.CaptureJob) error
	Job(ctx context.Context, id string) (hub.CaptureJob, error)
	Jobs(ctx context.Context, provider hub.ProviderID, before time.Time, id string, limit int) ([]hub.CaptureJob, error)
	RunningJobs(ctx context.Context) ([]hub.CaptureJob, error)
}

// Queries keeps named queries.
type Queries interface {
	AddQuery(ctx context.Context, q hub.NamedQuery) error
	Query(ctx context.Context, provider hub.ProviderID, name string) (hub.NamedQuery, error)
	Queries(ctx context.Context, provider hub.ProviderID, after string, limit int) ([]hub.NamedQuery, error)
	DeleteQuery(ctx context.Context, provider hub.ProviderID, name string) error
}

// Subscriptions keeps subscriptions and their progress.
type Subscriptions interface {
	AddSubscription(ctx context.Context, s hub.Subscription) error
	Subscriptions(ctx context.Context, provider hub.ProviderID, query, after string, limit int) ([]hub.Subscription, error)
	DeleteSubscription(ctx context.Context, provider hub.ProviderID, query, id string) error
	AllSubscriptions(ctx context.Context) ([]hub.Subscription, error)
	SaveDelivery(ctx context.Context, id string, p hub.Progress) error
}

// RunStanding runs the suite of jobs, queries and subscriptions. open is as in [Run].
func RunStanding(t *testing.T, open func(t *testing.T) func() Standing) {
	for name, test := range map[string]func(t *testing.T, open func() Standing){
		"capture jobs come back and are listed newest first": jobs,
		"a query's name is its party's own":                  namedQueries,
		"subscriptions go with their query":                  subscriptions,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func jobs(t *testing.T, open func() Standing) {
	s := open()
	for n := range 5 {
		j := hub.CaptureJob{
			ID: fmt.Sprintf("j%d", n), Provider: providers[n%2], Connector: "epcis-capture-x", Proceed: n%2 == 1, ContentType: "application/json",
			File: "f", Events: n, Running: true, Success: true, CreatedAt: noon.Add(time.Duration(n/2) * time.Second), Errors: []hub.JobError{},
		}
		if err := s.PutJob(t.Context(), j); err != nil {
			t.Fatal(err)
		}
	}
	j, err := s.Job(t.Context(), "j3")
	if err != nil {
		t.Fatal(err)
	}
	j.Running, j.Success, j.Failed, j.FinishedAt = false, false, 1, noon.Add(time.Minute)
	j.Errors = []hub.JobError{{EventID: "e", Kind: hub.Conflict, Code: "c", Message: "m", Where: hub.Where{Line: 3, Pointer: "/x"}}}
	if err := s.PutJob(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	s = open()
	got, err := s.Job(t.Context(), "j3")
	if diff := cmp.Diff(j, got); diff != "" || err != nil {
		t.Fatal(diff, err)
	}
	if _, err := s.Job(t.Context(), "none"); hub.KindOf(err) != hub.NotFound {
		t.Fatalf("unknown job: %v", err)
	}
	running, err := s.RunningJobs(t.Context())
	if err != nil || !slices.Equal(jobIDs(running), []string{"j0", "j1", "j2", "j4"}) {
		t.Fatalf("running: %v, %v", jobIDs(running), err)
	}
	var all []string
	var before time.Time
	for last := ""; ; {
		page, err := s.Jobs(t.Context(), "", before, last, 2)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		all = append(all, jobIDs(page)...)
		before, last = page[len(page)-1].CreatedAt, page[len(page)-1].ID
	}
	if !slices.Equal(all, []string{"j4", "j3", "j2", "j1", "j0"}) {
		t.Fatalf("listed: %v", all)
	}
	own, err := s.Jobs(t.Context(), providers[1], time.Time{}, "", 10)
	if err != nil || !slices.Equal(jobIDs(own), []string{"j3", "j1"}) {
		t.Fatalf("own: %v, %v", jobIDs(own), err)
	}
}

func jobIDs(list []hub.CaptureJob) []string {
	var ids []string
	for _, j := range list {
		ids = append(ids, j.ID)
	}
	return ids
}

func namedQueries(t *testing.T, open func() Standing) {
	s := open()
	q := hub.NamedQuery{Provider: "brand", Name: "all", Definition: []byte(`{"EQ_action":["ADD"]}`), CreatedAt: noon}
	other := q
	other.Provider = "wms"
	for _, add := range []hub.NamedQuery{q, other} {
		if err := s.AddQuery(t.Context(), add); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.AddQuery(t.Context(), q); hub.KindOf(err) != hub.Conflict {
		t.Fatalf("the same name again: %v", err)
	}
	s = open()
	got, err := s.Query(t.Context(), "brand", "all")
	if diff := cmp.Diff(q, got); diff != "" || err != nil {
		t.Fatal(diff, err)
	}
	if err := s.DeleteQuery(t.Context(), "brand", "all"); err != nil {
		t.Fatal(err)
	}
	if err := s.DeleteQuery(t.Context(), "brand", "all"); hub.KindOf(err) != hub.NotFound {
		t.Fatalf("deleted again: %v", err)
	}
	if list, err := s.Queries(t.Context(), "wms", "", 10); err != nil || len(list) != 1 {
		t.Fatalf("the other party's: %v, %v", list, err)
	}
}

func subscriptions(t *testing.T, open func() Standing) {
	s := open()
	sub := hub.Subscription{
		ID: "s1", Provider: "brand", Query: "q", View: "brand", Dest: "https://example.com/", Secret: "x", Schedule: []byte(`{"minute":"5"}`),
		ReportIfEmpty: true, Format: "Always_EPC_URN", InitialRecordTime: noon, CreatedAt: noon, Progress: hub.Progress{Next: 7},
	}
	if err := s.AddSubscription(t.Context(), sub); hub.KindOf(err) != hub.NotFound {
		t.Fatalf("without its query: %v", err)
	}
	if err := s.AddQuery(t.Context(), hub.NamedQuery{Provider: "brand", Name: "q", Definition: []byte(`{}`), CreatedAt: noon}); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"s1", "s2"} {
		sub.ID = id
		if err := s.AddSubscription(t.Context(), sub); err != nil {
			t.Fatal(err)
		}
	}
	sub.Progress = hub.Progress{Next: 9, LastRunAt: noon.Add(time.Second), LastNotifiedAt: noon.Add(2 * time.Second), Failures: 3, LastError: "why"}
	if err := s.SaveDelivery(t.Context(), "s2", sub.Progress); err != nil {
		t.Fatal(err)
	}
	s = open()
	list, err := s.Subscriptions(t.Context(), "brand", "q", "s1", 10)
	if diff := cmp.Diff([]hub.Subscription{sub}, list); diff != "" || err != nil {
		t.Fatal(diff, err)
	}
	if err := s.DeleteSubscription(t.Context(), "brand", "q", "s1"); err != nil {
		t.Fatal(err)
	}
	if err := s.DeleteSubscription(t.Context(), "wms", "q", "s2"); hub.KindOf(err) != hub.NotFound {
		t.Fatalf("another party's: %v", err)
	}
	if err := s.DeleteQuery(t.Context(), "brand", "q"); err != nil {
		t.Fatal(err)
	}
	if all, err := s.AllSubscriptions(t.Context()); err != nil || len(all) != 0 {
		t.Fatalf("left over: %v, %v", all, err)
	}
}
