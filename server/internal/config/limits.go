package config

import "time"

// Limits bound what clients may take. 0 is no bound, where nothing else is said.
type Limits struct {
	// Viewers in all, of one stream, and from one network address.
	Viewers           int `yaml:"viewers"`
	ViewersPerStream  int `yaml:"viewers_per_stream"`
	ViewersPerAddress int `yaml:"viewers_per_address"`
	// ViewersPerSubject is for the viewers whose tokens name the same subject.
	ViewersPerSubject int `yaml:"viewers_per_subject"`

	// Handshakes are sessions and publishers that begin: HandshakesPerSecond of one
	// network address for ever, HandshakeBurst at once, and so for the tokens that
	// name one subject.
	HandshakesPerSecond        int `yaml:"handshakes_per_second"`
	HandshakeBurst             int `yaml:"handshake_burst"`
	SubjectHandshakesPerSecond int `yaml:"subject_handshakes_per_second"`
	SubjectHandshakeBurst      int `yaml:"subject_handshake_burst"`

	// HandshakeTimeout is how long a client may take to say hello, IdleTimeout how
	// long one may be silent, answers to pings included.
	HandshakeTimeout Duration `yaml:"handshake_timeout"`
	IdleTimeout      Duration `yaml:"idle_timeout"`

	// MessageBytes is the size above which a client's message is refused.
	MessageBytes Bytes `yaml:"message_bytes"`

	// Commands a second that a session may send for ever, and at once; all of one
	// network address, and all whose tokens name one subject.
	CommandsPerSecond        int `yaml:"commands_per_second"`
	CommandBurst             int `yaml:"command_burst"`
	AddressCommandsPerSecond int `yaml:"address_commands_per_second"`
	AddressCommandBurst      int `yaml:"address_command_burst"`
	SubjectCommandsPerSecond int `yaml:"subject_commands_per_second"`
	SubjectCommandBurst      int `yaml:"subject_command_burst"`

	// ViewerBytes may wait for one slow viewer, WaitingBytes for all together.
	ViewerBytes  Bytes `yaml:"viewer_bytes"`
	WaitingBytes Bytes `yaml:"waiting_bytes"`
}

func defaultLimits() Limits {
	return Limits{
		// All viewers behind the NAT of a company come back within seconds of a
		// restart; to answer as many costs a server a few percent of a processor.
		HandshakesPerSecond: 50,
		HandshakeBurst:      500,
		// A site may give all its viewers tokens of one subject, so that a rate for
		// each is for the operator to set; the bursts are there for when one is.
		SubjectHandshakeBurst: 500,
		SubjectCommandBurst:   5000,
		HandshakeTimeout:      Duration(10 * time.Second),
		IdleTimeout:           Duration(time.Minute),
		MessageBytes:          64 << 10,
		CommandsPerSecond:     20,
		CommandBurst:          40,
		// Ten commands for each session of the bursts above.
		AddressCommandsPerSecond: 500,
		AddressCommandBurst:      5000,
		ViewerBytes:              64 << 10,
	}
}

// static returns the limits that take a restart to change.
func (l Limits) static() Limits {
	l.Viewers, l.ViewersPerStream, l.ViewersPerAddress, l.ViewersPerSubject = 0, 0, 0, 0
	l.HandshakesPerSecond, l.HandshakeBurst, l.SubjectHandshakesPerSecond, l.SubjectHandshakeBurst = 0, 0, 0, 0
	l.AddressCommandsPerSecond, l.AddressCommandBurst, l.SubjectCommandsPerSecond, l.SubjectCommandBurst = 0, 0, 0, 0
	return l
}

func (l *Limits) check(bad func(format string, args ...any)) {
	for _, n := range []struct {
		name  string
		value int
	}{
		{"viewers", l.Viewers}, {"viewers_per_stream", l.ViewersPerStream}, {"viewers_per_address", l.ViewersPerAddress},
		{"viewers_per_subject", l.ViewersPerSubject}, {"handshakes_per_second", l.HandshakesPerSecond},
		{"subject_handshakes_per_second", l.SubjectHandshakesPerSecond},
		{"address_commands_per_second", l.AddressCommandsPerSecond}, {"subject_commands_per_second", l.SubjectCommandsPerSecond},
	} {
		if n.value < 0 {
			bad("limits.%s is %d, want at least 0", n.name, n.value)
		}
	}
	for _, n := range []struct {
		name  string
		value int
	}{
		{"handshake_burst", l.HandshakeBurst}, {"subject_handshake_burst", l.SubjectHandshakeBurst},
		{"address_command_burst", l.AddressCommandBurst}, {"subject_command_burst", l.SubjectCommandBurst},
	} {
		if n.value < 1 {
			bad("limits.%s is %d, want at least 1", n.name, n.value)
		}
	}
	if d := time.Duration(l.HandshakeTimeout); d < 100*time.Millisecond || d > time.Minute {
		bad("limits.handshake_timeout is %v, want 100ms to 1m", d)
	}
	if d := time.Duration(l.IdleTimeout); d < time.Second || d > time.Hour {
		bad("limits.idle_timeout is %v, want 1s to 1h", d)
	}
	if l.MessageBytes < 1<<10 || l.MessageBytes > 16<<20 {
		bad("limits.message_bytes is %d, want 1KiB to 16MiB", l.MessageBytes)
	}
	if l.CommandsPerSecond < 1 || l.CommandBurst < 1 {
		bad("limits.commands_per_second is %d and limits.command_burst %d, want at least 1", l.CommandsPerSecond, l.CommandBurst)
	}
	if l.ViewerBytes < 4<<10 || l.ViewerBytes > 64<<20 {
		bad("limits.viewer_bytes is %d, want 4KiB to 64MiB", l.ViewerBytes)
	}
	if l.WaitingBytes < 0 {
		bad("limits.waiting_bytes is %d, want at least 0", l.WaitingBytes)
	}
}
