package whip_test

import (
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/pion/rtp"

	"github.com/framewire/framewire/server/internal/media"
	"github.com/framewire/framewire/server/internal/mediatest"
	"github.com/framewire/framewire/server/internal/publish"
	"github.com/framewire/framewire/server/internal/publish/publishtest"
	"github.com/framewire/framewire/server/internal/publish/whip"
)

// begin lets a publisher of the clip's first keyframe in.
func begin(t *testing.T, first [][]byte, fmtp string, withAudio bool) (*publisher, *publishtest.Publication) {
	t.Helper()
	desk := publishtest.NewDesk(t, key)
	url, _ := serve(t, whip.Options{Desk: desk})
	p := newPublisher(t, url+"/whip/cam", fmtp, withAudio)
	if withAudio {
		return p, desk.Await(0)
	}
	return p, p.prime(desk, first)
}

// samples waits for the pictures that were primed and n more.
func samples(published *publishtest.Publication, n int) *publishtest.Epoch {
	epochs := published.Await("all pictures", publishtest.Frames(n, 0))
	return &epochs[len(epochs)-1]
}

func TestPacketizationModes(t *testing.T) {
	sliced := makeClip(t, "320x180", 2, ":slice-max-size=1000")
	whole := makeClip(t, "320x180", 2, "")
	for name, c := range map[string]struct {
		fmtp     string
		clip     clip
		payloads func([][]byte) [][]byte
	}{
		"0, single units":          {mode0, sliced, func(list [][]byte) [][]byte { return list }},
		"1, fragmented":            {mode1, whole, fragmented},
		"1, aggregated parameters": {mode1, whole, aggregated},
	} {
		t.Run(name, func(t *testing.T) {
			p, published := begin(t, c.payloads(units(c.clip[0])), c.fmtp, false)
			primed := len(published.Epochs()[0].Samples)
			for _, picture := range c.clip {
				p.send(c.payloads(units(picture)))
			}
			e := samples(published, primed+len(c.clip))
			if track := e.Tracks[0]; track.Width != 320 || track.Height != 180 || track.Timescale != 90000 {
				t.Errorf("track %+v", track)
			}
			mediatest.RequireDecodes(t, e.File(t))
		})
	}
}

// aggregated puts the first units of a picture into a STAP-A as far as they fit.
func aggregated(list [][]byte) [][]byte {
	packet := []byte{24 | list[0][0]&0x60}
	i := 0
	for ; i < len(list) && len(packet)+2+len(list[i]) < mtu; i++ {
		packet = append(append(packet, byte(len(list[i])>>8), byte(len(list[i]))), list[i]...)
	}
	if i == 0 {
		return fragmented(list)
	}
	return append([][]byte{packet}, fragmented(list[i:])...)
}

func TestLostPacketsAreFetched(t *testing.T) {
	clip := makeClip(t, "640x360", 2, "")
	p, published := begin(t, fragmented(units(clip[0])), mode1, false)
	primed := len(published.Epochs()[0].Samples)
	random := rand.New(rand.NewPCG(1, 2))
	p.mu.Lock()
	lost := 0
	p.lose = func(_ uint16, again bool) bool {
		drop := random.Float64() < 0.08
		if drop && !again {
			lost++
		}
		return drop
	}
	p.mu.Unlock()
	for i, picture := range clip {
		p.send(fragmented(units(picture)))
		// The loss of a picture's last packet shows with the next picture.
		published.Await("the pictures before", publishtest.Frames(primed+i-2, 0))
	}
	p.mu.Lock()
	p.lose = func(uint16, bool) bool { return false }
	p.mu.Unlock()
	p.send(fragmented(units(clip[0]))) // so that a loss at the end is noticed
	e := samples(published, primed+len(clip)+1)
	p.mu.Lock()
	t.Logf("%d packets lost, %d asked for", lost, p.nacks)
	if lost == 0 || p.nacks < lost {
		t.Errorf("%d packets lost, %d asked for again", lost, p.nacks)
	}
	p.mu.Unlock()
	mediatest.RequireDecodes(t, e.File(t))
}

func TestReorderedPackets(t *testing.T) {
	clip := makeClip(t, "640x360", 2, "")
	p, published := begin(t, fragmented(units(clip[0])), mode1, false)
	primed := len(published.Epochs()[0].Samples)
	random := rand.New(rand.NewPCG(3, 4))
	var all []*rtp.Packet
	for _, picture := range clip {
		all = append(all, p.packets(fragmented(units(picture)))...)
	}
	for i := range all {
		if j := i + random.IntN(6); j < len(all) {
			all[i], all[j] = all[j], all[i]
		}
	}
	for _, packet := range all {
		p.write(packet)
		if random.IntN(10) == 0 {
			p.write(packet) // twice
		}
	}
	e := samples(published, primed+len(clip))
	if len(e.Samples) != primed+len(clip) {
		t.Errorf("%d pictures of %d", len(e.Samples)-primed, len(clip))
	}
	mediatest.RequireDecodes(t, e.File(t))
}

// TestLossForGood loses a packet that is never sent again: nothing that builds on
// it is published, and a keyframe is asked for.
func TestLossForGood(t *testing.T) {
	clip := makeClip(t, "640x360", 1, "")
	p, published := begin(t, fragmented(units(clip[0])), mode1, false)
	primed := len(published.Epochs()[0].Samples)
	gone := p.sequence + 4 // within the slice of the keyframe that follows
	p.mu.Lock()
	p.lose = func(n uint16, _ bool) bool { return n == gone }
	p.mu.Unlock()
	for _, picture := range clip[:10] {
		p.send(fragmented(units(picture)))
	}
	select {
	case <-p.plis:
	case <-time.After(10 * time.Second):
		t.Fatal("no keyframe asked for")
	}
	next := clip[10:20]
	for _, picture := range next {
		p.send(fragmented(units(picture)))
	}
	e := samples(published, primed+len(next))
	if got := len(e.Samples); got != primed+len(next) {
		t.Errorf("%d pictures published after the loss, want %d", got-primed, len(next))
	}
	if !e.Samples[primed].Keyframe {
		t.Error("the first picture after the loss is no keyframe")
	}
	mediatest.RequireDecodes(t, e.File(t))
}

// TestWrapAround lets sequence numbers and timestamps begin anew.
func TestWrapAround(t *testing.T) {
	clip := makeClip(t, "320x180", 2, "")
	desk := publishtest.NewDesk(t, key)
	url, _ := serve(t, whip.Options{Desk: desk})
	p := newPublisher(t, url+"/whip/cam", mode1, false)
	p.sequence, p.timestamp = 65500, 1<<32-20*3000
	published := p.prime(desk, fragmented(units(clip[0])))
	primed := len(published.Epochs()[0].Samples)
	for _, picture := range clip {
		p.send(fragmented(units(picture)))
	}
	e := samples(published, primed+len(clip))
	for i := primed + 1; i < len(e.Samples); i++ {
		if step := e.Samples[i].DTS - e.Samples[i-1].DTS; step != 3000 {
			t.Errorf("picture %d: %d ticks after the one before", i, step)
		}
	}
	if p.sequence > 65000 || p.timestamp > 1<<31 {
		t.Errorf("ended at sequence %d and timestamp %d: nothing wrapped", p.sequence, p.timestamp)
	}
}

func TestLateParameterSets(t *testing.T) {
	clip := makeClip(t, "320x180", 1, "")
	desk := publishtest.NewDesk(t, key)
	url, _ := serve(t, whip.Options{Desk: desk})
	p := newPublisher(t, url+"/whip/cam", mode1, false)
	const sps, pps = 7, 8
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for asked := false; !asked; {
		p.send(fragmented(units(clip[0], sps, pps)))
		select {
		case <-p.plis:
			asked = true
		case <-again.C:
		}
	}
	published := desk.Await(0)
	if n := len(published.Epochs()); n != 0 {
		t.Errorf("%d epochs without parameter sets", n)
	}
	p.prime(desk, fragmented(units(clip[0])))
	e := samples(published, 1)
	mediatest.RequireDecodes(t, e.File(t))
}

// TestParameterSetsInOffer never sends any in band.
func TestParameterSetsInOffer(t *testing.T) {
	clip := makeClip(t, "320x180", 1, "")
	const sps, pps = 7, 8
	first := units(clip[0])
	fmtp := mode1 + ";sprop-parameter-sets=" + base64Of(first[0]) + "," + base64Of(first[1])
	p, published := begin(t, fragmented(units(clip[0], sps, pps)), fmtp, false)
	primed := len(published.Epochs()[0].Samples)
	for _, picture := range clip {
		p.send(fragmented(units(picture, sps, pps)))
	}
	mediatest.RequireDecodes(t, samples(published, primed+len(clip)).File(t))
}

func TestChangedResolution(t *testing.T) {
	small, large := makeClip(t, "320x180", 1, ""), makeClip(t, "640x360", 1, "")
	p, published := begin(t, fragmented(units(small[0])), mode1, false)
	for _, c := range []clip{small, large, small} {
		for _, picture := range c {
			p.send(fragmented(units(picture)))
		}
	}
	epochs := published.Await("three epochs", func(epochs []publishtest.Epoch) bool {
		return len(epochs) == 3 && len(epochs[2].Samples) == len(small)
	})
	for i, width := range []int{320, 640, 320} {
		if got := epochs[i].Tracks[0].Width; got != width {
			t.Errorf("epoch %d is %d pixels wide, want %d", i, got, width)
		}
		mediatest.RequireDecodes(t, epochs[i].File(t))
	}
}

func TestKeyframeOnRequest(t *testing.T) {
	clip := makeClip(t, "320x180", 1, "")
	p, published := begin(t, fragmented(units(clip[0])), mode1, false)
	select { // one that was asked for at the start
	case <-p.plis:
	default:
	}
	published.Request.Keyframes.RequestKeyframe()
	select {
	case <-p.plis:
	case <-time.After(10 * time.Second):
		t.Fatal("the publisher was not asked")
	}
}

func TestKeyframesAreAskedForNowAndThen(t *testing.T) {
	clip := makeClip(t, "320x180", 2, "")
	p, _ := begin(t, fragmented(units(clip[0])), mode1, false)
	pictures := time.NewTicker(40 * time.Millisecond)
	defer pictures.Stop()
	patience := time.After(30 * time.Second)
	for asked := 0; asked < 2; { // at the start, and in time after it
		select {
		case <-p.plis:
			asked++
			p.send(fragmented(units(clip[0])))
		case <-pictures.C:
			p.send(fragmented(units(clip[1])))
		case <-patience:
			t.Fatalf("the publisher was asked %d times", asked)
		}
	}
}

// TestLostSoundBecomesSilence leaves out packets of sound.
func TestLostSoundBecomesSilence(t *testing.T) {
	clip := makeClip(t, "320x180", 1, "")
	p, published := begin(t, nil, mode1, true)
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	sound := []byte{0xfc, 0xff, 0xfe}
	for i := 0; !publishtest.Frames(2, 50)(published.Epochs()); i++ {
		if i%5 == 0 {
			p.send(fragmented(units(clip[0])))
		}
		if i%7 != 3 {
			packet := rtp.Packet{Payload: sound, Header: rtp.Header{
				Version: 2, SequenceNumber: uint16(i), Timestamp: uint32(i) * 960, Marker: i == 0,
			}}
			if err := p.audio.WriteRTP(&packet); err != nil {
				t.Fatal(err)
			}
		}
		<-again.C
	}
	epochs := published.Epochs()
	audio := epochs[len(epochs)-1].Of(media.Audio)
	for i := 1; i < len(audio); i++ {
		if step := audio[i].DTS - audio[i-1].DTS; step != 960 {
			t.Errorf("sound %d: %d ticks after the one before", i, step)
		}
	}
}

func TestSilentPublisherIsEnded(t *testing.T) {
	desk := publishtest.NewDesk(t, key)
	url, _ := serve(t, whip.Options{Desk: desk, Silence: 300 * time.Millisecond})
	p := newPublisher(t, url+"/whip/cam", mode1, false)
	if err := desk.Await(0).AwaitClose(); !errors.Is(err, publish.ErrSilent) {
		t.Errorf("ended with %v", err)
	}
	<-p.ended
}

func TestPublisherThatNeverConnects(t *testing.T) {
	desk := publishtest.NewDesk(t, key)
	url, _ := serve(t, whip.Options{Desk: desk, Handshake: 300 * time.Millisecond})
	pc := newPeer(t, mode1)
	defer pc.Close()
	if _, err := pc.AddTransceiverFromKind(videoKind); err != nil {
		t.Fatal(err)
	}
	response, body := post(t, url+"/whip/cam", offer(t, pc), nil)
	if response.StatusCode != 201 {
		t.Fatalf("%s: %s", response.Status, body)
	}
	if err := desk.Await(0).AwaitClose(); !errors.Is(err, publish.ErrDisconnected) {
		t.Errorf("ended with %v", err)
	}
}

func TestDeskEndsPublisher(t *testing.T) {
	clip := makeClip(t, "320x180", 1, "")
	p, published := begin(t, fragmented(units(clip[0])), mode1, false)
	published.End(publish.ErrTakenOver)
	if err := published.AwaitClose(); !errors.Is(err, publish.ErrTakenOver) {
		t.Errorf("ended with %v", err)
	}
	<-p.ended
}

func TestPublisherCloses(t *testing.T) {
	clip := makeClip(t, "320x180", 1, "")
	p, published := begin(t, fragmented(units(clip[0])), mode1, false)
	if err := p.pc.GracefulClose(); err != nil {
		t.Fatal(err)
	}
	if err := published.AwaitClose(); err != nil {
		t.Errorf("ended with %v", err)
	}
}

func TestHandlerCloseEndsPublishers(t *testing.T) {
	clip := makeClip(t, "320x180", 1, "")
	desk := publishtest.NewDesk(t, key)
	url, handler := serve(t, whip.Options{Desk: desk})
	p := newPublisher(t, url+"/whip/cam", mode1, false)
	published := p.prime(desk, fragmented(units(clip[0])))
	if err := handler.Close(); err != nil {
		t.Error(err)
	}
	if !published.Closed() || !errors.Is(published.AwaitClose(), publish.ErrShutdown) {
		t.Errorf("closed: %v", published.Closed())
	}
	if response, _ := post(t, url+"/whip/cam", offerOf(t), nil); response.StatusCode != 503 {
		t.Errorf("after Close: %s", response.Status)
	}
}

// TestReorderedPictures has a publisher show pictures in another order than it
// sends them: decode times grow all the same, and times of presentation are kept.
func TestReorderedPictures(t *testing.T) {
	clip := makeClip(t, "320x180", 1, "")
	p, published := begin(t, fragmented(units(clip[0])), mode1, false)
	primed := len(published.Epochs()[0].Samples)
	origin := p.timestamp
	shown := []uint32{0, 3, 1, 2, 6, 4, 5, 9, 7, 8, 10, 13, 11, 12, 16, 14, 15, 19, 17, 18}
	for i, at := range shown {
		p.timestamp = origin + 3000*at
		p.send(fragmented(units(clip[i])))
	}
	e := samples(published, primed+len(shown))
	e.Samples = e.Samples[len(e.Samples)-len(shown):]
	for i := range e.Samples {
		want := 3000 * int64(shown[i])
		if got := e.Samples[i].PTS() - e.Samples[0].PTS(); got != want {
			t.Errorf("picture %d is shown %d ticks after the first, want %d", i, got, want)
		}
	}
}
