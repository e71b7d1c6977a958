package config

import "net"

// Metrics says where Prometheus finds the metrics.
type Metrics struct {
	// Listen is an address of its own for /metrics, where everybody may read them.
	// Empty: they are at /metrics of the server, for operators only.
	Listen string `yaml:"listen"`
}

func (m *Metrics) check(bad func(format string, args ...any)) {
	if m.Listen == "" {
		return
	}
	if _, _, err := net.SplitHostPort(m.Listen); err != nil {
		bad("metrics.listen is %q, want HOST:PORT or :PORT", m.Listen)
	}
}
