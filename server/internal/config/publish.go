package config

import (
	"fmt"
	"net"
	"time"

	"github.com/framewire/framewire/server/internal/media"
)

// Off switches a listener off.
const Off = "off"

// Publish says who may publish, and how.
type Publish struct {
	// Rules are tried in this order; the first whose pattern matches the name
	// decides. Without any, and without tokens (see Auth), everybody may publish
	// while the server listens on loopback only, and nobody otherwise. A token with
	// the action "publish" on the stream is as good as the key.
	Rules []PublishRule `yaml:"rules"`

	// RTMP is the address that RTMP is served on: "off" for none. Empty: port 1935
	// of the host that is listened on, if it is free.
	RTMP string `yaml:"rtmp"`

	// RTMPS is the address that RTMP over TLS is served on, with the certificate of
	// HTTPS. Empty: none.
	RTMPS string `yaml:"rtmps"`

	// WebRTC is the UDP address that WHIP publishers send to: "off" for none.
	// Empty: port 8189 of the host that is listened on, if it is free.
	WebRTC string `yaml:"webrtc"`

	// WebRTCHosts are IP addresses told to WHIP publishers where they differ from
	// those of the network interfaces: the public ones of a server behind NAT.
	WebRTCHosts []string `yaml:"webrtc_hosts"`

	// MaxPublishers at the same time: in all, from one network address, and whose
	// tokens name the same subject. 0 is no bound for the last two.
	MaxPublishers           int `yaml:"max_publishers"`
	MaxPublishersPerAddress int `yaml:"max_publishers_per_address"`
	MaxPublishersPerSubject int `yaml:"max_publishers_per_subject"`
	// MaxBitrate of one publisher, in bits per second.
	MaxBitrate int64 `yaml:"max_bitrate"`
	// Silence is how long a publisher may send nothing.
	Silence Duration `yaml:"silence"`
	// Grace is how long a stream whose publisher broke off counts as lost, before
	// it counts as offline.
	Grace Duration `yaml:"grace"`
	// Linger is how long a stream is kept after it went offline and its last
	// viewer left.
	Linger Duration `yaml:"linger"`
}

// PublishRule lets publishers onto streams.
type PublishRule struct {
	// Streams is a pattern of names: * for any part between slashes, ** at the end
	// for everything that follows.
	Streams string `yaml:"streams"`
	// Key is the stream key that is needed; empty for none.
	Key string `yaml:"key"`
	// Takeover lets a second publisher take the stream from the first.
	Takeover bool `yaml:"takeover"`
}

func defaultPublish() Publish {
	return Publish{
		MaxPublishers: 100,
		MaxBitrate:    100_000_000,
		Silence:       Duration(10 * time.Second),
		Grace:         Duration(20 * time.Second),
		Linger:        Duration(time.Minute),
	}
}

// Publishing reports whether anybody may publish at all.
func (c *Config) Publishing() bool {
	return len(c.Publish.Rules) > 0 || c.Auth.Configured() || IsLoopback(c.Listen)
}

func (p *Publish) check(bad func(format string, args ...any)) {
	for i, rule := range p.Rules {
		if err := media.CheckStreamPattern(rule.Streams); err != nil {
			bad("publish.rules[%d].streams: %w", i, err)
		}
	}
	for name, address := range map[string]string{"rtmp": p.RTMP, "rtmps": p.RTMPS, "webrtc": p.WebRTC} {
		if address == "" || address == Off {
			continue
		}
		if _, _, err := net.SplitHostPort(address); err != nil {
			bad("publish.%s is %q, want HOST:PORT, :PORT or off", name, address)
		}
	}
	for _, host := range p.WebRTCHosts {
		if net.ParseIP(host) == nil {
			bad("publish.webrtc_hosts has %q, want IP addresses", host)
		}
	}
	if p.MaxPublishers < 1 {
		bad("publish.max_publishers is %d, want at least 1", p.MaxPublishers)
	}
	if p.MaxPublishersPerAddress < 0 || p.MaxPublishersPerSubject < 0 {
		bad("publish.max_publishers_per_address is %d and publish.max_publishers_per_subject %d, want at least 0", p.MaxPublishersPerAddress, p.MaxPublishersPerSubject)
	}
	if p.MaxBitrate < 1000 {
		bad("publish.max_bitrate is %d bits per second, want at least 1000", p.MaxBitrate)
	}
	for name, d := range map[string]Duration{"silence": p.Silence, "grace": p.Grace, "linger": p.Linger} {
		if d < Duration(time.Second) || d > Duration(time.Hour) {
			bad("publish.%s is %v, want 1s to 1h", name, time.Duration(d))
		}
	}
}

// IsLoopback reports whether an address to listen on can be reached from this
// machine only.
func IsLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// Beside returns the address with the port on the host of another address.
func Beside(address string, port int) string {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = ""
	}
	return net.JoinHostPort(host, fmt.Sprint(port))
}
