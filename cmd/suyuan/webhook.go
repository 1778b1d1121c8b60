package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/suyuan-io/suyuan/api"
	"github.com/suyuan-io/suyuan/connectors/webhook"
	"github.com/suyuan-io/suyuan/hub"
)

func webhookCommand(std stdio) *cobra.Command {
	cmd := &cobra.Command{
		Use: "webhook", Short: "Check a captured webhook request, or sign and post a test one",
		Long: "A partner's debugging tool. Presets: " + strings.Join(webhook.PresetNames(), ", ") + ".",
	}
	cmd.AddCommand(webhookVerifyCommand(std), webhookSendCommand(std))
	return cmd
}

// webhookFlags say which scheme and which secrets.
type webhookFlags struct {
	as      string
	secrets []string
}

func (f *webhookFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.as, "as", "standard-webhooks", "preset: "+strings.Join(webhook.PresetNames(), ", "))
	cmd.Flags().StringArrayVar(&f.secrets, "secret", nil, "shared secret, or @FILE; may be given again while secrets rotate")
}

func (f *webhookFlags) verifier() (*webhook.Verifier, error) {
	scheme, ok := webhook.Preset(f.as)
	if !ok {
		return nil, usageError{fmt.Errorf("there is no preset %q\n    → use one of %s", f.as, strings.Join(webhook.PresetNames(), ", "))}
	}
	secrets, err := f.revealed()
	if err != nil {
		return nil, err
	}
	return webhook.NewVerifier(scheme, secrets...)
}

func (f *webhookFlags) revealed() ([]string, error) {
	if len(f.secrets) == 0 {
		return nil, usageError{errors.New("no secret is given\n    → say --secret SECRET, or --secret @FILE to keep it out of the shell's history")}
	}
	var secrets []string
	for _, s := range f.secrets {
		if name, ok := strings.CutPrefix(s, "@"); ok {
			b, err := os.ReadFile(name)
			if err != nil {
				return nil, unreadable(name, err)
			}
			s = strings.TrimSpace(string(b))
		}
		secrets = append(secrets, s)
	}
	return secrets, nil
}

func webhookVerifyCommand(std stdio) *cobra.Command {
	var f webhookFlags
	var at int64
	var headers []string
	var query string
	cmd := &cobra.Command{
		Use: "verify --as PRESET --secret SECRET --header 'K: V' BODYFILE", Short: "Check a captured request's signature", Args: cobra.ExactArgs(1),
		Long: `Check a captured request: prints "valid" with the message's id and exits 0, or "invalid" with the reason and exits 1. The
body file holds the bytes exactly as they were sent; - is standard input.`,
		Example: `  suyuan webhook verify --as github --secret "$SECRET" --header "X-Hub-Signature-256: sha256=…" body.json
  suyuan webhook verify --as standard-webhooks --secret whsec_… --at 1614265330 \
    --header 'webhook-id: msg_1' --header 'webhook-timestamp: 1614265330' --header 'webhook-signature: v1,…' body.json`,
		RunE: func(_ *cobra.Command, args []string) error {
			v, err := f.verifier()
			if fault := hub.AsFault(err); err != nil && strings.HasPrefix(fault.Code, "webhook.") {
				fmt.Fprintf(std.out, "invalid %s: %s: %s\n", args[0], fault.Code, err)
				return errFailed
			}
			if err != nil {
				return err
			}
			body, err := readInput(args[0], std.in)
			if err != nil {
				return err
			}
			r := &webhook.Request{Method: http.MethodPost, Header: http.Header{}, Body: body}
			if r.Query, err = url.ParseQuery(query); err != nil {
				return usageError{err}
			}
			if err := addHeaders(r.Header, headers); err != nil {
				return err
			}
			now := time.Now()
			if at != 0 {
				now = time.Unix(at, 0)
			}
			verdict, err := v.Verify(r, now)
			if err != nil {
				fault := hub.AsFault(err)
				fmt.Fprintf(std.out, "invalid %s: %s: %s\n", args[0], fault.Code, err)
				return errFailed
			}
			fmt.Fprintf(std.out, "valid %s", args[0])
			if verdict.ID != "" {
				fmt.Fprintf(std.out, " id=%s", verdict.ID)
			}
			fmt.Fprintln(std.out)
			return nil
		},
	}
	f.add(cmd)
	cmd.Flags().Int64Var(&at, "at", 0, "time of receipt in unix seconds; now when not given")
	cmd.Flags().StringArrayVar(&headers, "header", nil, "request header 'Name: value'; may be given again")
	cmd.Flags().StringVar(&query, "query", "", "query string of the request")
	return cmd
}

func addHeaders(h http.Header, lines []string) error {
	for _, line := range lines {
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			return usageError{fmt.Errorf("header %q is not written 'Name: value'", line)}
		}
		h.Add(strings.TrimSpace(name), strings.TrimSpace(value))
	}
	return nil
}

func webhookSendCommand(std stdio) *cobra.Command {
	var f webhookFlags
	var id, contentType, client, tokenURL string
	cmd := &cobra.Command{
		Use: "send --as PRESET --secret SECRET URL BODYFILE", Short: "Sign a body as the preset's sender would, and post it", Args: cobra.ExactArgs(2),
		Long: `Sign a body as the preset's sender would, and post it. With --client-id it does as a sender that fetches a token, such as UPS:
it asks for one by that id and the secret, at URL/token or --token-url, and posts the body with it.`,
		Example: "  suyuan webhook send --secret @webhook.secret http://127.0.0.1:8080/in/retail-logistics order.json\n" +
			"  suyuan webhook send --as ups --client-id ups-alerts --secret @ups.secret http://127.0.0.1:8080/in/ups alert.json",
		RunE: func(cmd *cobra.Command, args []string) error {
			v, err := f.verifier()
			if err != nil {
				return err
			}
			body, err := readInput(args[1], std.in)
			if err != nil {
				return err
			}
			if id == "" {
				sum := hub.Sum(body)
				id = "msg_" + sum.String()[:24]
			}
			signed, err := v.Sign(body, contentType, id, time.Now())
			if err != nil {
				return err
			}
			if client != "" {
				secrets, err := f.revealed()
				if err != nil {
					return err
				}
				token, err := fetchToken(cmd.Context(), cmp.Or(tokenURL, args[0]+"/token"), client, secrets[0])
				if err != nil {
					return err
				}
				signed.Header = http.Header{"Content-Type": {contentType}, "Authorization": {"Bearer " + token}}
			}
			return sendSigned(cmd.Context(), std.out, args[0], signed)
		},
	}
	f.add(cmd)
	cmd.Flags().StringVar(&id, "id", "", "message id; made from the body when not given, so that a repeat is one")
	cmd.Flags().StringVar(&contentType, "content-type", "application/json", "media type of the body")
	cmd.Flags().StringVar(&client, "client-id", "", "fetch a token with this client id and the secret, and send it in place of a credential")
	cmd.Flags().StringVar(&tokenURL, "token-url", "", "where tokens are; URL/token when not given")
	return cmd
}

// fetchToken asks for a bearer token by the client credentials grant (RFC 6749, section 4.4).
func fetchToken(ctx context.Context, target, client, secret string) (string, error) {
	form := strings.NewReader(url.Values{"grant_type": {"client_credentials"}}.Encode())
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, target, form)
	if err != nil {
		return "", usageError{err}
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(url.QueryEscape(client), url.QueryEscape(secret))
	answer, err := (&http.Client{Timeout: 30 * time.Second}).Do(r)
	if err != nil {
		return "", hub.Faultf(hub.Unavailable, "hub.unreachable", "cannot reach %s", target).Because(cause(err)).
			WithHint("is the hub running there? a connector's tokens are at http://HOST:PORT/in/ID/token")
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
	if err != nil {
		return "", hub.Faultf(hub.Unavailable, "hub.answer", "the answer broke off").Because(err)
	}
	var out struct {
		Token string `json:"access_token"`
	}
	if err := json.Unmarshal(body, &out); err != nil || answer.StatusCode != http.StatusOK || out.Token == "" {
		return "", hub.Faultf(hub.Unauthorized, "webhook.no-token", "no token was given: %s %s", answer.Status, bytes.TrimSpace(body)).
			WithHint("compare the client id and the secret with oauth2: and secrets: in the instance file")
	}
	return out.Token, nil
}

// sendSigned posts a signed request and prints the answer.
func sendSigned(ctx context.Context, out io.Writer, target string, signed *webhook.Request) error {
	u, err := url.Parse(target)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return usageError{fmt.Errorf("%q is no address to post to\n    → write it like https://hub.example.com/in/ID", target)}
	}
	if len(signed.Query) > 0 {
		u.RawQuery = signed.Query.Encode()
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), bytes.NewReader(signed.Body))
	if err != nil {
		return usageError{err}
	}
	r.Header = signed.Header
	answer, err := (&http.Client{Timeout: 30 * time.Second}).Do(r)
	if err != nil {
		return hub.Faultf(hub.Unavailable, "hub.unreachable", "cannot reach %s", target).Because(cause(err)).
			WithHint("is the hub running there? a connector's address is http://HOST:PORT/in/ID")
	}
	defer answer.Body.Close()
	fmt.Fprintln(out, answer.Status)
	if answer.Header.Get("Content-Type") == "application/problem+json" {
		return sayRefused(out, answer)
	}
	if _, err := io.Copy(out, io.LimitReader(answer.Body, 1<<20)); err != nil {
		return hub.Faultf(hub.Unavailable, "hub.answer", "the answer broke off").Because(err)
	}
	if answer.StatusCode/100 != 2 {
		return errFailed
	}
	return nil
}

// sayRefused prints why a hub refused a request, in its own words.
func sayRefused(out io.Writer, answer *http.Response) error {
	var p api.Problem
	if err := json.NewDecoder(io.LimitReader(answer.Body, 1<<20)).Decode(&p); err != nil {
		return hub.Faultf(hub.Unavailable, "hub.answer", "the answer broke off").Because(err)
	}
	if len(p.Errors) == 0 {
		p.Errors = []api.Problem{p}
	}
	for _, e := range p.Errors {
		f := &hub.Fault{Code: e.Code, Message: e.Detail, Hint: e.Hint}
		if e.Where != nil {
			f.Where = *e.Where
		}
		printOne(out, f)
	}
	return errFailed
}
