package whip

import (
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/webrtc/v4"

	"github.com/framewire/framewire/server/internal/gate"
	"github.com/framewire/framewire/server/internal/publish"
	"github.com/framewire/framewire/server/internal/publish/door"
	"github.com/framewire/framewire/server/internal/publish/whip/jitter"
)

const (
	defaultAddress     = ":8189"
	defaultMaxSessions = 100

	// defaultHandshake is how long a publisher may take from the answer to a
	// connection: many ICE checks and several lost DTLS flights.
	defaultHandshake = 15 * time.Second

	defaultSilence = 10 * time.Second

	// defaultPatience is that of the rest of the server's HTTP: enough for a
	// request of one packet or two on any network that media could come over.
	defaultPatience = 15 * time.Second

	// disconnectedAfter and failedAfter are how long nothing at all comes before
	// the connection is in doubt, and how long after that it is given up.
	// Publishers send connectivity checks every few seconds at the latest (RFC
	// 7675 5.1). In the time between they may restart ICE.
	disconnectedAfter = 5 * time.Second
	failedAfter       = 10 * time.Second

	// socketBuffer is what is asked of the system for arriving packets, in bytes:
	// a keyframe of several publishers at once.
	socketBuffer = 4 << 20

	// receiveMTU is the longest packet read. Paths to the server carry no more
	// without fragments.
	receiveMTU = 1500
)

// Options says how a Handler works. Zero fields take the default.
type Options struct {
	// Desk lets publishers in. Required.
	Desk publish.Desk

	// Address is the UDP host:port that all media come to. Default ":8189"; port
	// 0 takes any.
	Address string

	// Hosts are the addresses told to publishers, where they differ from those of
	// the network interfaces: the public ones of a server behind NAT. The port
	// has to be forwarded under the same number.
	Hosts []netip.Addr

	// Loopback tells publishers of the loopback interface as well, for those on
	// the same machine.
	Loopback bool

	// MaxSessions at the same time. Default 100.
	MaxSessions int

	// Handshake is the time from the answer to an established connection. Default
	// 15 s.
	Handshake time.Duration

	// Silence is how long a connected publisher may send no media. Default 10 s.
	Silence time.Duration

	// Origins are the pages that may publish. Nil: all.
	Origins door.Origins

	// Brake slows the guessing of keys down. Nil: one of its own.
	Brake *door.Brake

	// Gate limits how often an address may offer. Nil: as often as it likes.
	Gate *gate.Gate

	// Patience is how long the body of a request may take, and how long an answer
	// may go untaken. Default 15 s.
	Patience time.Duration

	// Log, default none.
	Log *slog.Logger
}

func (o Options) withDefaults() Options {
	if o.Address == "" {
		o.Address = defaultAddress
	}
	if o.MaxSessions == 0 {
		o.MaxSessions = defaultMaxSessions
	}
	if o.Handshake == 0 {
		o.Handshake = defaultHandshake
	}
	if o.Silence == 0 {
		o.Silence = defaultSilence
	}
	if o.Brake == nil {
		o.Brake = new(door.Brake)
	}
	if o.Patience == 0 {
		o.Patience = defaultPatience
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// listen opens the UDP port and returns the settings of connections over it.
func (o Options) listen() (*net.UDPConn, *ice.UDPMuxDefault, webrtc.SettingEngine, error) {
	var engine webrtc.SettingEngine
	address, err := net.ResolveUDPAddr("udp", o.Address)
	if err != nil {
		return nil, nil, engine, fmt.Errorf("whip: address %q: %w", o.Address, err)
	}
	conn, err := net.ListenUDP("udp", address)
	if err != nil {
		return nil, nil, engine, fmt.Errorf("whip: %w", err)
	}
	_ = conn.SetReadBuffer(socketBuffer) // the system may grant less
	factory := loggers{o.Log}
	mux := ice.NewUDPMuxDefault(ice.UDPMuxParams{UDPConn: conn, Logger: factory.NewLogger("udp")})

	engine.LoggerFactory = factory
	engine.SetICEUDPMux(mux)
	engine.SetLite(true)
	engine.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4, webrtc.NetworkTypeUDP6})
	engine.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	engine.SetIncludeLoopbackCandidate(o.Loopback)
	engine.SetICETimeouts(disconnectedAfter, failedAfter, 0)
	engine.SetReceiveMTU(receiveMTU)
	// Packets that are sent again come late; the usual window of 64 packets, a few
	// milliseconds of a keyframe, would take them for replayed ones.
	engine.SetSRTPReplayProtectionWindow(jitter.MaxPackets)
	if err := engine.SetAnsweringDTLSRole(webrtc.DTLSRoleServer); err != nil {
		return nil, nil, engine, closeAll(err, mux, conn)
	}
	if len(o.Hosts) > 0 {
		rule := webrtc.ICEAddressRewriteRule{
			AsCandidateType: webrtc.ICECandidateTypeHost, Mode: webrtc.ICEAddressRewriteReplace,
		}
		for _, host := range o.Hosts {
			rule.External = append(rule.External, host.Unmap().String())
		}
		if err := engine.SetICEAddressRewriteRules(rule); err != nil {
			return nil, nil, engine, closeAll(fmt.Errorf("whip: hosts %v: %w", o.Hosts, err), mux, conn)
		}
	}
	return conn, mux, engine, nil
}

func closeAll(err error, mux *ice.UDPMuxDefault, conn *net.UDPConn) error {
	_ = mux.Close()
	_ = conn.Close()
	return err
}
