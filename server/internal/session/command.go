package session

import (
	"fmt"
	"slices"
	"time"

	"github.com/framewire/framewire/server/internal/gate"
	"github.com/framewire/framewire/server/internal/media"
	"github.com/framewire/framewire/server/internal/wire"
)

// command carries out one command and answers it: first what it changed, then
// the result. The caller holds mu.
func (v *Viewer) command(c wire.Command, now time.Time) {
	result := wire.Result{ID: c.ID}
	if result.Err = v.ready(now); result.Err == nil {
		result.Streams, result.Err = v.do(c.Body, now)
		if tells(c.Body, result.Err) {
			v.tellState()
		} else {
			v.sendState()
		}
	}
	v.send(result)
}

// tells reports whether position and window are of interest after a command, even
// if nothing else has changed.
func tells(body wire.CommandBody, err *wire.Error) bool {
	if err != nil {
		return err.Code == wire.OutOfWindow
	}
	switch body.(type) {
	case wire.Seek, wire.Play:
		return true
	}
	return false
}

// ready refuses a command that comes too early or too soon after others. It is
// called by the goroutine that receives.
func (v *Viewer) ready(now time.Time) *wire.Error {
	if v.hello == nil {
		return &wire.Error{Code: wire.HelloRequired, Message: "the first message of a session is hello"}
	}
	if r := v.hurries(now); r != nil {
		return &wire.Error{Code: wire.TooManyCommands, Message: r.Error(), RetryAfter: r.Wait}
	}
	return nil
}

// hurries refuses a client that asks too often: in this session, from its address,
// or with tokens of one subject. It is called by the goroutine that receives, behind
// the handshake.
func (v *Viewer) hurries(now time.Time) *gate.Refusal {
	if r := v.hurriesAlone(now); r != nil {
		return r
	}
	remote := remoteOf(v)
	if r := v.host.opts.Commands.Admit("command", remote); r != nil {
		return r
	}
	return v.host.opts.Commands.AdmitSubject("command", v.grant.Subject, remote)
}

// hurriesAlone is hurries for what this session asks for, whatever others do.
func (v *Viewer) hurriesAlone(now time.Time) *gate.Refusal {
	r := v.commands.Take(v.host.commandLimits, now)
	if r != nil {
		r.Err = gate.ErrCommands
		v.host.opts.Hooks.Hurried(v.id, v.peer.Address, r)
	}
	return r
}

// do carries out a command. When it fails, nothing has changed.
func (v *Viewer) do(body wire.CommandBody, now time.Time) (*wire.StreamList, *wire.Error) {
	switch c := body.(type) {
	case wire.Play:
		return nil, v.doPlay(c, now)
	case wire.Pause:
		if err := v.needStream(); err != nil {
			return nil, err
		}
		v.play.paused = true
	case wire.Resume:
		return nil, v.doResume(c, now)
	case wire.Stop:
		if err := v.needStream(); err != nil {
			return nil, err
		}
		v.finish(wire.EndStopped, "The viewer stopped the stream.")
	case wire.Seek:
		return nil, v.doSeek(c)
	case wire.GoLive:
		if err := v.needMedia(); err != nil {
			return nil, err
		}
		v.goLive()
	case wire.SetVolume:
		v.settings.Volume = c.Volume
	case wire.SetMuted:
		v.settings.Muted = c.Muted
	case wire.SetLatencyTarget:
		v.settings.LatencyTarget = c.Target
	case wire.SelectTracks:
		return nil, v.doSelect(c)
	case wire.RequestKeyframe:
		return nil, v.doRequestKeyframe()
	case wire.ListStreams:
		return &v.visible(v.host.list.get(now)).StreamList, nil
	case wire.SubscribeStreams:
		v.subscribed = c.Enabled
		v.listed = v.visible(v.host.list.get(now))
		v.listedAt = now
		return &v.listed.StreamList, nil
	default:
		return nil, &wire.Error{Code: wire.Unsupported, Field: "command.body", Message: "this server knows no such command"}
	}
	return nil, nil
}

// needStream refuses what makes no sense before play.
func (v *Viewer) needStream() *wire.Error {
	if v.play.name == "" {
		return &wire.Error{Code: wire.NotPlaying, Message: "no stream is chosen; send play first"}
	}
	return nil
}

// needMedia refuses what makes no sense before the first fragment.
func (v *Viewer) needMedia() *wire.Error {
	if err := v.needStream(); err != nil {
		return err
	}
	if v.play.cursor == nil {
		return &wire.Error{Code: wire.NotLive, Message: fmt.Sprintf("stream %q is not live yet", v.play.name)}
	}
	return nil
}

func (v *Viewer) doPlay(c wire.Play, now time.Time) *wire.Error {
	if err := v.mayWatch(c.Stream, now); err != nil {
		return err
	}
	stream := v.host.hub.Lookup(c.Stream)
	if stream != nil {
		if err := inWindow(stream, c.From); err != nil {
			return err
		}
		most := v.host.limits.Load().ViewersPerStream
		if most > 0 && c.Stream != v.play.name && stream.Viewers() >= most {
			v.host.opts.Hooks.Refused(v.id, c.Stream, v.peer.Address, ErrStreamFull)
			return &wire.Error{Code: wire.Overloaded, Field: "command.play.stream", RetryAfter: overloadRetry,
				Message: fmt.Sprintf("stream %q has as many viewers as it may; try again later", c.Stream)}
		}
	}
	if v.play.name != "" && v.play.name != c.Stream {
		v.finish(wire.EndSwitched, fmt.Sprintf("The viewer switched to %s.", c.Stream))
	}
	v.play.choose(c.Stream, c.From)
	v.begin(now)
	return nil
}

// inWindow refuses a position that a live stream does not hold.
func inWindow(s Stream, from wire.Position) *wire.Error {
	start, end, ok := s.Range()
	if !ok || s.Status().State != StreamLive {
		return nil
	}
	switch from := from.(type) {
	case wire.PositionTime:
		return timeInWindow("command.play.time_seconds", time.Duration(from), start, end)
	case wire.PositionSequence:
		c := s.Subscribe()
		defer c.Close()
		past := c.Next()
		if !c.SeekSequence(uint64(from)) || c.Next() > uint64(from) || uint64(from) > past {
			return &wire.Error{Code: wire.OutOfWindow, Field: "command.play.sequence",
				Message: fmt.Sprintf("sequence %d is not held; the newest is %d", uint64(from), past-1)}
		}
	}
	return nil
}

func timeInWindow(field string, t, start, end time.Duration) *wire.Error {
	if t >= start && t <= end {
		return nil
	}
	return &wire.Error{Code: wire.OutOfWindow, Field: field,
		Message: fmt.Sprintf("%.3f s is outside the window from %.3f to %.3f s", t.Seconds(), start.Seconds(), end.Seconds())}
}

func (v *Viewer) doResume(c wire.Resume, now time.Time) *wire.Error {
	if err := v.needStream(); err != nil {
		return err
	}
	p := &v.play
	wasPaused := p.paused
	p.paused = false
	switch {
	case p.cursor == nil:
		v.begin(now)
	case c.Live:
		v.goLive()
	case wasPaused:
		p.live = p.live && p.cursor.Lag() == 0
		v.climb.base = v.lag()
	}
	return nil
}

// goLive moves to the newest keyframe. One that was already sent is not gone
// back to.
func (v *Viewer) goLive() {
	p := &v.play
	p.live = true
	before := p.cursor.Next()
	if !p.cursor.SeekLive() || p.cursor.Next() <= before && !p.needKey {
		p.cursor.SeekExact(before)
	} else {
		p.needKey = true
	}
	v.climb.base = v.lag()
}

func (v *Viewer) doSeek(c wire.Seek) *wire.Error {
	if err := v.needMedia(); err != nil {
		return err
	}
	p := &v.play
	start, end, ok := p.stream.Range()
	if !ok {
		return &wire.Error{Code: wire.NotLive, Message: fmt.Sprintf("stream %q holds nothing to seek in", p.name)}
	}
	if err := timeInWindow("command.seek.time_seconds", c.Time, start, end); err != nil {
		return err
	}
	p.cursor.SeekTime(c.Time)
	p.live = false
	p.needKey = true
	p.gap = nil
	v.climb.base = v.lag()
	return nil
}

func (v *Viewer) doSelect(c wire.SelectTracks) *wire.Error {
	if err := v.needMedia(); err != nil {
		return err
	}
	p := &v.play
	epoch := p.stream.Epoch()
	if p.announced != 0 {
		if e := p.stream.EpochByID(p.announced); e != nil {
			epoch = e
		}
	}
	if err := p.checkTrack(epoch, media.Video, c.Video, "command.select_tracks.video_track_id"); err != nil {
		return err
	}
	if err := p.checkTrack(epoch, media.Audio, c.Audio, "command.select_tracks.audio_track_id"); err != nil {
		return err
	}
	if c.Audio != nil {
		p.wish.audio = c.Audio
		p.audio = *c.Audio
	}
	if c.Video != nil {
		p.wish.video = c.Video
		p.selectVideo(*c.Video)
	}
	return nil
}

// selectVideo switches at once to none, and to a track at its next keyframe:
// until then the present one goes on.
func (p *playback) selectVideo(id uint32) {
	p.nextVideo = 0
	switch {
	case id == p.video:
	case id == 0:
		p.video = 0
	case p.video == 0:
		p.video, p.needKey = id, true
	default:
		p.nextVideo = id
	}
}

func (p *playback) checkTrack(e *media.Epoch, kind media.Kind, id *uint32, field string) *wire.Error {
	if id == nil || *id == 0 {
		return nil
	}
	t := e.Track(*id)
	if t == nil || t.Kind() != kind {
		return &wire.Error{Code: wire.UnknownTrack, Field: field, Message: fmt.Sprintf("the stream has no %v track %d", kind, *id)}
	}
	if slices.Contains(p.undecodable, *id) {
		return &wire.Error{Code: wire.Unsupported, Field: field,
			Message: fmt.Sprintf("track %d is %s, which is not among hello.decodable_types", *id, t.CodecString)}
	}
	return nil
}

func (v *Viewer) doRequestKeyframe() *wire.Error {
	if err := v.needMedia(); err != nil {
		return err
	}
	if err := v.play.stream.RequestKeyframe(); err != nil {
		return &wire.Error{Code: wire.Unsupported, Message: err.Error()}
	}
	return nil
}
