package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"github.com/suyuan-io/suyuan/api"
	"github.com/suyuan-io/suyuan/hub"
)

// client speaks to a running hub's API.
type client struct {
	url string
	key string
	// wait bounds one call; the default is a minute.
	wait time.Duration
	// tls is how the hub's certificate is verified; nil is as usual.
	tls *tls.Config
}

// longWait bounds a call that takes as long as there is much: a backup, all dead letters.
const longWait = 24 * time.Hour

// add adds the flags that say which hub.
func (c *client) add(cmd *cobra.Command) {
	cmd.PersistentFlags().StringVar(&c.url, "url", envOr("SUYUAN_URL", "http://127.0.0.1:8080"), "address of the hub; $SUYUAN_URL")
	cmd.PersistentFlags().StringVar(&c.key, "key", "", "API key; better in $SUYUAN_KEY")
}

func envOr(name, value string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return value
}

// call sends one request and decodes the JSON answer into out, which may be nil.
func (c *client) call(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("encode request: %w", err)
		}
		body = bytes.NewReader(b)
	}
	if u, err := url.Parse(c.url); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return usageError{fmt.Errorf("%q is no address of a hub\n    → write --url or $SUYUAN_URL like https://hub.example.com", c.url)}
	}
	r, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(c.url, "/")+path, body)
	if err != nil {
		return usageError{err}
	}
	key := c.key
	if key == "" {
		key = os.Getenv("SUYUAN_KEY")
	}
	if key != "" {
		r.Header.Set("Authorization", "Bearer "+key)
	}
	answer, err := c.http().Do(r)
	if ne, ok := errors.AsType[net.Error](err); ok && ne.Timeout() && ctx.Err() == nil {
		return hub.Faultf(hub.Unavailable, "hub.slow", "the hub at %s has not answered within %s", c.url, cmp.Or(c.wait, time.Minute)).
			WithHint("its log and /readyz say what it is at")
	}
	if err != nil {
		hint := "is it running? name it with --url or $SUYUAN_URL"
		if errors.As(err, new(*tls.CertificateVerificationError)) {
			hint = "name it with --url or $SUYUAN_URL as its certificate does; $SSL_CERT_FILE names a CA that this machine does not know"
		}
		return hub.Faultf(hub.Unavailable, "hub.unreachable", "cannot reach the hub at %s", c.url).Because(cause(err)).WithHint(hint)
	}
	defer answer.Body.Close()
	if answer.StatusCode/100 != 2 {
		return problemOf(answer)
	}
	if out == nil || answer.StatusCode == http.StatusNoContent {
		return nil
	}
	if err := json.NewDecoder(answer.Body).Decode(out); err != nil {
		return hub.Faultf(hub.Internal, "hub.answer", "the hub's answer is not what this version understands").Because(err)
	}
	return nil
}

// http is the client for one call.
func (c *client) http() *http.Client {
	h := &http.Client{Timeout: cmp.Or(c.wait, time.Minute)}
	if c.tls != nil {
		h.Transport = &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: c.tls}
	}
	return h
}

// problemOf turns a problem detail back into the fault that it was.
func problemOf(answer *http.Response) error {
	var p api.Problem
	if err := json.NewDecoder(answer.Body).Decode(&p); err != nil || p.Code == "" {
		return hub.Faultf(hub.Internal, "hub.answer", "the hub answered %s", answer.Status)
	}
	kind := hub.Internal
	for k := hub.Internal; k <= hub.Unavailable; k++ {
		if k.String() == p.Title {
			kind = k
		}
	}
	f := &hub.Fault{Kind: kind, Code: p.Code, Message: p.Detail, MessageZh: p.DetailZh, Hint: p.Hint, HintZh: p.HintZh}
	switch { // what a client of HTTP would do is not what the reader of a command does
	case p.Code == "key.missing":
		f.Hint = "set $SUYUAN_KEY; the hub printed its admin key at its first start, for others see: suyuan key new --help"
	case p.Code == "connector.unknown":
		f.Hint = "list them with: suyuan connector status"
	case p.Code == "key.unknown" && kind == hub.NotFound:
		f.Hint = "list them with: suyuan key list"
	case p.Code == "key.unknown":
		f.Hint = "check $SUYUAN_KEY or --key; the hub printed its admin key at its first start, for others see: suyuan key new --help"
	}
	if p.Where != nil {
		f.Where = *p.Where
	}
	return f
}

// letter is a dead letter as the API shows it.
type letter struct {
	ID         uint64      `json:"id"`
	Connector  string      `json:"connector"`
	Record     string      `json:"record"`
	Provider   string      `json:"provider"`
	State      string      `json:"state"`
	Stage      string      `json:"stage"`
	ReceivedAt time.Time   `json:"receivedAt"`
	DiedAt     time.Time   `json:"diedAt"`
	Attempts   int         `json:"attempts"`
	Problem    api.Problem `json:"problem"`
	Origin     string      `json:"origin"`
	Line       int         `json:"line"`
	Note       string      `json:"note"`
	Body       string      `json:"body"`
	BodyBase64 []byte      `json:"bodyBase64"`
}

func (l letter) body() []byte {
	if len(l.BodyBase64) > 0 {
		return l.BodyBase64
	}
	return []byte(l.Body)
}

// deadFlags select dead letters.
type deadFlags struct{ connector, code, state, provider string }

func (f *deadFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.connector, "connector", "", "only of this connector")
	cmd.Flags().StringVar(&f.code, "code", "", "only with this fault code")
	cmd.Flags().StringVar(&f.provider, "provider", "", "only of this provider")
}

func (f *deadFlags) query() url.Values {
	q := url.Values{}
	for name, v := range map[string]string{"connector": f.connector, "code": f.code, "state": f.state, "provider": f.provider} {
		if v != "" {
			q.Set(name, v)
		}
	}
	return q
}

func deadCommand(std stdio) *cobra.Command {
	var c client
	cmd := &cobra.Command{
		Use: "dead", Short: "List, show, edit, replay and drop dead letters",
		Long: `Dead letters are records that could not be recorded: their raw bytes and why. Fix the mapping, or edit the record, and
replay them; nothing that was accepted is ever lost.`,
	}
	c.add(cmd)
	cmd.AddCommand(deadListCommand(std, &c), deadShowCommand(std, &c), deadEditCommand(std, &c), deadReplayCommand(std, &c), deadDropCommand(std, &c))
	return cmd
}

func deadListCommand(std stdio, c *client) *cobra.Command {
	var f deadFlags
	cmd := &cobra.Command{
		Use: "list", Short: "List dead letters", Args: cobra.NoArgs,
		Example: "  suyuan dead list --connector wms-outbound --code map.time",
		RunE: func(cmd *cobra.Command, _ []string) error {
			q := f.query()
			for n := 0; ; {
				var page struct {
					DeadLetters []letter `json:"deadLetters"`
				}
				if err := c.call(cmd.Context(), http.MethodGet, "/v1/dead-letters?"+q.Encode(), nil, &page); err != nil {
					return err
				}
				if len(page.DeadLetters) == 0 {
					if n == 0 {
						fmt.Fprintln(std.out, "no dead letters")
					}
					return nil
				}
				for _, l := range page.DeadLetters {
					n++
					fmt.Fprintf(std.out, "%d  %s  %s/%s  %s: %s\n", l.ID, l.DiedAt.Format(time.DateTime), l.Connector, l.Record, l.Problem.Code, l.Problem.Detail)
				}
				q.Set("after", fmt.Sprint(page.DeadLetters[len(page.DeadLetters)-1].ID))
			}
		},
	}
	f.add(cmd)
	cmd.Flags().StringVar(&f.state, "state", "waiting", "waiting, replaying, resolved or dropped")
	return cmd
}

func deadShowCommand(std stdio, c *client) *cobra.Command {
	return &cobra.Command{
		Use: "show ID", Short: "Show a dead letter with the fault's place marked in the record", Args: cobra.ExactArgs(1),
		Example: "  suyuan dead show 7",
		RunE: func(cmd *cobra.Command, args []string) error {
			l, err := c.letter(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			showLetter(std.out, l)
			return nil
		},
	}
}

func (c *client) letter(ctx context.Context, id string) (letter, error) {
	var l letter
	err := c.call(ctx, http.MethodGet, "/v1/dead-letters/"+url.PathEscape(id), nil, &l)
	return l, err
}

// showLetter prints a dead letter; the line that the fault names is marked below.
func showLetter(w io.Writer, l letter) {
	fmt.Fprintf(w, "dead letter %d  %s  (%s, %s)\n", l.ID, l.State, l.Stage, counted(l.Attempts, "attempt"))
	fmt.Fprintf(w, "record    %s/%s of %s, received %s\n", l.Connector, l.Record, l.Provider, l.ReceivedAt.Format(time.DateTime))
	if l.Origin != "" {
		fmt.Fprintf(w, "from      %s\n", l.Origin)
	}
	fmt.Fprintf(w, "fault     %s: %s\n", l.Problem.Code, l.Problem.Detail)
	if l.Problem.DetailZh != "" {
		fmt.Fprintf(w, "          %s\n", l.Problem.DetailZh)
	}
	if l.Problem.Where != nil {
		fmt.Fprintf(w, "at        %s\n", l.Problem.Where)
	}
	if l.Problem.Hint != "" {
		fmt.Fprintf(w, "hint      %s\n", l.Problem.Hint)
	}
	if l.Note != "" {
		fmt.Fprintf(w, "note      %s\n", l.Note)
	}
	fmt.Fprintln(w)
	first := max(l.Line, 1)
	n := first
	for line := range strings.Lines(string(l.body())) {
		fmt.Fprintf(w, "%5d | %s\n", n, strings.TrimRight(line, "\r\n"))
		if at := l.Problem.Where; at != nil && at.Line == n && at.Column > 0 {
			fmt.Fprintf(w, "      | %s^ %s\n", strings.Repeat(" ", at.Column-1), at.Pointer)
		}
		n++
	}
}

func deadEditCommand(std stdio, c *client) *cobra.Command {
	var file, note string
	cmd := &cobra.Command{
		Use: "edit ID --file FILE --note WHY", Short: "Replace a dead letter's bytes, for a record that cannot be sent again", Args: cobra.ExactArgs(1),
		Example: "  suyuan dead edit 7 --file fixed.json --note 'date was 2019-13-01'",
		RunE: func(cmd *cobra.Command, args []string) error {
			if file == "" || note == "" {
				return usageError{errors.New("say --file FILE (- for standard input) and --note WHY")}
			}
			b, err := readInput(file, std.in)
			if err != nil {
				return err
			}
			in := map[string]any{"bodyBase64": b, "note": note}
			if err := c.call(cmd.Context(), http.MethodPatch, "/v1/dead-letters/"+url.PathEscape(args[0]), in, nil); err != nil {
				return err
			}
			fmt.Fprintf(std.out, "edited %s; now: suyuan dead replay %s\n", args[0], args[0])
			return nil
		},
	}
	cmd.Flags().StringVar(&file, "file", "", "file with the new bytes, - for standard input (required)")
	cmd.Flags().StringVar(&note, "note", "", "why it was edited (required)")
	return cmd
}

func deadReplayCommand(std stdio, c *client) *cobra.Command {
	var f deadFlags
	var all bool
	cmd := &cobra.Command{
		Use: "replay [ID…]", Short: "Send dead letters the way of their records once more",
		Example: "  suyuan dead replay 7 8\n  suyuan dead replay --all --connector wms-outbound",
		RunE: func(cmd *cobra.Command, args []string) error {
			if all == (len(args) > 0) {
				return usageError{fmt.Errorf("name dead letters, or say --all (with --connector or --code to select)")}
			}
			var out struct {
				Replayed []uint64 `json:"replayed"`
			}
			if all {
				c.wait = longWait
				if err := c.call(cmd.Context(), http.MethodPost, "/v1/dead-letters/replay?"+f.query().Encode(), nil, &out); err != nil {
					return err
				}
				fmt.Fprintf(std.out, "replayed %s; what fails again stays: suyuan dead list\n", counted(len(out.Replayed), "dead letter"))
				return nil
			}
			for _, id := range args {
				if err := c.call(cmd.Context(), http.MethodPost, "/v1/dead-letters/"+url.PathEscape(id)+"/replay", nil, nil); err != nil {
					return err
				}
				fmt.Fprintf(std.out, "replayed %s\n", id)
			}
			return nil
		},
	}
	f.add(cmd)
	cmd.Flags().BoolVar(&all, "all", false, "every waiting dead letter that the filters select")
	return cmd
}

func deadDropCommand(std stdio, c *client) *cobra.Command {
	var f deadFlags
	var reason string
	var all bool
	cmd := &cobra.Command{
		Use: "drop [ID…] --reason WHY", Short: "Give dead letters up; they stay listed with the reason",
		Example: "  suyuan dead drop 7 8 --reason 'test messages of the carrier'\n" +
			"  suyuan dead drop --all --connector carrier --code map.nothing --reason 'test messages of the carrier'",
		RunE: func(cmd *cobra.Command, args []string) error {
			if all == (len(args) > 0) {
				return usageError{fmt.Errorf("name dead letters, or say --all (with --connector or --code to select)")}
			}
			if reason == "" {
				return usageError{errors.New("say --reason WHY: it stays with what is dropped")}
			}
			if all {
				var out struct {
					Dropped []uint64 `json:"dropped"`
				}
				in := map[string]any{"note": reason}
				c.wait = longWait
				if err := c.call(cmd.Context(), http.MethodPost, "/v1/dead-letters/drop?"+f.query().Encode(), in, &out); err != nil {
					return err
				}
				fmt.Fprintf(std.out, "dropped %s\n", counted(len(out.Dropped), "dead letter"))
				return nil
			}
			for _, id := range args {
				in := map[string]any{"drop": true, "note": reason}
				if err := c.call(cmd.Context(), http.MethodPatch, "/v1/dead-letters/"+url.PathEscape(id), in, nil); err != nil {
					return err
				}
				fmt.Fprintf(std.out, "dropped %s\n", id)
			}
			return nil
		},
	}
	f.add(cmd)
	cmd.Flags().BoolVar(&all, "all", false, "every waiting dead letter that the filters select")
	cmd.Flags().StringVar(&reason, "reason", "", "why it is given up (required)")
	return cmd
}

func keyCommand(std stdio) *cobra.Command {
	var c client
	cmd := &cobra.Command{Use: "key", Short: "Make, list and revoke API keys"}
	c.add(cmd)
	cmd.AddCommand(keyNewCommand(std, &c), keyListCommand(std, &c), keyRevokeCommand(std, &c))
	return cmd
}

// keyView is an API key as the API shows it.
type keyView struct {
	ID        string     `json:"id"`
	Provider  string     `json:"provider"`
	Scopes    []string   `json:"scopes"`
	Note      string     `json:"note"`
	RevokedAt *time.Time `json:"revokedAt"`
	Secret    string     `json:"secret"`
}

func keyNewCommand(std stdio, c *client) *cobra.Command {
	var scopes []string
	var note, configFile string
	cmd := &cobra.Command{
		Use: "new PROVIDER", Short: "Make a key that speaks for a provider; its secret is shown once", Args: cobra.ExactArgs(1),
		Long: `Make a key that speaks for a provider; its secret is shown once. A running hub makes it at the request of an admin key. With
--config it is made in the store of a hub that is stopped: so you get in again when the admin key of the first start is lost.`,
		Example: "  suyuan key new wyeth-illuma --scope capture,query\n  suyuan key new hub --scope admin --config suyuan.yaml",
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			var k keyView
			if configFile != "" {
				k, err = keyAside(cmd.Context(), configFile, keyView{Provider: args[0], Scopes: scopes, Note: note})
			} else {
				in := map[string]any{"provider": args[0], "scopes": scopes, "note": note}
				err = c.call(cmd.Context(), http.MethodPost, "/v1/keys", in, &k)
			}
			if err != nil {
				return err
			}
			fmt.Fprintf(std.out, "%s\n", k.Secret)
			fmt.Fprintf(std.err, "key %s of %s with %s; the secret above is shown only now\n", k.ID, k.Provider, strings.Join(k.Scopes, ", "))
			return nil
		},
	}
	cmd.Flags().StringSliceVar(&scopes, "scope", []string{"capture", "query"}, "capture, query, audit, admin")
	cmd.Flags().StringVar(&note, "note", "", "what the key is for")
	cmd.Flags().StringVar(&configFile, "config", "", "configuration file of a hub that is stopped")
	return cmd
}

// keyAside makes a key in the store of a hub that is stopped.
func keyAside(ctx context.Context, configFile string, want keyView) (made keyView, err error) {
	cfg, err := loadConfig(configFile)
	if err != nil {
		return made, err
	}
	scopes := make([]hub.Scope, len(want.Scopes))
	for i, s := range want.Scopes {
		scopes[i] = hub.Scope(s)
	}
	if err := api.CheckKey(hub.ProviderID(want.Provider), scopes); err != nil {
		return made, err
	}
	h, err := openAside(ctx, cfg, zap.NewNop(), nil)
	if err != nil {
		return made, err
	}
	k, secret := api.NewKey(hub.ProviderID(want.Provider), scopes, want.Note, now())
	want.ID, want.Secret = k.ID, secret
	return want, errors.Join(h.store.PutKey(ctx, k), h.Close())
}

func keyListCommand(std stdio, c *client) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List keys", Args: cobra.NoArgs,
		Example: "  suyuan key list --url https://hub.example.com",
		RunE: func(cmd *cobra.Command, _ []string) error {
			var out struct {
				Keys []keyView `json:"keys"`
			}
			if err := c.call(cmd.Context(), http.MethodGet, "/v1/keys", nil, &out); err != nil {
				return err
			}
			for _, k := range out.Keys {
				state := "good"
				if k.RevokedAt != nil {
					state = "revoked " + k.RevokedAt.Format(time.DateOnly)
				}
				fmt.Fprintf(std.out, "%s  %s  %s  %s  %s\n", k.ID, k.Provider, strings.Join(k.Scopes, ","), state, k.Note)
			}
			return nil
		},
	}
}

func keyRevokeCommand(std stdio, c *client) *cobra.Command {
	return &cobra.Command{
		Use: "revoke ID", Short: "Make a key useless", Args: cobra.ExactArgs(1),
		Example: "  suyuan key revoke k-a1b2c3d4",
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := c.call(cmd.Context(), http.MethodDelete, "/v1/keys/"+url.PathEscape(args[0]), nil, nil); err != nil {
				return err
			}
			fmt.Fprintf(std.out, "revoked %s\n", args[0])
			return nil
		},
	}
}
