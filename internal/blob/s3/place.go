package s3

import (
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"strings"

	"tributary/internal/fault"
)

// Place is where a store is: what a URL says.
type Place struct {
	Bucket string
	Prefix string // empty, or ends in a slash
	Host   string // of the service, with a port unless it is the scheme's
	Region string
	TLS    bool
}

var (
	bucketForm = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)
	prefixForm = regexp.MustCompile(`^([A-Za-z0-9_][A-Za-z0-9._-]*/)*$`)
	regionForm = regexp.MustCompile(`^[a-z0-9-]{1,64}$`)
)

const urlForm = "as in s3://bucket/prefix?endpoint=https://s3.example.com&region=eu-central-1"

// Parse reads a URL: s3://BUCKET[/PREFIX], with the parameters endpoint, the
// service's https address (http on loopback only; Amazon's if it is absent), and
// region (us-east-1 if it is absent and there is an endpoint).
func Parse(text string) (Place, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "s3" || u.Host == "" {
		return Place{}, fault.New(fault.Invalid, "The object store's URL is not one for S3, %s.", urlForm)
	}
	if u.User != nil {
		return Place{}, fault.New(fault.Invalid, "The object store's URL holds credentials, which everybody can read there. Put them into AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or into a file that AWS_SHARED_CREDENTIALS_FILE names.")
	}
	p := Place{Bucket: u.Host, Prefix: strings.TrimPrefix(u.Path, "/"), TLS: true}
	if p.Prefix != "" && !strings.HasSuffix(p.Prefix, "/") {
		p.Prefix += "/"
	}
	if !bucketForm.MatchString(p.Bucket) || !prefixForm.MatchString(p.Prefix) || len(p.Prefix) > 256 {
		return Place{}, fault.New(fault.Invalid, "The object store's bucket or prefix has not the form of one, %s.", urlForm)
	}
	for part := range strings.SplitSeq(p.Prefix, "/") {
		if part+"/" == objects || part+"/" == probes || part == owner {
			return Place{}, fault.New(fault.Invalid, "The object store's prefix may not have %q in it: that is a name inside of a store, and this one could be inside another.", part)
		}
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil || u.Fragment != "" {
		return Place{}, fault.New(fault.Invalid, "The object store's URL cannot be read behind its question mark, %s.", urlForm)
	}
	for name, values := range query {
		if name != "endpoint" && name != "region" || len(values) != 1 {
			return Place{}, fault.New(fault.Invalid, "The object store's URL may have one endpoint and one region, and nothing like %q, %s.", name, urlForm)
		}
	}
	if p.Region = query.Get("region"); p.Region != "" && !regionForm.MatchString(p.Region) {
		return Place{}, fault.New(fault.Invalid, "The object store's region %q is none, %s.", p.Region, urlForm)
	}
	if !query.Has("endpoint") {
		if p.Region == "" {
			return Place{}, fault.New(fault.Invalid, "The object store's URL needs an endpoint or, for Amazon's own, a region, %s.", urlForm)
		}
		p.Host = "s3." + p.Region + ".amazonaws.com"
		return p, nil
	}
	return p, p.at(query.Get("endpoint"))
}

// at sets the service's address.
func (p *Place) at(endpoint string) error {
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" || u.User != nil || u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "" || u.Scheme != "https" && u.Scheme != "http" {
		return fault.New(fault.Invalid, "The object store's endpoint %q is not an address such as https://s3.example.com.", endpoint)
	}
	if p.Host, p.TLS = u.Host, u.Scheme == "https"; !p.TLS && !loopback(u.Hostname()) {
		return fault.New(fault.Invalid, "The object store's endpoint %s has no TLS, and is not on this machine. Use https.", endpoint)
	}
	if p.Region == "" {
		p.Region = "us-east-1"
	}
	return nil
}

func loopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}

// hostPort is what is dialled.
func (p Place) hostPort() string {
	if _, _, err := net.SplitHostPort(p.Host); err == nil {
		return p.Host
	}
	port := "443"
	if !p.TLS {
		port = "80"
	}
	return net.JoinHostPort(strings.Trim(p.Host, "[]"), port)
}

// String is the place for people: bucket, prefix and service.
func (p Place) String() string {
	return "s3://" + p.Bucket + "/" + p.Prefix + " (" + p.Host + ")"
}
