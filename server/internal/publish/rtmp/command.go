package rtmp

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/framewire/framewire/server/internal/flv"
	"github.com/framewire/framewire/server/internal/flv/amf0"
	"github.com/framewire/framewire/server/internal/publish"
	"github.com/framewire/framewire/server/internal/publish/rtmp/chunk"
)

const (
	// maxStreams bounds the message streams a connection creates. Publishers
	// create one, and one more each time they publish again.
	maxStreams = 64

	// maxClient bounds the name that a client gives itself.
	maxClient = 128
)

// call is a command of the client's.
type call struct {
	name        string
	transaction float64 // 0 when no answer is wanted
	stream      uint32  // the message stream it came on
	args        []any   // behind the command object
	object      amf0.Object
}

func parseCall(m *chunk.Message, data []byte) (call, error) {
	values, err := amf0.Decode(data)
	if len(values) < 2 {
		return call{}, errors.Join(fmt.Errorf("%w: command without name and number", publish.ErrMalformed), err)
	}
	name, named := values[0].(string)
	transaction, numbered := values[1].(float64)
	if !named || !numbered {
		return call{}, fmt.Errorf("%w: command begins with %T, %T", publish.ErrMalformed, values[0], values[1])
	}
	// What cannot be read behind the name, such as values in AMF3, is left out:
	// the commands that matter are all in AMF0.
	cl := call{name: name, transaction: transaction, stream: m.Stream}
	if len(values) > 2 {
		cl.object, _ = values[2].(amf0.Object)
		cl.args = values[3:]
	}
	return cl, nil
}

// text returns an argument when it is a string.
func (c *call) text(i int) string {
	if i >= len(c.args) {
		return ""
	}
	s, _ := c.args[i].(string)
	return s
}

// command acts on a command message.
func (c *conn) command(ctx context.Context, m *chunk.Message, data []byte) error {
	cl, err := parseCall(m, data)
	if err != nil {
		return err
	}
	if !c.connected && cl.name != "connect" {
		return fmt.Errorf("%w: command %.40q before connect", publish.ErrMalformed, cl.name)
	}
	switch cl.name {
	case "connect":
		return c.connect(&cl)
	case "createStream":
		return c.createStream(&cl)
	case "publish":
		return c.publish(ctx, &cl)
	case "releaseStream", "FCPublish", "_checkbw":
		return c.result(&cl, nil)
	case "getStreamLength":
		return c.result(&cl, 0)
	case "FCUnpublish", "deleteStream", "closeStream":
		return c.endStream(&cl)
	case "play", "play2", "FCSubscribe":
		return c.refusePlay(&cl)
	case "_result", "_error", "onStatus":
		return nil
	default:
		return c.unknown(&cl)
	}
}

// reply makes a command message of the server's.
func reply(chunkStream, stream uint32, values ...any) (chunk.Message, error) {
	data, err := amf0.Append(nil, values...)
	return chunk.Message{ChunkStream: chunkStream, Type: typeCommand, Stream: stream, Data: data}, err
}

// result answers a call that wants an answer.
func (c *conn) result(cl *call, value any) error {
	if cl.transaction == 0 {
		return nil
	}
	m, err := reply(commandStream, 0, "_result", cl.transaction, nil, value)
	if err != nil {
		return err
	}
	return c.send(m)
}

// status tells of the state of a message stream.
func (c *conn) status(stream uint32, level, code, description string) error {
	m, err := reply(statusStream, stream, "onStatus", 0, nil, info(level, code, description))
	if err != nil {
		return err
	}
	return c.send(m)
}

func (c *conn) unknown(cl *call) error {
	if cl.transaction == 0 {
		return nil
	}
	m, err := reply(commandStream, 0, "_error", cl.transaction, nil,
		info("error", codeCallFailed, fmt.Sprintf("no command %.40q here", cl.name)))
	if err != nil {
		return err
	}
	return c.send(m)
}

func (c *conn) connect(cl *call) error {
	if c.connected {
		return fmt.Errorf("%w: connect twice", publish.ErrMalformed)
	}
	if err := c.introduce(); err != nil {
		return err
	}
	if c.refusal != nil {
		return c.reject(cl, c.refusal)
	}
	to, err := parseTarget(cl.object.Text("app"), cl.object.Text("tcUrl"), c.opts.App)
	if err != nil {
		return c.reject(cl, err)
	}
	c.target, c.client = to, printable(cl.object.Text("flashVer"))
	encoding, _ := cl.object.Number("objectEncoding")
	answer, err := reply(commandStream, 0, "_result", cl.transaction, properties(),
		append(info("status", codeConnected, "connected; publish a stream now"),
			amf0.Field{Name: "objectEncoding", Value: encoding}))
	if err != nil {
		return err
	}
	if err := c.send(answer); err != nil {
		return err
	}
	c.connected = true
	return nil
}

// introduce sends what goes before the answer to connect, whatever that is.
func (c *conn) introduce() error {
	const dynamic = 2 // limit type of Set Peer Bandwidth (5.4.5)
	window := binary.BigEndian.AppendUint32(nil, ackWindow)
	if err := c.send(
		control(typeWindow, window),
		control(typeBandwidth, append(window, dynamic)),
		control(chunk.TypeSetChunkSize, binary.BigEndian.AppendUint32(nil, ourChunkSize)),
		userControl(eventStreamBegin, 0),
	); err != nil {
		return err
	}
	c.out.SetSize(ourChunkSize)
	return nil
}

// properties is what the server says of itself, with what it takes of Enhanced
// RTMP.
func properties() amf0.Object {
	const (
		canForward = 4
		modEx      = 4 // of capsEx
		nanos      = 8
	)
	var codes amf0.Array
	var video, audio amf0.Object
	for _, code := range flv.VideoCodes {
		codes = append(codes, code)
		video = append(video, amf0.Field{Name: code, Value: canForward})
	}
	for _, code := range flv.AudioCodes {
		codes = append(codes, code)
		audio = append(audio, amf0.Field{Name: code, Value: canForward})
	}
	return amf0.Object{
		{Name: "fmsVer", Value: "FMS/3,5,7,7009"}, // some encoders look for a version of Adobe's
		{Name: "capabilities", Value: 31},
		{Name: "mode", Value: 1},
		{Name: "fourCcList", Value: codes},
		{Name: "videoFourCcInfoMap", Value: video},
		{Name: "audioFourCcInfoMap", Value: audio},
		{Name: "capsEx", Value: modEx | nanos},
	}
}

// reject answers a connect that leads nowhere, and returns why.
func (c *conn) reject(cl *call, why error) error {
	m, err := reply(commandStream, 0, "_error", cl.transaction, nil, info("error", codeRejected, why.Error()))
	if err != nil {
		return err
	}
	if err := c.send(m); err != nil {
		return err
	}
	c.told = true
	return why
}

func (c *conn) createStream(cl *call) error {
	if c.streams == maxStreams {
		return fmt.Errorf("%w: more than %d message streams", publish.ErrLimit, maxStreams)
	}
	c.streams++
	return c.result(cl, float64(c.streams))
}

func (c *conn) refusePlay(cl *call) error {
	if err := c.status(cl.stream, "error", codePlayFailed, "nothing can be played over RTMP here"); err != nil {
		return err
	}
	c.told = true
	return fmt.Errorf("%w: playing over RTMP", publish.ErrUnsupported)
}

// printable keeps what a client says of itself fit for logs.
func printable(s string) string {
	if len(s) > maxClient {
		s = s[:maxClient]
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return -1
		}
		return r
	}, s)
}
