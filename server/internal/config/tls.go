package config

import "net"

// TLS says how to serve HTTPS. Without a certificate, HTTP is served.
type TLS struct {
	// Cert and Key are files in PEM form. They are read again when they change.
	Cert string `yaml:"cert"`
	Key  string `yaml:"key"`

	// Redirect is an address, such as ":80", on which plain HTTP is answered with
	// the way to HTTPS. Empty: none.
	Redirect string `yaml:"redirect"`
}

// Enabled reports whether HTTPS is served.
func (t *TLS) Enabled() bool { return t.Cert != "" }

func (t *TLS) check(bad func(format string, args ...any)) {
	if (t.Cert == "") != (t.Key == "") {
		bad("tls.cert and tls.key go together: one of them is empty")
	}
	if t.Redirect == "" {
		return
	}
	if !t.Enabled() {
		bad("tls.redirect needs tls.cert and tls.key")
	}
	if _, _, err := net.SplitHostPort(t.Redirect); err != nil {
		bad("tls.redirect is %q, want HOST:PORT or :PORT", t.Redirect)
	}
}
