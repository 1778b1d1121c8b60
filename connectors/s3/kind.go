package s3

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/suyuan-io/suyuan/connectors"
	"github.com/suyuan-io/suyuan/connectors/internal/drop"
	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/internal/strictyaml"
)

// Kind is the row of this kind in the list of kinds.
func Kind() connectors.Kind {
	return connectors.Kind{
		Name:    "s3",
		Summary: "objects dropped into a bucket of an S3-compatible store",
		Example: example,
		Options: func() any {
			o := &Options{TLS: true, Style: "auto", Files: drop.Defaults()}
			o.Ready = drop.Ready{StablePolls: 1} // an object appears whole
			return o
		},
	}
}

const example = `id: erp-exports
provider: brand-erp
source:
  s3:
    address: s3.example.test
    bucket: erp-exports
    region: eu-central-1
    auth: { accessKey: hub, secretKey: "${file:/run/secrets/s3_key}" }
    paths: [out/*.json]
    after: { success: move:archive/, failure: move:error/ }
decode: json
map: ./mapping.yaml
interval: 30s
`

// Options are the settings of an S3 instance.
type Options struct {
	// Address is the store's host or host:port.
	Address string `yaml:"address,required"`
	// TLS is true by default.
	TLS    bool   `yaml:"tls"`
	Bucket string `yaml:"bucket,required"`
	Region string `yaml:"region"`
	// Style is how the bucket is named in a request: "path", "host", or "auto" by the address.
	Style string `yaml:"style" enum:"auto,path,host"`
	Auth  Auth   `yaml:"auth,required"`
	// Files are by key; a leading slash of a pattern means nothing.
	drop.Files `yaml:",inline"`
}

// Auth is the pair of keys, with the token of a temporary one.
type Auth struct {
	AccessKey    string            `yaml:"accessKey,required"`
	SecretKey    strictyaml.Secret `yaml:"secretKey,required"`
	SessionToken strictyaml.Secret `yaml:"sessionToken"`
}

// Open implements [connectors.Opener].
func (o *Options) Open(ctx context.Context, env connectors.Env) (connectors.Source, error) {
	transport := &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: o.Timeout}).DialContext,
		TLSHandshakeTimeout: o.Timeout, ResponseHeaderTimeout: o.Timeout, IdleConnTimeout: time.Minute,
		TLSClientConfig:    &tls.Config{MinVersion: tls.VersionTLS12},
		DisableCompression: true, // the object as it is stored
	}
	client, err := minio.New(o.Address, &minio.Options{
		Creds:  credentials.NewStaticV4(o.Auth.AccessKey, o.Auth.SecretKey.Reveal(), o.Auth.SessionToken.Reveal()),
		Secure: o.TLS, Region: o.Region, Transport: transport, BucketLookup: o.lookup(),
		MaxRetries: 1, // the host retries
	})
	if err != nil {
		f := hub.Faultf(hub.Invalid, "s3.address", "the address is not that of a store").Because(err)
		f.MessageZh = "该地址不是有效的存储服务地址"
		return nil, f.WithHint("write host or host:port, without https:// and bucket")
	}
	return o.Source(ctx, &place{options: o, client: client, transport: transport}, "/", env)
}

func (o *Options) lookup() minio.BucketLookupType {
	switch o.Style {
	case "path":
		return minio.BucketLookupPath
	case "host":
		return minio.BucketLookupDNS
	default:
		return minio.BucketLookupAuto
	}
}
