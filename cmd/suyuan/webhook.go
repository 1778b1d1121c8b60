package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

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
		return nil, usageError{fmt.Errorf("there is no preset %q; use one of %s", f.as, strings.Join(webhook.PresetNames(), ", "))}
	}
	if len(f.secrets) == 0 {
		return nil, usageError{errors.New("no secret is given\n    → say --secret SECRET, or --secret @FILE to keep it out of the shell's history")}
	}
	var secrets []string
	for _, s := range f.secrets {
		if name, ok := strings.CutPrefix(s, "@"); ok {
			b, err := os.ReadFile(name)
			if err != nil {
				return nil, hub.Faultf(hub.Invalid, "file.unreadable", "cannot read the secret").Because(err)
			}
			s = strings.TrimSpace(string(b))
		}
		secrets = append(secrets, s)
	}
	return webhook.NewVerifier(scheme, secrets...)
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
	var id, contentType string
	cmd := &cobra.Command{
		Use: "send --as PRESET --secret SECRET URL BODYFILE", Short: "Sign a body as the preset's sender would, and post it", Args: cobra.ExactArgs(2),
		Example: "  suyuan webhook send --secret @webhook.secret http://127.0.0.1:8080/in/retail-logistics order.json",
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
			return sendSigned(cmd.Context(), std.out, args[0], signed)
		},
	}
	f.add(cmd)
	cmd.Flags().StringVar(&id, "id", "", "message id; made from the body when not given, so that a repeat is one")
	cmd.Flags().StringVar(&contentType, "content-type", "application/json", "media type of the body")
	return cmd
}

// sendSigned posts a signed request and prints the answer.
func sendSigned(ctx context.Context, out io.Writer, target string, signed *webhook.Request) error {
	u, err := url.Parse(target)
	if err != nil {
		return usageError{err}
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
		return hub.Faultf(hub.Unavailable, "hub.unreachable", "cannot reach %s", target).Because(err).
			WithHint("is the hub running there? a connector's address is http://HOST:PORT/in/ID")
	}
	defer answer.Body.Close()
	fmt.Fprintln(out, answer.Status)
	if _, err := io.Copy(out, io.LimitReader(answer.Body, 1<<20)); err != nil {
		return hub.Faultf(hub.Unavailable, "hub.answer", "the answer broke off").Because(err)
	}
	if answer.StatusCode/100 != 2 {
		return errFailed
	}
	return nil
}
