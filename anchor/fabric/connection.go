package fabric

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"
	"google.golang.org/grpc/status"
)

// The time limits of calls that a peer answers from what it has or in one round with others; the wait for a block has
// the caller's limit alone.
const (
	evaluateTimeout = 10 * time.Second
	endorseTimeout  = 15 * time.Second
	submitTimeout   = 15 * time.Second
)

// peers chooses among the endpoints: the first that can be reached is used until it is lost, or until it leaves a call
// without an answer; then it goes to the end of the list. A peer that hangs keeps its connections open, so that nothing
// but a time limit tells.
type peers struct {
	resolver *manual.Resolver

	mu        sync.Mutex
	addresses []resolver.Address
	// changes counts the calls of next.
	changes int
}

// dial returns a connection to the peers, which connects when first needed.
func dial(addresses []resolver.Address, roots *x509.CertPool, options []grpc.DialOption) (*grpc.ClientConn, error) {
	p := &peers{resolver: manual.NewBuilderWithScheme("fabric"), addresses: addresses}
	p.resolver.InitialState(resolver.State{Addresses: addresses})
	conn, err := grpc.NewClient("fabric:///peers", append([]grpc.DialOption{
		grpc.WithResolvers(p.resolver),
		grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12})),
		// Peers close a connection that pings more often than once a minute.
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 61 * time.Second, Timeout: 20 * time.Second}),
		grpc.WithChainUnaryInterceptor(p.call),
	}, options...)...)
	if err != nil {
		return nil, fmt.Errorf("connect to peers: %w", err)
	}
	return conn, nil
}

// call makes one call within its time limit.
//
//nolint:revive // the signature is gRPC's
func (p *peers) call(ctx context.Context, method string, request, reply any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker,
	options ...grpc.CallOption) error {
	for suffix, limit := range map[string]time.Duration{
		"/Evaluate": evaluateTimeout, "/Endorse": endorseTimeout, "/Submit": submitTimeout,
	} {
		if strings.HasSuffix(method, suffix) {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, limit)
			defer cancel()
		}
	}
	p.mu.Lock()
	before := p.changes
	p.mu.Unlock()
	err := invoke(ctx, method, request, reply, conn, options...)
	if status.Code(err) == codes.DeadlineExceeded {
		p.next(before)
	}
	return err
}

// next lets calls go to the next endpoint, unless another call has seen to that since.
func (p *peers) next(before int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.addresses) < 2 || p.changes != before {
		return
	}
	p.changes++
	first, others := p.addresses[0], p.addresses[1:]
	p.addresses = append(append([]resolver.Address(nil), others...), first)
	p.resolver.UpdateState(resolver.State{Addresses: others}) // an address that is listed keeps its connection
	p.resolver.UpdateState(resolver.State{Addresses: p.addresses})
}
