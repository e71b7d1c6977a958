package config

import (
	"net"
	"net/url"
	"regexp"
	"slices"
)

// TLS says how to serve HTTPS. Without a certificate, HTTP is served.
type TLS struct {
	// Cert and Key are files in PEM form. They are read again when they change.
	Cert string `yaml:"cert"`
	Key  string `yaml:"key"`

	// ACME gets certificates from an authority instead.
	ACME ACME `yaml:"acme"`

	// Redirect is an address, such as ":80", on which plain HTTP is answered with
	// the way to HTTPS. Empty: none.
	Redirect string `yaml:"redirect"`
}

// ACME says how to get certificates by ACME, as from Let's Encrypt. To configure
// it is to agree to the authority's terms.
type ACME struct {
	// Domains are the names to get certificates for.
	Domains []string `yaml:"domains"`
	// Email is where the authority writes to about them.
	Email string `yaml:"email"`
	// Directory is the authority's URL. Empty: Let's Encrypt.
	Directory string `yaml:"directory"`
	// Roots is a file in PEM form with the roots of the authority's own
	// certificate, for one that the system does not know.
	Roots string `yaml:"roots"`
	// Storage is the folder where certificates and keys are kept. Empty: one of the
	// service or of the user.
	Storage string `yaml:"storage"`
}

// Enabled reports whether HTTPS is served.
func (t *TLS) Enabled() bool { return t.Cert != "" || len(t.ACME.Domains) > 0 }

// equal reports whether o needs no restart where t is in force: other files can be
// read, but there have to be files already.
func (t *TLS) equal(o *TLS) bool {
	a, b := &t.ACME, &o.ACME
	return (t.Cert == "") == (o.Cert == "") && t.Redirect == o.Redirect && slices.Equal(a.Domains, b.Domains) &&
		a.Email == b.Email && a.Directory == b.Directory && a.Roots == b.Roots && a.Storage == b.Storage
}

// domainName is what a certificate can be got for by challenges over HTTP and TLS:
// no address, and no pattern.
var domainName = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z]([a-z0-9-]{0,61}[a-z0-9])?$`)

func (t *TLS) check(bad func(format string, args ...any)) {
	if (t.Cert == "") != (t.Key == "") {
		bad("tls.cert and tls.key go together: one of them is empty")
	}
	t.ACME.check(bad)
	if t.Cert != "" && len(t.ACME.Domains) > 0 {
		bad("tls has both cert and acme.domains, want one")
	}
	if t.Redirect == "" {
		return
	}
	if !t.Enabled() {
		bad("tls.redirect needs tls.cert and tls.key, or tls.acme")
	}
	if _, _, err := net.SplitHostPort(t.Redirect); err != nil {
		bad("tls.redirect is %q, want HOST:PORT or :PORT", t.Redirect)
	}
}

func (a *ACME) check(bad func(format string, args ...any)) {
	for i, name := range a.Domains {
		if len(name) > 253 || !domainName.MatchString(name) { // RFC 1035 2.3.4
			bad("tls.acme.domains[%d] is %q, want a name such as video.example.com, in lower case", i, name)
		}
	}
	if len(a.Domains) == 0 && (a.Email != "" || a.Directory != "" || a.Roots != "" || a.Storage != "") {
		bad("tls.acme needs domains")
	}
	if a.Directory != "" {
		if u, err := url.Parse(a.Directory); err != nil || u.Scheme != "https" || u.Host == "" {
			bad("tls.acme.directory is %q, want an https URL", a.Directory)
		}
	}
}
